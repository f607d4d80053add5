import json
import math
import time
from dataclasses import replace

import pytest

from recipes import strategies
from recipes.strategies import STRATEGIES, FineTuneStrategy
from recipes.transfer.clock import Clock
from recipes.transfer.timing import Pace
from tests.recipes.transfer.tiny import build_tiny, digits_part, training_data

PARTS = {
    "train": digits_part("train", 0, 32),
    "validation": digits_part("validation", 32, 8),
    "test": digits_part("test", 40, 8),
}
WHOLE = STRATEGIES["large_similar"]


@pytest.fixture(scope="module")
def pace():
    return Pace(build_tiny(), training_data(PARTS), batch_size=16, picture=0.05)


def test_more_work_takes_longer(pace):
    head, later, whole = (
        pace.of(STRATEGIES[name]) for name in ("small_similar", "small_dissimilar", "large_similar")
    )
    assert head < later < whole < pace.of(WHOLE, refit=True)
    full = replace(WHOLE.phases[1], reduced=0.0)
    slower = replace(WHOLE, phases=(WHOLE.phases[0], full))
    assert whole < pace.of(slower)
    assert pace.of(WHOLE) < replace(pace, picture=0.1).of(WHOLE) < 2 * pace.of(WHOLE)


@pytest.mark.parametrize("plan", STRATEGIES.values(), ids=str)
@pytest.mark.parametrize("share", [1.01, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0, -1.0])
def test_what_is_fitted_takes_no_longer_than_there_is(pace, plan, share):
    whole = pace.of(plan, refit=True)
    fitted, refit = pace.fitted(plan, True, share * whole)
    assert len(fitted.phases) >= 1
    if share > 1:
        assert (fitted, refit) == (plan, True)
    least = pace.of(replace(plan, phases=plan.phases[:1]).scaled(0.25))
    assert pace.of(fitted, refit) <= max(share * whole, least)


def test_the_refit_goes_first_then_epochs_then_phases(pace):
    alone = pace.of(WHOLE)
    assert pace.fitted(WHOLE, True, alone + 1e-6) == (WHOLE, False)
    shorter, refit = pace.fitted(WHOLE, True, 0.9 * alone)
    assert not refit
    assert len(shorter.phases) == 2
    assert shorter.phases[1].steps < WHOLE.phases[1].steps
    last, _ = pace.fitted(WHOLE, True, pace.of(STRATEGIES["small_similar"], refit=True))
    assert last.phases == (strategies.HEAD,)


def test_the_clock_goes_on_from_what_was_used(tmp_path):
    first = Clock.open(tmp_path, 100.0, time.perf_counter() - 30)
    assert first.used == pytest.approx(30, abs=2)
    first.keep()
    assert json.loads((tmp_path / "clock.json").read_text())["used"] >= 30
    second = Clock.open(tmp_path, 100.0, time.perf_counter())
    second.reserve = 20
    assert second.used == pytest.approx(30, abs=2)
    assert second.left == pytest.approx(50, abs=2)
    assert Clock.open(tmp_path / "other", None, time.perf_counter()).left == math.inf


def test_a_strategy_of_one_s_own_can_be_fitted(pace):
    phase = strategies.Phase("head", 1.0, epochs=40, learning_rate=1e-3)
    mine = FineTuneStrategy("mine", "pretrained", (phase,), "")
    fitted, refit = pace.fitted(mine, True, 0.0)
    assert fitted.phases[0].epochs == 10
    assert not refit


def test_a_strategy_without_phases_fits(pace):
    nothing = FineTuneStrategy("nothing", "pretrained", (), "")
    assert pace.fitted(nothing, False, 0.0) == (nothing, False)
