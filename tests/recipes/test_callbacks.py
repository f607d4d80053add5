"""Our callbacks beside a `callbacks.py` of the user's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import callbacks
import recipes

ORDERS = {
    "ours first": "import recipes; from recipes import callbacks as ours\nimport callbacks",
    "theirs first": "import callbacks\nimport recipes; from recipes import callbacks as ours",
}
USE = """
assert callbacks.MINE == "their own", callbacks
import keras
from recipes.tuning.model import decay_callbacks

scheme = ours.CosineDecay(1.0, decay_steps=100) * ours.get("step_lr", step_size=10, per="step")
assert scheme.value(50) == 0.5 * scheme.schedulers[1].value(50)
copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(scheme))
assert type(copy) is ours.ChainedScheduler
(decay,) = decay_callbacks({"decay": "cosine_decay", "learning_rate": 0.1}, 10)
assert type(decay) is ours.CosineDecay
"""


@pytest.mark.parametrize(
    "order", ["ours first", pytest.param("theirs first", marks=pytest.mark.slow)]
)
def test_a_script_beside_callbacks_of_its_own_has_both(tmp_path, order):
    (tmp_path / "callbacks.py").write_text('MINE = "their own"\n')
    script = tmp_path / "script.py"
    script.write_text(f"{ORDERS[order]}\n{USE}")
    result = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(recipes.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_both_names_give_the_same_where_nothing_is_in_the_way():
    from recipes import callbacks as found

    assert found.lookup is callbacks.lookup
    assert found.__all__ == callbacks.__all__
    for name in callbacks.__all__:
        assert getattr(found, name) is getattr(callbacks, name), name
