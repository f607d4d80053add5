"""What a plateau has seen: inside other schemes, and through a restart."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.fitting import Killed, fit, kill_at, linear_model


def plateau(**options):
    """Cuts after each epoch but the first: the loss falls, and more is meant to be better."""
    return callbacks.ReduceLROnPlateau("loss", mode="max", patience=0, factor=0.5, **options)


# Schemes with a plateau in them, and the rates of four epochs that begin with 0.4.
INSIDE = {
    "warm-up": (lambda: callbacks.Warmup(plateau(), 1, start=0.5), [0.2, 0.4, 0.4, 0.2]),
    "overlay": (
        lambda: callbacks.Warmup(plateau(), 1, start=0.5, overlay=True),
        [0.2, 0.4, 0.2, 0.1],
    ),
    "sequence": (
        lambda: callbacks.SequentialLR([callbacks.ConstantLR(0.5, 9), plateau()], [1]),
        [0.2, 0.4, 0.4, 0.2],
    ),
    "product": (
        lambda: callbacks.StepLR(2, gamma=0.1) * plateau(),
        [0.4, 0.4, 0.02, 0.01],
    ),
    "another plateau": (lambda: plateau(scheduler=plateau()), [0.4, 0.4, 0.1, 0.025]),
    "two floors": (
        lambda: callbacks.Warmup(
            callbacks.SequentialLR([plateau(), callbacks.ConstantLR(0.5, 9)], [2]), 1, start=0.5
        ),
        [0.2, 0.4, 0.4, 0.2],
    ),
    "greedy": (
        lambda: callbacks.Warmup(
            callbacks.GreedyLR("loss", mode="min", patience=0, factor=0.5), 1, start=0.5
        ),
        [0.2, 0.4, 0.8, 1.0],
    ),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_plateau_inside_another_scheme_cuts(name):
    make, expected = INSIDE[name]
    _, history = fit(linear_model(keras.optimizers.SGD(0.4)), make(), 4)
    np.testing.assert_allclose(history.history["learning_rate"], expected, rtol=1e-6)


def test_a_plateau_in_epochs_below_a_warm_up_in_steps():
    scheme = callbacks.Warmup(plateau(), 4, per="step")
    watch, _ = fit(linear_model(keras.optimizers.SGD(0.4)), scheme, 4)
    expected = [0, 0.1, 0.2, 0.3] + [0.4] * 8 + [0.2] * 4
    np.testing.assert_allclose(watch.rates, expected, rtol=1e-6)


def test_a_plateau_inside_another_scheme_is_judged_as_early():
    scheme = callbacks.Warmup(callbacks.ReduceLROnPlateau("nonsense"), 1)
    model = linear_model(keras.optimizers.SGD(0.4))
    with pytest.raises(ValueError, match=r"^mode: which way 'nonsense' gets better"):
        fit(model, scheme, 4)
    assert int(model.optimizer.iterations) == 1
    scheme = callbacks.Warmup(callbacks.ReduceLROnPlateau("val_loss"), 1)
    with pytest.raises(ValueError, match=r"^monitor: ReduceLROnPlateau needs 'val_loss'"):
        fit(linear_model(keras.optimizers.SGD(0.4)), scheme, 4)


SCHEMES = {
    "alone": plateau,
    "patient": lambda: callbacks.ReduceLROnPlateau("loss", mode="max", patience=2, factor=0.5),
    "cooling": lambda: callbacks.ReduceLROnPlateau(
        "loss", mode="max", patience=0, factor=0.5, cooldown=2
    ),
    "over a scheme": lambda: plateau(scheduler=callbacks.CosineDecay(0.4)),
    "greedy": lambda: callbacks.GreedyLR("loss", patience=1, factor=0.5, warmup=1, window_size=3),
    **{name: INSIDE[name][0] for name in ("another plateau", "two floors")},
}


@pytest.mark.parametrize("first", ["scheme", "backup"])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_restart_forgets_nothing(tmp_path, name, first):
    def run(epochs=7, more=()):
        scheme = SCHEMES[name]()
        keeper = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        order = [scheme, keeper] if first == "scheme" else [keeper, scheme]
        _, history = fit(
            linear_model(keras.optimizers.SGD(0.4)), order[0], epochs, [order[1], *more]
        )
        return history.history["learning_rate"]

    whole = run()
    with pytest.raises(Killed):
        run(more=[kill_at(4)])
    np.testing.assert_allclose(run(), whole[4:], rtol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_a_saved_model_remembers_what_the_plateau_saw(tmp_path, suffix):
    file = tmp_path / f"model{suffix}"
    whole = fit(linear_model(keras.optimizers.SGD(0.4)), plateau(), 6)[1].history["learning_rate"]
    model = linear_model(keras.optimizers.SGD(0.4))
    fit(model, plateau(), 3)
    if suffix == ".keras":
        model.save(file)
        model = keras.models.load_model(file)
    else:
        model.save_weights(file)
        model = linear_model(keras.optimizers.SGD(0.4))
        model.optimizer.build(model.trainable_variables)
        model.load_weights(file)
    scheme = plateau(learning_rate=0.4)
    scheme.recall(file)
    rates = fit(model, scheme, 3)[1].history["learning_rate"]
    np.testing.assert_allclose(rates, whole[3:], rtol=1e-6)


@pytest.mark.parametrize("recalls", ["plateau", "whole"])
def test_a_plateau_in_another_scheme_recalls_too(tmp_path, recalls):
    def scheme(**options):
        inner = plateau(**options)
        return inner, callbacks.Warmup(inner, 1, start=0.5)

    whole = fit(linear_model(keras.optimizers.SGD(0.4)), scheme()[1], 7)[1].history["learning_rate"]
    model = linear_model(keras.optimizers.SGD(0.4))
    fit(model, scheme()[1], 4)
    model.save(tmp_path / "model.keras")
    inner, outer = scheme(learning_rate=0.4)
    (inner if recalls == "plateau" else outer).recall(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    rates = fit(loaded, outer, 7, initial_epoch=4)[1].history["learning_rate"]
    np.testing.assert_allclose(rates, whole[4:], rtol=1e-6)


def test_each_of_two_plateaus_recalls_what_it_saw(tmp_path):
    def two(**options):
        slow = callbacks.ReduceLROnPlateau("loss", mode="max", patience=2, factor=0.1, **options)
        fast = callbacks.ReduceLROnPlateau("loss", mode="max", patience=0, factor=0.5)
        return slow * fast

    whole = fit(linear_model(keras.optimizers.SGD(0.4)), two(), 7)[1].history["learning_rate"]
    model = linear_model(keras.optimizers.SGD(0.4))
    fit(model, two(), 4)
    model.save(tmp_path / "model.keras")
    scheme = two(learning_rate=0.4)
    scheme.recall(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    rates = fit(loaded, scheme, 7, initial_epoch=4)[1].history["learning_rate"]
    np.testing.assert_allclose(rates, whole[4:], rtol=1e-6)
    assert len(set(whole[4:])) > 1


@pytest.mark.parametrize("first", ["lead", "backup"])
def test_a_plateau_of_another_number_forgets_nothing(tmp_path, first):
    def run(more=(), backup="backup"):
        model = linear_model(callbacks.CyclicMomentumSGD(0.4, momentum=0.0, weight_decay=0.1))
        scheme = callbacks.ReduceLROnPlateau("loss", mode="max", patience=1, factor=0.5)
        keeper = keras.callbacks.BackupAndRestore(tmp_path / backup)
        order = [callbacks.Lead("weight_decay", scheme), keeper]
        order = order if first == "lead" else order[::-1]
        return model, fit(model, order[0], 7, [order[1], *more])[1].history

    _, whole = run(backup="whole")
    with pytest.raises(Killed):
        run([kill_at(4)])
    model, rest = run()
    np.testing.assert_allclose(rest["weight_decay"], whole["weight_decay"][4:], rtol=1e-6)
    assert len(set(rest["weight_decay"])) > 1
    model.save(tmp_path / "model.keras")
    scheme = callbacks.ReduceLROnPlateau("loss", mode="max", factor=0.5, learning_rate=0.1)
    scheme.recall(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    history = fit(loaded, callbacks.Lead("weight_decay", scheme), 1)[1].history
    assert history["weight_decay"][0] < 0.1 * 0.5**2
    scheme.recall(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="holds 0 memories of a plateau that led 'learning_rate'"):
        fit(loaded, scheme, 1)


def test_a_file_of_another_training_takes_nothing_from_a_plateau(tmp_path):
    plain = linear_model(keras.optimizers.SGD(0.4))
    fit(plain, callbacks.ConstantLR(1.0), 1)
    plain.save_weights(tmp_path / "plain.weights.h5")
    model, scheme = linear_model(keras.optimizers.SGD(0.4)), plateau()
    fit(model, scheme, 2)
    model.load_weights(tmp_path / "plain.weights.h5")
    assert scheme.cut == 0.5


def test_a_file_without_a_memory_is_said_to_have_none_and_loads_as_ever(tmp_path):
    model = linear_model(keras.optimizers.Adam(0.4))
    fit(model, callbacks.StepLR(3), 1)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"^path: .* holds no memory of a plateau"):
        plateau().recall(tmp_path / "model.keras")
    with pytest.raises(FileNotFoundError):
        plateau().recall(tmp_path / "nothing.keras")


def test_the_memory_is_no_variable_and_a_model_loads_without_it(tmp_path):
    """The file is one that Keras reads without this library, with the optimizer's state."""
    model, plain = (linear_model(keras.optimizers.Adam(0.4)) for _ in range(2))
    fit(model, plateau(), 2)
    fit(plain, callbacks.ConstantLR(1.0), 2)
    assert len(model.optimizer.variables) == len(plain.optimizer.variables)
    assert len(model.variables) == len(plain.variables)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
    fit(loaded, plateau(learning_rate=0.4), 1)


def test_another_training_begins_without_the_memory_of_the_last(tmp_path):
    scheme = plateau()
    for _ in range(2):
        _, history = fit(linear_model(keras.optimizers.SGD(0.4)), scheme, 3)
        np.testing.assert_allclose(history.history["learning_rate"], [0.4, 0.4, 0.2], rtol=1e-6)


def test_keras_names(capsys):
    scheme = callbacks.ReduceLROnPlateau(
        monitor="loss",
        factor=0.5,
        patience=0,
        verbose=1,
        mode="min",
        min_delta=100.0,
        cooldown=1,
        min_lr=0.05,
    )
    _, history = fit(linear_model(keras.optimizers.SGD(0.4)), scheme, 6)
    np.testing.assert_allclose(history.history["learning_rate"][:3], [0.4, 0.4, 0.2], rtol=1e-6)
    assert min(history.history["learning_rate"]) >= 0.05
    out = capsys.readouterr().out
    assert "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.2." in out
