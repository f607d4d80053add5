"""Schemes in `fit`: the rate that a step really uses, other callbacks beside it, going on."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.cases import EXAMPLES
from tests.callbacks.fitting import Watch, X, fit, linear_model, run_with_backend

OPTIMIZERS = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "SGD",
    "ScheduleFreeAdamW",
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_rate_of_each_step_is_the_schemes(name):
    scheme, copy = EXAMPLES[name](), EXAMPLES[name]()
    if scheme.drives_momentum:
        optimizer = callbacks.CyclicMomentumSGD(0.5, momentum=0.5)
    else:
        optimizer = keras.optimizers.SGD(0.5)
    if name in ("GreedyLR", "ReduceLROnPlateau"):
        copy = copy.scheduler
        options = {"validation_data": (X, X)}
    else:
        options = {}
    watch, history = fit(linear_model(optimizer), scheme, epochs=3, **options)
    if scheme.learning_rate is None:
        copy.take_base(0.5)
    steps = range(12) if scheme.per == "step" else [epoch for epoch in range(3) for _ in range(4)]
    expected = np.array([copy.value(step) for step in steps])
    np.testing.assert_allclose(watch.rates, expected, rtol=1e-6)
    if not scheme.drives_momentum:
        np.testing.assert_allclose(watch.moves, expected, rtol=2e-5, atol=2e-7)
    np.testing.assert_allclose(history.history["learning_rate"], expected[3::4], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_keras_optimizer_is_led(name):
    optimizer = getattr(keras.optimizers, name)(0.1)
    scheme = callbacks.ExponentialDecay(0.1, 1, 0.5)
    watch, _ = fit(linear_model(optimizer), scheme)
    np.testing.assert_allclose(watch.rates, [0.1 * 0.5**t for t in range(8)], rtol=1e-6)


def test_the_table_of_optimizers_is_whole():
    public = {
        name
        for name, value in vars(keras.optimizers).items()
        if isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    }
    assert public - {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"} <= set(OPTIMIZERS)


def test_loss_scaling_is_led():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5))
    scheme = callbacks.ExponentialDecay(0.5, 1, 0.5)
    watch, _ = fit(linear_model(optimizer), scheme)
    np.testing.assert_allclose(watch.moves, [0.5**t / 2 for t in range(8)], rtol=1e-4)


def test_mixed_precision_is_led():
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        scheme = callbacks.ExponentialDecay(0.5, 1, 0.5)
        watch, _ = fit(linear_model(keras.optimizers.SGD(0.5)), scheme)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    np.testing.assert_allclose(watch.rates, [0.5**t / 2 for t in range(8)], rtol=1e-6)


def test_gradient_accumulation_counts_every_batch():
    optimizer = keras.optimizers.SGD(0.5, gradient_accumulation_steps=2)
    scheme = callbacks.ExponentialDecay(0.5, 1, 0.5)
    watch, _ = fit(linear_model(optimizer), scheme, batch_size=1)
    np.testing.assert_allclose(watch.rates, [0.5**t / 2 for t in range(16)], rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras allows one step there")
def test_several_steps_an_execution_are_refused_and_the_table_does_it():
    scheme = callbacks.ExponentialDecay(0.5, 1, 0.5)
    with pytest.raises(ValueError, match=r"steps_per_execution = 2 .*as_schedule"):
        fit(linear_model(keras.optimizers.SGD(0.5), steps_per_execution=2), scheme)
    model = linear_model(keras.optimizers.SGD(scheme.as_schedule(8)), steps_per_execution=2)
    watch = Watch()
    model.fit(X, X, batch_size=2, epochs=2, shuffle=False, verbose=0, callbacks=[watch])
    pairs = [0.5 * (0.5 ** (2 * k) + 0.5 ** (2 * k + 1)) for k in range(4)]
    np.testing.assert_allclose(watch.moves, pairs, rtol=1e-4)
    by_epoch = callbacks.StepLR(1, gamma=0.5)
    watch, _ = fit(linear_model(keras.optimizers.SGD(0.5), steps_per_execution=2), by_epoch)
    np.testing.assert_allclose(watch.rates, [0.5, 0.5, 0.25, 0.25])


def test_an_optimizer_with_a_schedule_is_refused_when_training_begins():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    with pytest.raises(ValueError, match="was made with a LearningRateSchedule"):
        fit(linear_model(keras.optimizers.SGD(schedule)), callbacks.StepLR(1000))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_callbacks_that_set_the_rate_are_noticed(order):
    both = [callbacks.StepLR(1, learning_rate=0.5), callbacks.ExponentialLR(0.5, learning_rate=0.1)]
    first, second = (both[i] for i in order)
    with pytest.raises(ValueError, match="another callback changed it"):
        fit(linear_model(keras.optimizers.SGD(0.5)), first, epochs=3, more=[second])


def test_keras_own_plateau_beside_a_scheme_is_noticed_when_it_cuts():
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", patience=1, factor=0.1)
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        fit(linear_model(keras.optimizers.SGD(0.5)), callbacks.StepLR(100), 6, [plateau])


def test_beside_the_callbacks_of_keras(tmp_path):
    scheme = callbacks.CosineDecay(0.5, 12)
    more = [
        keras.callbacks.EarlyStopping("loss", patience=5),
        keras.callbacks.ModelCheckpoint(tmp_path / "model.keras", monitor="loss"),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
    ]
    watch, _ = fit(linear_model(keras.optimizers.SGD(0.5)), scheme, 3, more)
    np.testing.assert_allclose(watch.rates, [scheme.value(t) for t in range(12)], atol=1e-7)
    header, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert "learning_rate" in header
    assert len(rows) == 3


class _Killed(Exception):
    pass


class KillAfter(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise _Killed


@pytest.mark.parametrize("per", ["step", "epoch"])
@pytest.mark.parametrize("first", ["scheme", "backup"])
def test_a_killed_training_goes_on_where_it_was(tmp_path, per, first):
    def run(epochs, more=()):
        scheme = callbacks.CosineDecay(0.5, 24 if per == "step" else 6, per=per)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        ordered = [scheme, backup] if first == "scheme" else [backup, scheme]
        watch = Watch()
        model = linear_model(keras.optimizers.SGD(0.123))
        model.fit(X, X, batch_size=2, epochs=epochs, verbose=0, callbacks=[*ordered, watch, *more])
        return watch.rates

    with pytest.raises(_Killed):
        run(6, [KillAfter(3)])
    rates = run(6)
    scheme = callbacks.CosineDecay(0.5, 24 if per == "step" else 6)
    steps = range(12, 24) if per == "step" else np.repeat([3, 4, 5], 4)
    np.testing.assert_allclose(rates, [scheme.value(t) for t in steps], atol=1e-7)


def test_a_saved_model_goes_on_where_it_was(tmp_path):
    scheme = callbacks.CosineDecay(0.5, 24)
    model = linear_model(keras.optimizers.SGD(0.123))
    fit(model, scheme, epochs=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    watch, _ = fit(loaded, callbacks.CosineDecay(0.5, 24), epochs=3)
    np.testing.assert_allclose(watch.rates, [scheme.value(t) for t in range(12, 24)], atol=1e-7)


def test_only_a_plateau_makes_keras_wait_for_the_end_of_each_batch(monkeypatch):
    monkeypatch.setattr("keras.src.backend.IS_THREAD_SAFE", True)  # as on JAX and PyTorch
    plateau = callbacks.ReduceLROnPlateau("loss", learning_rate=0.1)
    for scheme, waits in {
        callbacks.StepLR(3): False,
        callbacks.Warmup(callbacks.CosineDecay(0.1), 2): False,
        callbacks.Lead("momentum", callbacks.StepLR(3)): False,
        plateau: True,
        callbacks.Warmup(plateau, 2): True,
        callbacks.Lead("momentum", plateau): True,
    }.items():
        assert keras.callbacks.CallbackList([scheme])._async_train is not waits


def test_initial_epoch_is_respected():
    scheme = callbacks.StepLR(1, gamma=0.5)
    watch, _ = fit(linear_model(keras.optimizers.SGD(0.5)), scheme, epochs=4, initial_epoch=2)
    np.testing.assert_allclose(watch.rates, [0.125] * 4 + [0.0625] * 4)


def test_the_base_rate_is_taken_once_and_not_from_a_trained_optimizer():
    model = linear_model(keras.optimizers.SGD(0.5))
    scheme = callbacks.ExponentialLR(0.5)
    fit(model, scheme, epochs=2)
    watch, _ = fit(model, scheme, epochs=2)
    np.testing.assert_allclose(watch.rates, [0.5] * 4 + [0.25] * 4)
    with pytest.raises(ValueError, match=r"has taken 16 steps.*give learning_rate"):
        fit(model, callbacks.ExponentialLR(0.5))


def test_a_constant_momentum_is_refused_when_training_begins():
    for optimizer in (keras.optimizers.SGD(0.5, momentum=0.9), keras.optimizers.Adam(0.5)):
        with pytest.raises(ValueError, match=r"CyclicMomentumSGD .*cycle_momentum=False"):
            fit(linear_model(optimizer), callbacks.OneCycleLR(0.1, total_steps=8))


BACKEND_CODE = """
import numpy as np, keras, callbacks
from tests.callbacks.fitting import *
assert keras.backend.backend() == {backend!r}
scheme = callbacks.ExponentialDecay(0.5, 3, 0.5, staircase=True)
model = linear_model(keras.optimizers.SGD(0.123))
watch, history = fit(model, scheme, epochs=3)
expected = [scheme.value(t) for t in range(12)]
if {backend!r} == "torch":
    np.testing.assert_allclose(watch.moves, expected, rtol=1e-4)
