"""The plateau in `fit`: its cuts, the scheme below it, and the metric that it needs."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.fitting import fit, linear_model


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
    with pytest.raises(ValueError, match=r"monitor: .*'val_loss', the logs have .*loss"):
        fit(linear_model(keras.optimizers.SGD(0.5)), callbacks.ReduceLROnPlateau())
