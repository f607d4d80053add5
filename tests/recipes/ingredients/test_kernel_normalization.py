"""Normalizations of kernels, held against torch and timm and their formulas."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes import dtypes
from recipes.ingredients import normalization
from recipes.ingredients.normalization import (
    WeightNormalization,
    WeightStandardization,
)
from recipes.transfer.state import to_numpy

TIMM = json.loads((Path(__file__).parents[2] / "reference" / "timm.json").read_text("utf-8"))
X = np.random.default_rng(0).normal(1.0, 2.0, size=(4, 6, 5, 12)).astype("float32")


@pytest.mark.parametrize("kind", ["", "_depthwise"])
def test_weight_standardization_is_timms(kind):
    expected = TIMM[f"weight_standardization{kind}"]
    x, kernel = np.array(expected["x"], "float32"), np.array(expected["kernel"], "float32")
    plain = layers.DepthwiseConv2D(3) if kind else layers.Conv2D(kernel.shape[-1], 3)
    layer = WeightStandardization(plain)
    layer.build(x.shape)
    layer.layer.kernel.assign(kernel)
    np.testing.assert_allclose(to_numpy(layer(x)), expected["y"], atol=1e-4)


@pytest.mark.tensorflow_only
def test_spectral_ends_where_torchs_does():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    layer = normalization.wrapper(("spectral", {"power_iterations": 50}))(layers.Dense(5))
    layer.build(x.shape)
    kernel = to_numpy(layer.layer.kernel).copy()
    y = to_numpy(layer(x, training=True))
    theirs = torch.nn.utils.parametrizations.spectral_norm(
        torch.nn.Linear(6, 5, bias=False), n_power_iterations=50
    )
    theirs.parametrizations.weight.original.data = torch.from_numpy(kernel.T.copy())
    theirs.train()
    for _ in range(3):
        expected = theirs(torch.from_numpy(x))
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-3, atol=1e-4)
    assert np.linalg.norm(to_numpy(layer.layer.kernel), 2) == pytest.approx(1, abs=1e-3)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_spectral_is_iterated_in_float32_whatever_the_policy(policy):
    """Small numbers, whose squares are 0 in float16; and the kernel is not rounded by it."""
    rng = np.random.default_rng(0)
    x, kernel, u = rng.normal(size=(3, 6)), 1e-3 * rng.normal(size=(6, 5)), np.full((1, 5), 1e-3)
    with dtypes.scope(policy):
        layer = normalization.wrapper("spectral")(layers.Dense(5))
        model = keras.Sequential([keras.Input((6,)), layer])
    layer.layer.kernel.assign(kernel)
    layer.vector_u.assign(u)
    y = to_numpy(model(x, training=True)).astype("float32")
    v = u @ kernel.T / np.linalg.norm(u @ kernel.T)
    u = v @ kernel / np.linalg.norm(v @ kernel)
    expected = kernel / (v @ kernel @ u.T)
    np.testing.assert_allclose(to_numpy(layer.layer.kernel), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(y, x @ expected, atol=1e-5 if policy == "float32" else 3e-2)
    assert layer.layer.compute_dtype == policy.removeprefix("mixed_")


@pytest.mark.parametrize("name", ["weight", "ws", "spectral"])
def test_a_layer_keeps_its_name_within_what_normalizes_its_kernel(name):
    model = recipes.vgg((8, 8, 3), 3, depth=(2,), widths=(4,), units=(4,), normalization=name)
    step = 3 if name == "ws" else 2  # torchvision counts norms
    expected = ["features_0", f"features_{step}", "classifier_0", "predictions"]
    norms = layers.GroupNormalization
    assert [m.name for m in model.layers if m.weights and not isinstance(m, norms)] == expected
    wrapped = [m for m in model.layers if isinstance(m, layers.Wrapper)]
    assert len(wrapped) == (2 if name == "ws" else 3)  # dense layers have no norm behind them


def test_a_norm_of_kernels_may_be_followed_by_one_of_outputs():
    assert normalization.get("weight_standardization", 48).groups == 24
    then = ("ws", {"then": ("group", {"groups": 4})})
    assert normalization.get(then, 48).groups == 4
    assert normalization.shifts(then)
    assert normalization.get("weight", 48) is None
    assert not normalization.shifts("weight")
    model = recipes.cnn((8, 8, 3), 3, widths=(8,), depth=1, normalization=then)
    wrapped = next(m for m in model.layers if isinstance(m, WeightStandardization))
    assert not wrapped.layer.use_bias
    assert any(isinstance(m, layers.GroupNormalization) for m in model.layers)


KERNELS = {
    "dense": lambda: layers.Dense(5),
    "conv": lambda: layers.Conv2D(5, 3),
    "depthwise": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
}


@pytest.mark.parametrize("kind", KERNELS)
def test_weight_starts_where_the_plain_layer_does(kind):
    plain = KERNELS[kind]()
    expected = plain(X)
    wrapped = WeightNormalization(KERNELS[kind]())
    wrapped.build(X.shape)
    wrapped.layer.set_weights(plain.get_weights())
    norm = np.sqrt((plain.kernel.numpy() ** 2).sum(axis=wrapped.axes))
    wrapped.g.assign(norm)
    np.testing.assert_allclose(wrapped(X), expected, rtol=1e-3, atol=1e-4)
    fresh = WeightNormalization(KERNELS[kind]())
    fresh.build(X.shape)
    start = np.sqrt((fresh.layer.kernel.numpy() ** 2).sum(axis=fresh.axes))
    np.testing.assert_allclose(fresh.g, start, rtol=1e-5)


@pytest.mark.tensorflow_only
def test_weight_and_its_gradients_are_torchs():
    torch = pytest.importorskip("torch")
    import tensorflow as tf

    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(7, 4)).astype("f4"), rng.normal(size=(4, 3)).astype("f4")
    g, bias = rng.uniform(0.5, 2, 3).astype("f4"), rng.normal(size=3).astype("f4")
    ours = WeightNormalization(layers.Dense(3))
    ours.build(x.shape)
    ours.layer.kernel.assign(kernel)
    ours.layer.bias.assign(bias)
    ours.g.assign(g)
    with tf.GradientTape() as tape:
        y = ours(x)
        loss = tf.reduce_sum(y**2)
    gradients = tape.gradient(loss, [ours.g.value, ours.layer.kernel.value, ours.layer.bias.value])
    theirs = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3), dim=0)
    parametrization = theirs.parametrizations.weight
    with torch.no_grad():
        parametrization.original0.copy_(torch.from_numpy(g[:, None]))
        parametrization.original1.copy_(torch.from_numpy(kernel.T.copy()))
        theirs.bias.copy_(torch.from_numpy(bias))
    expected = theirs(torch.from_numpy(x))
    (expected**2).sum().backward()
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-4, atol=1e-5)
    for found, wanted in zip(
        gradients,
        [parametrization.original0.grad[:, 0], parametrization.original1.grad.T, theirs.bias.grad],
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_weight_survives_saving_and_training(tmp_path):
    inputs = keras.Input((6, 5, 12))
    x = WeightNormalization(layers.Conv2D(4, 3))(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
    model.compile("sgd", "mse")
    before = [w.numpy() for w in model.trainable_weights]
    assert len(before) == 3
    model.train_on_batch(X, np.ones((4, 4)))
    assert all(
        (w.numpy() != old).any() for w, old in zip(model.trainable_weights, before, strict=True)
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(X), model.predict_on_batch(X))
