"""Schemes of schemes: their units, their milestones, the base rate that they share."""

import keras
import numpy as np
import pytest

import callbacks


def test_milestones_must_match():
    members = [callbacks.StepLR(3), callbacks.LinearLR()]
    for milestones in ([], [1, 2], [0], [-1]):
        with pytest.raises(ValueError, match="milestones"):
            callbacks.SequentialLR(members, milestones)
    three = [*members, callbacks.StepLR(3)]
    with pytest.raises(ValueError, match="milestones"):
        callbacks.SequentialLR(three, [0.5, 0.25]).over(8)


def test_a_warm_up_before_a_scheme_with_its_own_rate_goes_on_with_a_used_optimizer():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    x, y = np.ones((8, 2)), np.ones((8, 1))
    for _ in range(2):
        scheme = callbacks.Warmup(callbacks.CosineDecay(0.5, decay_steps=10), steps=3)
        history = model.fit(x, y, batch_size=4, verbose=0, callbacks=[scheme])
    assert history.history["learning_rate"][-1] == pytest.approx(0.5)
    scheme = callbacks.Warmup(callbacks.StepLR(3, per="step"), steps=3)
    with pytest.raises(ValueError, match="give learning_rate"):
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[scheme])
