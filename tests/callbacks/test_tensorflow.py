"""TensorFlow's family against TensorFlow itself, over every value that it takes."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import callbacks

pytestmark = pytest.mark.tensorflow_only
STEPS = np.arange(400)


def drawn(**parameters):
    return st.fixed_dictionaries(parameters)


steps = st.integers(1, 300) | st.floats(0.5, 300)
any_number = st.floats(-2, 2)
CASES = {
    "exponential_decay": drawn(
        decay_steps=st.integers(5, 300) | st.floats(5, 300),
        decay_rate=st.floats(0.01, 1.5) | st.just(0.0),
        staircase=st.booleans(),
    ),
    "natural_exp_decay": drawn(
        decay_steps=st.integers(5, 300) | st.floats(5, 300),
        decay_rate=any_number,
        staircase=st.booleans(),
    ),
    "inverse_time_decay": drawn(
        decay_steps=steps, decay_rate=st.floats(0, 5) | st.just(-0.0007), staircase=st.booleans()
    ),
    "polynomial_decay": drawn(
        decay_steps=steps,
        end_learning_rate=any_number,
        power=st.floats(0.01, 3) | st.just(0.0),  # below it float32 knows no power
        cycle=st.booleans(),
    ),
    "cosine_decay": drawn(decay_steps=steps, alpha=any_number),
    "cosine_decay_restarts": drawn(
        first_decay_steps=st.integers(1, 200) | st.floats(1, 200),
        t_mul=st.floats(1.2, 3) | st.just(1.0),
        m_mul=any_number,
        alpha=any_number,
    ),
    "linear_cosine_decay": drawn(
        decay_steps=steps, num_periods=any_number, alpha=any_number, beta=any_number
    ),
}


def tensorflow_curve(name, rate, params):
    import tensorflow as tf

    # The rate's type is that of the whole; the cosines have their pi in float32 only, and others
    # cast Python's numbers from float32.
    kind = tf.float32 if "cosine" in name else tf.float64
    if kind is tf.float64:
        params = {k: tf.constant(v, kind) if type(v) is float else v for k, v in params.items()}
    function = getattr(tf.compat.v1.train, name)
    return function(tf.constant(rate, kind), tf.constant(STEPS, kind), **params)().numpy()


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), rate=st.floats(1e-3, 1))
def test_the_curve_is_tensorflows(name, data, rate):
    params = data.draw(CASES[name])
    expected = tensorflow_curve(name, rate, params)
    scheme = callbacks.get(name, learning_rate=rate, **params)
    ours = np.array([scheme.value(int(step)) for step in STEPS])
    near = 1e-9 if expected.dtype == "float64" else 2e-4
    known = np.abs(expected) < 1e37  # beyond it float32 ends, and double precision goes on
    same = np.isclose(ours, expected, rtol=near, atol=near * np.abs(expected[known]).max())
    same |= ~known
    if name == "cosine_decay_restarts":  # its logarithm misses a restart, or finds it too soon
        same |= np.array([_near_a_restart(step, params) for step in STEPS])
    assert same.all(), STEPS[~same][:5]


def _near_a_restart(step, params):
    start, length = 0.0, params["first_decay_steps"]
    while start <= step + 1:
        if abs(start - step) < 1e-2:
            return True
        start, length = start + length, length * params["t_mul"]
    return False


def test_shorter_and_shorter_cycles_end():
    scheme = callbacks.CosineDecayRestarts(1.0, 8, t_mul=0.5)
    assert [round(scheme.value(step), 6) for step in (0, 4, 8, 10, 12)] == [1, 0.5, 1, 0.5, 1]
    with pytest.raises(ValueError, match=r"Cycles each 0\.5 times as long end before step 16"):
        scheme.value(16)
