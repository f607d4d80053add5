"""Optimizers whose momentum a scheme drives, compiled and saved."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.fitting import Watch, fit, linear_model


@pytest.mark.parametrize("nesterov", [False, True])
def test_cycled_momentum_reaches_the_compiled_step(nesterov):
    torch = pytest.importorskip("torch")
    scheme = callbacks.OneCycleLR(0.1, total_steps=8, pct_start=0.5)
    model = linear_model(callbacks.CyclicMomentumSGD(0.1, momentum=0.9, nesterov=nesterov))
    watch, _ = fit(model, scheme)
    np.testing.assert_allclose(watch.momenta, [scheme.momentum(t) for t in range(8)], rtol=1e-6)
    weight, velocity, expected = 1.0, 0.0, [1.0]
    for t in range(8):
        rate, momentum = scheme.value(t), scheme.momentum(t)
        velocity = momentum * velocity - rate
        weight += momentum * velocity - rate if nesterov else velocity
        expected.append(weight)
    np.testing.assert_allclose(watch.weights, expected, rtol=1e-5)
    assert torch.optim.lr_scheduler.OneCycleLR  # the curve itself is held against it elsewhere


def test_cycled_beta_1_reaches_the_compiled_step():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 16, 1)).astype("float32")
    scheme = callbacks.OneCycleLR(0.1, total_steps=8, pct_start=0.5)
    compiled, eager = (
        linear_model(callbacks.CyclicMomentumAdam(0.1), run_eagerly=run_eagerly)
        for run_eagerly in (False, True)
    )
    still = linear_model(keras.optimizers.Adam(0.1))
    curves = []
    for model in (compiled, eager, still):
        watch = Watch()
        leader = (
            scheme
            if model is not still
            else callbacks.OneCycleLR(0.1, total_steps=8, pct_start=0.5, cycle_momentum=False)
        )
        model.compile(model.optimizer, loss="mse", run_eagerly=model is eager)
        model.fit(x, y, batch_size=2, verbose=0, shuffle=False, callbacks=[leader, watch])
        curves.append(watch.weights)
        if model is not still:
            expected = [scheme.momentum(t) for t in range(8)]
            np.testing.assert_allclose(watch.momenta, expected, rtol=1e-6)
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-5)
    assert np.abs(np.array(curves[0]) - curves[2]).max() > 1e-4


@pytest.mark.parametrize(
    "optimizer",
    [callbacks.CyclicMomentumSGD(0.1, nesterov=True), callbacks.CyclicMomentumAdam(0.1)],
)
def test_cyclic_optimizers_survive_saving(optimizer, tmp_path):
    model = linear_model(optimizer)
    fit(model, callbacks.OneCycleLR(0.1, total_steps=8))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is type(optimizer)
    for one, other in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0, 0.0, 1, 0.9])
def test_a_momentum_of_any_start_takes_keras_steps(momentum, nesterov):
    ours = linear_model(callbacks.CyclicMomentumSGD(0.1, momentum=momentum, nesterov=nesterov))
    theirs = linear_model(keras.optimizers.SGD(0.1, momentum=float(momentum), nesterov=nesterov))
    watches = [fit(m, callbacks.ConstantLR(1.0))[0] for m in (ours, theirs)]
    np.testing.assert_allclose(watches[0].weights, watches[1].weights, rtol=1e-6)


@pytest.mark.parametrize("start", [0, 1, 0.9])
def test_a_momentum_of_any_start_is_driven(start):
    scheme = callbacks.CyclicLR(0.1, 0.2, step_size_up=4)
    watch, _ = fit(linear_model(callbacks.CyclicMomentumSGD(0.1, momentum=start)), scheme)
    weight, velocity = 1.0, 0.0
    for step in range(8):
        velocity = scheme.momentum(step) * velocity - scheme.value(step)
        weight += velocity
    assert watch.weights[-1] == pytest.approx(weight, rel=1e-5)
    if start < 1:
        watch, _ = fit(linear_model(callbacks.CyclicMomentumAdam(0.1, beta_1=start)), scheme)
        np.testing.assert_allclose(watch.momenta, [scheme.momentum(t) for t in range(8)], rtol=1e-6)
