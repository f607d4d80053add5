"""What every scheme can: be inside others, be copied, be a table; and the shapes of curves."""

import json
import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import callbacks
from tests.callbacks.cases import EXAMPLES

STEPS = range(12)


def example(name):
    """The example, with a base rate of its own."""
    config = EXAMPLES[name]().get_config()
    config["learning_rate"] = config["learning_rate"] or 0.5
    return getattr(callbacks, name).from_config(config)


def curve(scheme, start=0):
    return [scheme.value(start + step) for step in STEPS]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_scheme_pickles(name):
    scheme = example(name)
    copy = pickle.loads(pickle.dumps(scheme))
    assert type(copy) is type(scheme)
    assert curve(copy) == curve(scheme)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_scheme_goes_through_json(name):
    scheme = example(name)
    text = json.dumps(keras.saving.serialize_keras_object(scheme))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert curve(copy) == curve(scheme)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"GreedyLR", "ReduceLROnPlateau"}))
def test_as_a_schedule_it_is_the_same_in_a_graph(name):
    import tensorflow as tf

    scheme = example(name)
    if scheme.drives_momentum:
        scheme.cycle_momentum = False
    schedule = scheme.as_schedule(len(STEPS), steps_per_epoch=1)
    expected = np.array(curve(scheme), "float32")
    eager = [float(schedule(step)) for step in STEPS]
    graph = tf.function(lambda steps: tf.map_fn(schedule, steps, tf.float32))
    np.testing.assert_array_equal(eager, expected)
    np.testing.assert_array_equal(graph(tf.constant(STEPS)), expected)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_scheme_works_inside_others(name):
    scheme, alone = example(name), curve(example(name))
    units = {"learning_rate": scheme.learning_rate, "per": scheme.per}
    after = callbacks.SequentialLR(
        [callbacks.ConstantSchedule(**units), scheme], milestones=[5], per=scheme.per
    )
    assert curve(after, start=5) == alone
    assert after.value(4) == scheme.base
    noisy = callbacks.NoisyLR(scheme, noise_range_t=(2, 4))
    assert [noisy.value(step) == alone[step] for step in range(6)] == [
        step not in (2, 3) or alone[step] == 0 for step in range(6)
    ]
    chain = scheme * callbacks.ConstantLR(0.5, 99, per=scheme.per)
    np.testing.assert_allclose(curve(chain), np.array(alone) / 2 if scheme.base else 0.0)
    plateau = callbacks.ReduceLROnPlateau("loss", scheduler=scheme)
    assert curve(plateau) == alone


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"ReduceLROnPlateau"}))
def test_a_warm_up_leads_to_the_first_rate(name):
    scheme, alone = example(name), curve(example(name))
    warm = callbacks.Warmup(scheme, steps=4)
    assert curve(warm, start=4) == alone
    np.testing.assert_allclose([warm.value(step) for step in range(4)], alone[0] * np.arange(4) / 4)


def drawn(**parameters):
    return st.fixed_dictionaries(parameters)


count = st.integers(1, 120)
UNTIL = {"num_warmup_steps": st.integers(0, 80), "num_training_steps": st.integers(100, 250)}
CYCLE = {"t_initial": count, "lr_min": st.floats(0, 0.01)}
# Parameters, and the step up to which the curve that they make rises and after which it falls.
SHAPES = {
    "SWALR": (drawn(swa_lr=st.floats(0, 0.01), anneal_epochs=count), lambda p: 0),
    "FlatCosine": (drawn(total_steps=count, pct_start=st.floats(0, 1)), lambda p: 0),
    "LinearScheduleWithWarmup": (drawn(**UNTIL), lambda p: p["num_warmup_steps"]),
    "CosineScheduleWithWarmup": (drawn(**UNTIL), lambda p: p["num_warmup_steps"]),
    "PolynomialDecayScheduleWithWarmup": (
        drawn(**UNTIL, power=st.floats(0.1, 3)),
        lambda p: p["num_warmup_steps"],
    ),
    "ConstantScheduleWithWarmup": (
        drawn(num_warmup_steps=st.floats(1, 90)),
        lambda p: int(np.ceil(p["num_warmup_steps"])),
    ),
    "InverseSqrtSchedule": (drawn(num_warmup_steps=count), lambda p: p["num_warmup_steps"]),
    "NoamDecay": (drawn(d_model=count, warmup_steps=count), lambda p: p["warmup_steps"]),
    "WSDSchedule": (
        drawn(
            num_warmup_steps=count,
            num_decay_steps=count,
            num_stable_steps=count,
            warmup_type=st.sampled_from(["linear", "cosine", "1-sqrt"]),
            decay_type=st.sampled_from(["linear", "cosine", "1-sqrt"]),
            min_lr_ratio=st.floats(0, 1),
        ),
        lambda p: p["num_warmup_steps"],
    ),
    "TriStageLRSchedule": (
        drawn(warmup_steps=count, hold_steps=count, decay_steps=count),
        lambda p: p["warmup_steps"],
    ),
    "CosineLRScheduler": (drawn(**CYCLE, k_decay=st.floats(0.2, 3)), lambda p: 0),
    "TanhLRScheduler": (drawn(**CYCLE, lb=st.floats(-8, -6), ub=st.floats(0, 5)), lambda p: 0),
    "PolyLRScheduler": (drawn(**CYCLE, power=st.floats(0.1, 3)), lambda p: 0),
    "StepLRScheduler": (drawn(decay_t=count, decay_rate=st.floats(0, 1)), lambda p: 0),
    "WSDLRScheduler": (
        drawn(
            t_initial=st.integers(100, 200),
            decay_t=st.integers(1, 99),
            warmup_t=count,
            stable_fn=st.sampled_from(["constant", "rsqrt", "power"]),
            decay_fn=st.sampled_from(["linear", "cosine", "1-sqrt", "power", "exp"]),
        ),
        lambda p: p["warmup_t"],
    ),
    "ExponentialTransition": (
        drawn(transition_steps=count, decay_rate=st.floats(0, 1), transition_begin=count),
        lambda p: 0,
    ),
    "InvDecay": (drawn(gamma=st.floats(0, 5), power=st.floats(0, 3)), lambda p: 0),
    "SigmoidDecay": (drawn(gamma=st.floats(-1, 0), stepsize=count), lambda p: 0),
}


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), base=st.floats(0.02, 1))
def test_a_curve_rises_in_its_warm_up_and_then_falls(name, data, base):
    parameters, peak_of = SHAPES[name]
    params = data.draw(parameters)
    scheme = callbacks.get(name, learning_rate=base, **params)
    peak, last = peak_of(params), params.get("num_training_steps", 400)
    rates = np.array([scheme.value(step) for step in range(last + 1)])
    assert np.isfinite(rates).all()
    assert (np.diff(rates[: peak + 1]) >= -1e-12).all()
    assert (np.diff(rates[peak:]) <= 1e-12).all()
    if name not in ("NoamDecay", "SigmoidDecay"):
        assert rates[peak] == pytest.approx(base)