total = 1 - float(keras.ops.convert_to_numpy(model.trainable_variables[0])[0, 0])
np.testing.assert_allclose(total, sum(expected), rtol=1e-4)
np.testing.assert_allclose(history.history["learning_rate"], expected[3::4], rtol=1e-6)
model = linear_model(keras.optimizers.SGD(scheme.as_schedule(12)))
model.fit(X, X, batch_size=2, epochs=3, verbose=0)
total = 1 - float(keras.ops.convert_to_numpy(model.trainable_variables[0])[0, 0])
np.testing.assert_allclose(total, sum(expected), rtol=1e-4)
cycle = callbacks.OneCycleLR(0.1, total_steps=8, pct_start=0.5)
model = linear_model(callbacks.CyclicMomentumSGD(0.1))
model.fit(X, X, batch_size=2, epochs=2, verbose=0, callbacks=[cycle])
weight = 1.0; velocity = 0.0
for t in range(8):
    velocity = cycle.momentum(t) * velocity - cycle.value(t)
    weight += velocity
np.testing.assert_allclose(
    float(keras.ops.convert_to_numpy(model.trainable_variables[0])[0, 0]), weight, rtol=1e-4
)
finder = callbacks.LearningRateFinder(1e-4, 1.0, num_steps=20)
before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]
model.fit(X, X, batch_size=2, epochs=10, verbose=0, callbacks=[finder])
for v, old in zip(model.variables, before):
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(v), old)
assert len(finder.to_frame()) == 20
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_rate_set_between_batches_reaches_the_step_on(backend):
    pytest.importorskip(backend)
    run_with_backend(backend, BACKEND_CODE.format(backend=backend))
