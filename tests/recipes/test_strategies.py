import keras
import numpy as np
import pytest

import callbacks
from recipes.strategies import STRATEGIES, WAYS, FineTuneStrategy, Phase, get, names
from recipes.transfer import model as transfer_model
from recipes.transfer.optimizer import StagewiseAdam
from recipes.transfer.state import to_numpy
from tests.recipes.transfer.tiny import SIDE, build_tiny

ALL = {**STRATEGIES, **WAYS}


@pytest.mark.parametrize("name", ALL)
def test_a_strategy_survives_its_dictionary(name):
    assert FineTuneStrategy.from_dict(ALL[name].to_dict()) == ALL[name]


@pytest.mark.parametrize("name", ALL)
def test_the_classifier_is_trained_before_what_lies_below_it(name):
    strategy = ALL[name]
    if strategy.weights == "pretrained" and strategy.phases:
        assert strategy.phases[0].trainable_from == 1.0
    for phase in strategy.phases:
        assert phase.decay in callbacks.names()


def test_names_are_those_that_get_takes():
    for name in names():
        if name not in ("auto", "race"):
            assert get(name).name == name
    with pytest.raises(ValueError, match="Did you mean 'small_similar'"):
        get("small-similer")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"trainable_from": 1.2}, "trainable_from: 1.2"),
        ({"epochs": 0}, "epochs: 0"),
        ({"learning_rate": 0.0}, "learning_rate: 0.0"),
        ({"warmup": 1.0}, "warmup: 1.0"),
    ],
)
def test_unusable_phases_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Phase(
            **{"name": "x", "trainable_from": 0.5, "epochs": 1, "learning_rate": 0.1, **arguments}
        )


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


def test_weights_are_checked_before_any_is_set():
    transfer = transfer_model.build("efficientnet_lite0", 3, weights=None, image_size=32)
    arrays = transfer.arrays()
    before = transfer.model.get_weights()
    last = sorted(arrays)[-1]
    for broken, text in [
        ({**arrays, "9999 more": np.zeros(1)}, "arrays came for a model of"),
        ({**arrays, last: np.zeros(7, "float32")}, "has the shape"),
        ({**arrays, last: arrays[last] * np.nan}, "not finite"),
    ]:
        with pytest.raises(ValueError, match=text):
            transfer.assign(broken)
    for one, other in zip(before, transfer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "no_such"},
        {"image_size": [64]},
        {"image_size": [100_000, 100_000]},
        {"num_classes": 10**9},
        {"num_classes": "many"},
        {"dropout": None},
    ],
)
def test_a_description_from_a_stranger_is_checked(change):
    transfer = {
        "backbone": "efficientnet_lite0",
        "image_size": [32, 32],
        "num_classes": 3,
        "dropout": 0.2,
    }
    with pytest.raises(ValueError, match=r"model:|backbone"):
        transfer_model.from_dict({**transfer, **change})
