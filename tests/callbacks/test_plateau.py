"""The plateau in `fit`: its cuts, the scheme below it, and the metric that it needs."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.fitting import X, fit, linear_model


def test_a_cut_of_the_plateau_multiplies_the_scheme_and_stays():
    plateau = callbacks.ReduceLROnPlateau(
        "loss",
        mode="max",
        patience=1,
        factor=0.1,
        scheduler=callbacks.ExponentialDecay(0.5, 4, 0.5),
    )
    watch, history = fit(linear_model(keras.optimizers.SGD(0.5)), plateau, epochs=4)
    # The loss only falls, so "max" cuts after the third epoch: one best, two bad.
    cuts = [1] * 12 + [0.1] * 4
    expected = [0.5 * 0.5 ** (t / 4) * cut for t, cut in enumerate(cuts)]
    np.testing.assert_allclose(watch.rates, expected, rtol=1e-6)
    replayed = callbacks.ReduceLROnPlateau.from_config(plateau.get_config())
    replayed.replay(history.history["loss"], history.history["learning_rate"])
    assert replayed.value(16) == pytest.approx(plateau.value(16))


def test_the_plateau_names_the_metrics_there_are():
    with pytest.raises(ValueError, match=r"monitor: .*'val_loss'; the logs have .*loss"):
        fit(linear_model(keras.optimizers.SGD(0.5)), callbacks.ReduceLROnPlateau())


def test_a_factor_of_0_is_pytorchs():
    torch = pytest.importorskip("torch")
    metrics = [3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    options = {"factor": 0.0, "patience": 1, "min_lr": 0.01}
    theirs, rates = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options), [0.5]
    for metric in metrics:
        theirs.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    ours = callbacks.ReduceLROnPlateau(learning_rate=0.5, **options).replay(metrics)
    assert ours["learning_rate"].tolist() == rates
    assert rates[-1] == 0.01


def told(metrics, monitor="val_accuracy"):
    """A callback that writes a metric into the logs; None leaves it out, as without validation."""

    def write(epoch, logs):
        if metrics[epoch] is not None:
            logs[monitor] = metrics[epoch]

    return keras.callbacks.LambdaCallback(on_epoch_end=write)


def rates_of(plateau, metrics, monitor="val_accuracy"):
    model = linear_model(keras.optimizers.SGD(0.5))
    callbacks_ = [told(metrics, monitor), plateau]
    history = model.fit(X, X, epochs=len(metrics), verbose=0, callbacks=callbacks_)
    return history.history["learning_rate"]


def test_a_rising_accuracy_is_no_plateau():
    for mode in ("auto", "max"):
        plateau = callbacks.ReduceLROnPlateau("val_accuracy", mode=mode, patience=1, factor=0.5)
        assert rates_of(plateau, [0.1, 0.2, 0.4, 0.6, 0.8]) == [0.5] * 5
    falling = callbacks.ReduceLROnPlateau("val_accuracy", patience=1, factor=0.5)
    assert rates_of(falling, [0.8, 0.6, 0.4, 0.2]) == [0.5, 0.5, 0.5, 0.25]


def test_epochs_without_the_metric_are_not_counted():
    plateau = callbacks.ReduceLROnPlateau("val_accuracy", patience=1, factor=0.5)
    metrics = [None, 0.5, None, 0.5, None, 0.5, None]
    assert rates_of(plateau, metrics) == [0.5] * 6 + [0.25]


@pytest.mark.parametrize("validation_freq", [2, 3, [2, 5]])
def test_validation_in_some_epochs_only_is_taken(validation_freq):
    plateau = callbacks.ReduceLROnPlateau(mode="max", patience=0, factor=0.5)
    _, history = fit(
        linear_model(keras.optimizers.SGD(0.5)),
        plateau,
        epochs=6,
        validation_data=(X, X),
        validation_freq=validation_freq,
    )
    # The loss only falls: each validation after the first is a cut, of the epochs after it.
    times = validation_freq
    seen = times if isinstance(times, list) else range(times, 7, times)
    expected = [0.5 * 0.5 ** sum(e < epoch for e in seen[1:]) for epoch in range(1, 7)]
    np.testing.assert_allclose(history.history["learning_rate"], expected)


@pytest.mark.parametrize(
    ("monitor", "options"), [("val_los", {"validation_data": (X, X)}), ("los", {})]
)
def test_a_misspelt_metric_ends_training_after_the_first_epoch(monitor, options):
    model = linear_model(keras.optimizers.SGD(0.5))
    plateau = callbacks.ReduceLROnPlateau(monitor, mode="min")
    with pytest.raises(ValueError, match=rf"^monitor: .*'{monitor}'; the logs have .*loss"):
        fit(model, plateau, epochs=9, **options)
    assert int(model.optimizer.iterations) == 4
