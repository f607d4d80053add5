"""Schemes whose reference does not install, against the formula that it publishes; and Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import callbacks

STEPS = np.arange(300)
rate = st.floats(1e-3, 1.0)


def fastai_flat_cosine(t, b, total_steps, pct_start, div_final):
    """`combine_scheds([p, 1 - p], [SchedCos(b, b), SchedCos(b, b / d)])`, at the share done."""
    position = np.clip((np.minimum(t / total_steps, 1) - pct_start) / (1 - pct_start), 0, 1)
    return b + (1 + np.cos(np.pi * (1 - position))) * (b / div_final - b) / 2


# Caffe's sgd_solver.cpp and Darknet's network.c; fastai's schedule.py.
FORMULAS = {
    "InvDecay": (
        st.fixed_dictionaries({"gamma": st.floats(0, 10), "power": st.floats(-1, 3)}),
        lambda t, b, gamma, power: b * np.power(1 + gamma * t, -power),
    ),
    "SigmoidDecay": (
        st.fixed_dictionaries({"gamma": st.floats(-1, 1), "stepsize": st.integers(0, 300)}),
        lambda t, b, gamma, stepsize: b * (1 / (1 + np.exp(-gamma * (t - stepsize)))),
    ),
    "FlatCosine": (
        st.fixed_dictionaries(
            {
                "total_steps": st.integers(1, 250),
                "pct_start": st.floats(0, 0.99),
                "div_final": st.floats(1, 1e5),
            }
        ),
        fastai_flat_cosine,
    ),
    "RandomDecay": (st.just({"power": 2.0}), None),  # of which the distribution is known
}


@pytest.mark.parametrize("name", sorted(set(FORMULAS) - {"RandomDecay"}))
@settings(max_examples=40, deadline=None)
@given(data=st.data(), base=rate)
def test_the_curve_is_the_published_formula(name, data, base):
    parameters, formula = FORMULAS[name]
    params = data.draw(parameters)
    scheme = callbacks.get(name, learning_rate=base, **params)
    ours = [scheme.value(int(step)) for step in STEPS]
    np.testing.assert_allclose(ours, formula(STEPS, base, **params), rtol=1e-9, atol=1e-13 * base)


def test_darknets_sigmoid_falls_and_caffes_rises():
    caffe = callbacks.get("sigmoid", gamma=0.1, stepsize=50, learning_rate=1.0)
    darknet = callbacks.get("sigmoid", gamma=-0.1, stepsize=50, learning_rate=1.0)
    rising = caffe.to_frame(100)["learning_rate"]
    assert rising.is_monotonic_increasing
    assert (rising + darknet.to_frame(100)["learning_rate"]).tolist() == pytest.approx([1] * 100)


@pytest.mark.parametrize("power", [0.0, 1.0, 4.0])
def test_random_rates_have_the_distribution_of_a_power_of_a_uniform_number(power):
    draws = callbacks.RandomDecay(power, learning_rate=0.5).to_frame(4000)["learning_rate"] / 0.5
    for level in (0.1, 0.5, 0.9):
        expected = level ** (1 / power) if power else 0.0
        assert (draws < level).mean() == pytest.approx(expected, abs=0.03)
    same = callbacks.RandomDecay(power, learning_rate=0.5).to_frame(4000)["learning_rate"] / 0.5
    assert same.equals(draws)
    if power:
        other = callbacks.RandomDecay(power, seed=1, learning_rate=0.5).to_frame(4000)
        assert not (other["learning_rate"] / 0.5).equals(draws)


@settings(max_examples=20, deadline=None)
@given(
    start=st.floats(0, 1),
    target=st.none() | st.floats(0, 1),
    decay_steps=st.integers(1, 200),
    warmup_steps=st.integers(0, 80),
    alpha=st.floats(-0.5, 1),
)
def test_cosine_decay_with_a_warm_up_is_kerass(start, target, decay_steps, warmup_steps, alpha):
    names = {"warmup_target": target, "warmup_steps": warmup_steps}
    ours = callbacks.CosineDecay(start, decay_steps, alpha, **names)
    theirs = keras.optimizers.schedules.CosineDecay(start, decay_steps, alpha, **names)
    steps = range(0, 300, 7)
    found = [float(theirs(step)) for step in steps]  # in float32
    np.testing.assert_allclose([ours.value(step) for step in steps], found, rtol=1e-5, atol=1e-6)
