import pytest

from recipes.augmentation import get
from recipes.choosing.planning import unmixed
from recipes.strategies import FineTuneStrategy, Phase
from tests.recipes.transfer.tiny import build_tiny


@pytest.mark.parametrize(("start", "there"), [(0.0, False), (0.5, True), (1.0, True)])
def test_a_line_says_where_mixing_has_no_part(start, there):
    plan = FineTuneStrategy("mine", "pretrained", (Phase("one", start, 1, 1e-3),), "one phase")
    transfer = build_tiny()
    said = unmixed(get("mixup"), plan, transfer)
    assert said == ("mixup and CutMix need trainable inputs: they have no part in mine" * there)
    assert unmixed(get("light"), plan, transfer) == ""
    assert unmixed(None, plan, transfer) == ""