ENDS = {
    "SWALR": ({"swa_lr": 0.3, "anneal_epochs": 7}, 7, 0.3),
    "FlatCosine": ({"total_steps": 9, "div_final": 10.0}, 9, 0.05),
    "LinearScheduleWithWarmup": ({"num_warmup_steps": 2, "num_training_steps": 9}, 9, 0.0),
    "CosineScheduleWithWarmup": (
        {"num_warmup_steps": 2, "num_training_steps": 9, "min_lr": 0.1},
        9,
        0.1,
    ),
    "CosineWithMinLRScheduleWithWarmupLRRate": (
        {"num_warmup_steps": 2, "num_training_steps": 9, "min_lr": 0.1},
        8,
        0.1,
    ),
    "PolynomialDecayScheduleWithWarmup": (
        {"num_warmup_steps": 2, "num_training_steps": 9, "lr_end": 0.1},
        9,
        0.1,
    ),
    "WSDSchedule": (
        {"num_warmup_steps": 2, "num_training_steps": 9, "num_decay_steps": 3, "min_lr_ratio": 0.4},
        9,
        0.2,
    ),
    "WSDLRScheduler": ({"t_initial": 9, "decay_t": 3, "warmup_t": 2, "lr_min": 0.1}, 11, 0.1),
    "TriStageLRSchedule": ({"decay_steps": 9, "final_lr_scale": 0.2}, 9, 0.1),
    "CosineLRScheduler": ({"t_initial": 5, "cycle_limit": 2, "lr_min": 0.1}, 10, 0.1),
    "TanhLRScheduler": ({"t_initial": 5, "lr_min": 0.1}, 5, 0.1),
    "PolyLRScheduler": (
        {"t_initial": 8, "cycle_mul": 0.5, "cycle_limit": 9, "lr_min": 0.1},
        16,
        0.1,
    ),
    "PiecewiseInterpolate": (
        {"interpolate_type": "linear", "boundaries_and_scales": {4: 2.0, 9: 0.1}},
        9,
        0.1,
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_curve_ends_where_it_is_to_and_stays_there(name):
    params, last, rate = ENDS[name]
    scheme = callbacks.get(name, learning_rate=0.5, **params)
    assert scheme.value(last - 1) != pytest.approx(rate)
    assert scheme.value(last) == pytest.approx(rate)
    if not name.startswith("Cosine") or name == "CosineLRScheduler":
        assert scheme.value(last + 30) == pytest.approx(rate)


@settings(max_examples=60, deadline=None)
@given(
    knots=st.dictionaries(st.integers(0, 200), st.floats(0, 2), max_size=6),
    way=st.sampled_from(["linear", "cosine"]),
)
def test_interpolation_stays_between_its_knots_and_meets_them(knots, way):
    scheme = callbacks.PiecewiseInterpolate(way, knots, learning_rate=0.5)
    steps = sorted(knots)
    products = np.cumprod([0.5, *(knots[step] for step in steps)])
    heights = dict(zip([0, *steps], products, strict=True))
    rates = [scheme.value(step) for step in range(250)]
    for knot, height in heights.items():
        assert rates[knot] == pytest.approx(height, abs=1e-12)
    low, high = min(heights.values()), max(0.5, *heights.values())
    assert low - 1e-12 <= min(rates) <= max(rates) <= high + 1e-12


@settings(max_examples=60, deadline=None)
@given(
    max_lr=st.floats(0.1, 1),
    period=st.integers(2, 80),
    shrink=st.floats(0, 1),
    shrink_min=st.booleans(),
)
def test_triangles_stay_between_their_rates(max_lr, period, shrink, shrink_min):
    scheme = callbacks.TriangularLRSchedule(
        max_lr, period, lr_shrink=shrink, shrink_min=shrink_min, learning_rate=0.05
    )
    rates = np.array([scheme.value(step) for step in range(200)])
    assert np.isfinite(rates).all()
    assert rates[0] == 0.05
    assert rates.max() == pytest.approx(max_lr)
    assert rates.min() >= 0
