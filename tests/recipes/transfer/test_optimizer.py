import keras
import numpy as np
import pytest

from recipes.strategies import Phase
from recipes.transfer.optimizer import StagewiseAdam
from recipes.transfer.state import to_numpy
from tests.recipes.transfer.tiny import SIDE, build_tiny


def test_earlier_stages_learn_more_slowly_and_the_optimizer_survives_saving(tmp_path):
    transfer = build_tiny(dropout=0.0)
    phase = Phase("all", 0.0, 1, 1e-2, stage_factor=0.5, update_batch_norm=True)
    transfer.set_trainable(phase)
    factors = transfer.rate_factors(phase)
    assert factors["predictions/kernel"] == 1
    assert factors["conv2/kernel"] == 0.5
    assert factors["conv0/kernel"] == 0.125
    model = transfer.model
    model.compile(StagewiseAdam(1e-2, rate_factors=factors), "sparse_categorical_crossentropy")
    before = {v.path: to_numpy(v) for v in model.trainable_variables}
    x = np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3)).astype("float32")
    model.train_on_batch(x, np.arange(8) % 3)
    for variable in model.trainable_variables:  # Adam's first step is the rate itself
        step = np.abs(to_numpy(variable) - before[variable.path]).max()
        assert step == pytest.approx(1e-2 * factors[variable.path], rel=0.02), variable.path
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.rate_factors == factors
    for either in (model, loaded):
        either.train_on_batch(x, np.arange(8) % 3)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(to_numpy(one), to_numpy(other), atol=1e-5)
