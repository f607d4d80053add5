from functools import partial

import numpy as np
import pytest

import recipes
from tests.recipes.wine import HALVES

build = partial(recipes.mlp, 13, 3, units=(8,))


def test_rates_scale_with_the_batch():
    assert recipes.scale_learning_rate(0.1, 256, 1024) == pytest.approx(0.4)
    assert recipes.scale_learning_rate(0.1, 256, 64, "sqrt") == pytest.approx(0.05)
    assert recipes.steps_per_epoch(1000, 1000) == 1
    assert recipes.steps_per_epoch(1001, 1000) == 2
    with pytest.raises(ValueError, match="Did you mean 'linear'"):
        recipes.scale_learning_rate(0.1, 1, 2, "liner")
    with pytest.raises(ValueError, match="batch_size"):
        recipes.steps_per_epoch(10, 0)


def test_a_batch_size_study_takes_each_size_and_scales_the_rate():
    table = recipes.batch_size_study(
        build, [8, 32], *HALVES, learning_rate=0.01, rule="sqrt", seeds=2, epochs=1, verbose=False
    )
    assert table["batch_size"].tolist() == [8, 8, 32, 32]
    assert table["learning_rate"].tolist() == pytest.approx([0.01, 0.01, 0.02, 0.02])
    assert table["steps"].tolist() == [12, 12, 3, 3]


def test_the_advice_is_the_knee_of_what_was_measured_and_memory_is_respected():
    model = recipes.cnn((16, 16, 3), 3, widths=(8,), seed=0)
    before = model.get_weights()
    x, y = np.random.default_rng(0).uniform(0, 255, (20, 16, 16, 3)), np.arange(20) % 3
    advice = recipes.suggest_batch_size(model, x, y, largest=64, repeats=3)
    table = advice.table.set_index("batch_size")["samples_per_second"]
    assert table.index.tolist() == [8, 16, 32, 64]
    expected = table[table >= 0.9 * table.max()].index[0]
    assert advice.batch_size == expected
    assert str(expected) in advice.reason
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    tight = recipes.suggest_batch_size(model, x, y, largest=64, memory_limit=1)
    assert tight.table["batch_size"].tolist() == [8]
    assert "16 would not fit" in tight.reason
    with pytest.raises(ValueError, match="largest"):
        recipes.suggest_batch_size(model, x, y, smallest=16, largest=8)
