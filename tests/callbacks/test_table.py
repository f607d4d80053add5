"""The table inside compiled graphs, at every boundary, and Keras' own schedules beside it."""

import json

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.cases import halve
from tests.callbacks.fitting import run_with_backend

BOUNDARIES = 50
PERIODS = range(1, 201)
OURS = {
    "staircase": lambda D: callbacks.ExponentialDecay(1.0, D, 0.97, staircase=True),
    "cycle": lambda D: callbacks.PolynomialDecay(1.0, D, 0.1, cycle=True),
    "restarts": lambda D: callbacks.CosineDecayRestarts(1.0, D, t_mul=1.0, m_mul=0.97),
    "steps": lambda D: callbacks.StepLR(D, gamma=0.97, learning_rate=1.0, per="step"),
}
schedules = keras.optimizers.schedules
KERAS = {
    "staircase": lambda D: schedules.ExponentialDecay(1.0, D, 0.97, staircase=True),
    "cycle": lambda D: schedules.PolynomialDecay(1.0, D, 0.1, cycle=True),
    "restarts": lambda D: schedules.CosineDecayRestarts(1.0, D, t_mul=1.0, m_mul=0.97),
}


def steps_of(period):
    """The first fifty boundaries, the step before each and the step after."""
    edges = np.arange(BOUNDARIES + 1) * period
    return np.unique(np.concatenate([edges, edges[1:] - 1, edges + 1])).astype("int32")


def exact(kind, period):
    """The mathematics with whole numbers: no division that could round."""
    steps = steps_of(period).astype(int)
    if kind in ("staircase", "steps"):
        return np.array([0.97 ** (t // period) for t in steps])
    if kind == "cycle":
        return np.array([0.1 + 0.9 * (1 - t / (period * max(1, -(-t // period)))) for t in steps])
    cosine = [(1 + np.cos(np.pi * (t % period) / period)) / 2 for t in steps]
    return np.array([0.97 ** (t // period) * c for t, c in zip(steps, cosine, strict=True)])


def wrong(rates, kind, period):
    return np.abs(np.asarray(rates) - exact(kind, period)) > 1e-6


def compiled(schedule, **options):
    import tensorflow as tf

    return tf.function(lambda steps: tf.map_fn(schedule, steps, tf.float32), **options)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("kind", OURS)
def test_the_table_is_right_at_every_boundary(kind):
    import tensorflow as tf

    for period in PERIODS:
        steps = steps_of(period)
        schedule = OURS[kind](period).as_schedule(int(steps[-1]) + 1)
        eager = schedule(tf.constant(steps))  # the same gather, of all steps at once
        assert not wrong(eager, kind, period).any(), period
        graph = tf.function(schedule)(tf.constant(steps))
        assert not wrong(graph, kind, period).any(), period


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize(
    "periods", [PERIODS[::20], pytest.param(PERIODS, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_the_table_is_right_under_xla_and_step_by_step(kind, periods):
    import tensorflow as tf

    for period in periods:
        steps = steps_of(period)
        schedule = OURS[kind](period).as_schedule(int(steps[-1]) + 1)
        for jit in (False, True):
            rates = compiled(schedule, jit_compile=jit)(tf.constant(steps))
            assert not wrong(rates, kind, period).any(), (period, jit)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("kind", KERAS)
def test_keras_own_schedules_miss_some(kind):
    import tensorflow as tf

    missed = 0
    for period in (41, 7, 49, 55, 61, 97, 98, 103, 107, 110):
        steps = steps_of(period)
        rates = compiled(KERAS[kind](period))(tf.constant(steps))
        missed += wrong(rates, kind, period).sum()
    assert missed > 0


def test_the_table_is_right_on_jax():
    pytest.importorskip("jax")
    code = """
import numpy as np, jax
from tests.callbacks.test_table import OURS, PERIODS, steps_of, wrong
for kind in OURS:
    for period in PERIODS:
        steps = steps_of(period)
        # JAX compiles the gather anew for each length of table: there are few of them.
        schedule = OURS[kind](period).as_schedule(int(steps[-1] // 2000 + 1) * 2000)
        for function in (schedule, jax.jit(schedule)) if period % 50 == 1 else (schedule,):
            assert not wrong(function(steps), kind, period).any(), (kind, period)
"""
    run_with_backend("jax", code)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("period", [7, 41, 61])
def test_fit_with_the_table_uses_the_right_rate_at_each_step(period):
    """Plain SGD on a constant gradient: each step moves the weight by the rate itself."""
    scheme = callbacks.ExponentialDecay(0.5, period, 0.5, staircase=True)
    steps = 3 * period + 2
    weights = follow_weight(scheme.as_schedule(steps), steps)
    moves = -np.diff(weights)
    expected = [scheme.value(step) for step in range(steps)]
    np.testing.assert_allclose(moves, expected, rtol=1e-3)


def follow_weight(rate, steps, steps_per_execution=1):
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model.compile(
        keras.optimizers.SGD(rate),
        loss=lambda y, prediction: keras.ops.mean(prediction, axis=-1),
        steps_per_execution=steps_per_execution,
    )
    x, seen = np.ones((steps, 1), "float32"), []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(float(model.trainable_variables[0][0, 0]))

        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(model.trainable_variables[0][0, 0]))

    model.fit(x, x, batch_size=1, shuffle=False, verbose=0, callbacks=[Watch()])
    return np.array(seen)


def test_epochs_become_steps():
    schedule = callbacks.StepLR(2, gamma=0.5, learning_rate=1.0).as_schedule(9, steps_per_epoch=2)
    assert schedule.rates.tolist() == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    with pytest.raises(ValueError, match=r"steps_per_epoch: StepLR counts epochs"):
        callbacks.StepLR(2).as_schedule(9)


def test_the_table_survives_saving(tmp_path):
    schedule = callbacks.CosineDecay(0.1, 10).as_schedule(12)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert copy.rates.tolist() == schedule.rates.tolist()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(schedule), "mse")
    model.train_on_batch(np.ones((2, 1)), np.ones((2, 1)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    saved = loaded.optimizer.get_config()["learning_rate"]["config"]
    assert saved["scheme"]["config"] == callbacks.CosineDecay(0.1, 10).get_config()
    with pytest.raises(ValueError, match="rates: the table is empty"):
        callbacks.TableSchedule([])


def test_a_million_steps_are_saved_as_their_scheme():
    scheme = callbacks.Warmup(callbacks.CosineDecay(0.1), 0.01)
    schedule = scheme.as_schedule(1_000_000)
    text = json.dumps(keras.saving.serialize_keras_object(schedule))
    assert len(text) < 2000
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    np.testing.assert_array_equal(copy.rates, schedule.rates)
    expected = callbacks.Warmup(callbacks.CosineDecay(0.1, 990_000), 10_000)
    for step in (0, 9_999, 10_000, 500_000, 999_999):
        assert schedule.rates[step] == expected.value(step)
        assert float(schedule(step)) == pytest.approx(expected.value(step), rel=1e-6, abs=1e-12)
    assert scheme.missing  # its own length is not taken from the schedule


def test_a_function_that_is_not_registered_is_saved_as_its_table():
    scheme = callbacks.LambdaLR(lambda step: 0.5**step, learning_rate=1.0, per="step")
    schedule = scheme.as_schedule(4)
    assert type(schedule) is callbacks.TableSchedule
    assert schedule.get_config() == {"rates": [1.0, 0.5, 0.25, 0.125]}
    registered = callbacks.LambdaLR(halve, learning_rate=1.0, per="step").as_schedule(4)
    assert type(registered) is callbacks.SchemeSchedule
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(registered))
    np.testing.assert_array_equal(copy.rates, schedule.rates)


def test_rates_that_stay_stand_once_in_a_saved_table():
    scheme = callbacks.LambdaLR(lambda epoch: 0.9**epoch, learning_rate=0.1)
    schedule = scheme.as_schedule(1_000_000, steps_per_epoch=10_000)
    text = json.dumps(keras.saving.serialize_keras_object(schedule))
    assert len(text) < 5000
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    np.testing.assert_array_equal(copy.rates, schedule.rates)
    assert len(copy.rates) == 1_000_000


def test_a_table_of_megabytes_is_told_while_the_function_can_be_registered():
    scheme = callbacks.LambdaLR(lambda step: 1 / (1 + step), learning_rate=0.1, per="step")
    with pytest.warns(UserWarning, match=r"LambdaLR: .* 200,000 rates .* by name"):
        scheme.as_schedule(200_000)
    scheme.as_schedule(1000)  # warnings are errors


@pytest.mark.parametrize("rate", [float("nan"), float("inf")])
def test_a_table_has_no_rate_that_is_no_number(rate):
    scheme = callbacks.LambdaLR(lambda step: rate if step == 2 else 1.0, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"^LambdaLR: the rate of epoch 2 is (nan|inf)"):
        scheme.as_schedule(9, steps_per_epoch=2)


def test_a_schedule_that_is_made_of_a_scheme_directly_refuses_the_same():
    with pytest.raises(ValueError, match=r"^OneCycleLR drives the momentum"):
        callbacks.SchemeSchedule(callbacks.OneCycleLR(0.1, total_steps=8), 8)
    with pytest.raises(ValueError, match=r"^learning_rate: StepLR as a schedule has none"):
        callbacks.SchemeSchedule(callbacks.StepLR(1), 4, 2)
    with pytest.raises(ValueError, match=r"^ReduceLROnPlateau needs the metrics"):
        callbacks.SchemeSchedule(callbacks.ReduceLROnPlateau(learning_rate=0.1), 4, 2)


def test_what_a_schedule_cannot_do_is_refused():
    with pytest.raises(ValueError, match=r"^OneCycleLR drives the momentum.*cycle_momentum=False"):
        callbacks.OneCycleLR(0.1, total_steps=8).as_schedule(8)
    assert len(callbacks.OneCycleLR(0.1, cycle_momentum=False).as_schedule(8).rates) == 8
    with pytest.raises(ValueError, match=r"^learning_rate: StepLR as a schedule has none"):
        callbacks.StepLR(1).as_schedule(4, steps_per_epoch=2)
    with pytest.raises(ValueError, match=r"^learning_rate: Warmup as a schedule has none"):
        callbacks.Warmup(callbacks.StepLR(1), 1).as_schedule(4, steps_per_epoch=2)
    with pytest.raises(ValueError, match=r"^ReduceLROnPlateau needs the metrics"):
        callbacks.ReduceLROnPlateau(learning_rate=0.1).as_schedule(4, steps_per_epoch=2)
    scheme = callbacks.StepLR(1)
    with pytest.raises(ValueError, match="learning_rate"):
        scheme.as_schedule(4, steps_per_epoch=2)
    assert scheme.value(0) == 1.0  # as before
