import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes.ingredients import activations, normalization
from recipes.ingredients.normalization import (
    FilterResponseNormalization,
    LocalResponseNormalization,
    WeightNormalization,
    WeightStandardization,
)
from recipes.transfer.state import to_numpy

TIMM = json.loads((Path(__file__).parents[2] / "reference" / "timm.json").read_text("utf-8"))
X = np.random.default_rng(0).normal(1.0, 2.0, size=(4, 6, 5, 12)).astype("float32")


def torch_of(x):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def channels_last(y):
    return y.permute(0, 2, 3, 1).detach().numpy()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 12])
@pytest.mark.parametrize(("alpha", "beta", "k"), [(1e-4, 0.75, 1.0), (0.5, 0.6, 2.0)])
def test_local_response_is_torchs(size, alpha, beta, k):
    torch = pytest.importorskip("torch")
    ours = LocalResponseNormalization(size, alpha, beta, k)(X)
    theirs = torch.nn.LocalResponseNorm(size, alpha, beta, k)(torch_of(X))
    np.testing.assert_allclose(ours, channels_last(theirs), rtol=1e-5, atol=1e-6)


@pytest.mark.tensorflow_only
def test_local_response_is_tensorflows_with_its_alpha():
    import tensorflow as tf

    ours = LocalResponseNormalization(5, alpha=0.1 * 5, beta=0.6, k=2.0)(X)
    theirs = tf.nn.local_response_normalization(X, depth_radius=2, bias=2.0, alpha=0.1, beta=0.6)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
def test_group_is_torchs(groups):
    torch = pytest.importorskip("torch")
    ours = normalization.get("group", 12, groups=groups, epsilon=1e-5)(X)
    theirs = torch.nn.GroupNorm(groups, 12, eps=1e-5)(torch_of(X))
    np.testing.assert_allclose(ours, channels_last(theirs), rtol=1e-4, atol=1e-5)


def test_instance_is_torchs():
    torch = pytest.importorskip("torch")
    ours = normalization.get("instance", 12, epsilon=1e-5)(X)
    theirs = torch.nn.InstanceNorm2d(12, eps=1e-5)(torch_of(X))
    np.testing.assert_allclose(ours, channels_last(theirs), rtol=1e-4, atol=1e-5)


def test_batch_layer_and_rms_are_their_formulas():
    batch = normalization.get("batch", epsilon=1e-3)(X, training=True)
    expected = (X - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + 1e-3)
    np.testing.assert_allclose(batch, expected, rtol=1e-4, atol=1e-4)
    layer = normalization.get("layer", epsilon=1e-3)(X)
    centred = X - X.mean(-1, keepdims=True)
    np.testing.assert_allclose(
        layer, centred / np.sqrt(X.var(-1, keepdims=True) + 1e-3), rtol=1e-4, atol=1e-4
    )
    rms = normalization.get("rms", epsilon=1e-6)(X)
    np.testing.assert_allclose(rms, X / np.sqrt((X**2).mean(-1, keepdims=True) + 1e-6), rtol=1e-4)


def test_batch_uses_its_moving_averages_at_inference():
    layer = normalization.get("batch", momentum=0.0)
    layer(X, training=True)
    np.testing.assert_allclose(layer.moving_mean, X.mean((0, 1, 2)), rtol=1e-4)
    other = X * 3 + 1
    expected = (other - X.mean((0, 1, 2))) / np.sqrt(X.var((0, 1, 2)) + layer.epsilon)
    np.testing.assert_allclose(layer(other), expected, rtol=1e-3, atol=1e-3)


def test_filter_response_and_its_threshold_are_timms():
    expected = TIMM["filter_response"]
    x = np.array(expected["x"], "float32")
    norm, tlu = normalization.get("FRN"), activations.get("tlu")
    norm.build(x.shape)
    tlu.build(x.shape)
    norm.set_weights([np.array(expected["weight"]), np.array(expected["bias"])])
    tlu.set_weights([np.array(expected["tau"])])
    np.testing.assert_allclose(to_numpy(tlu(norm(x))), expected["y"], atol=1e-5)
    with pytest.raises(ValueError, match="places of maps, and vectors have none"):
        FilterResponseNormalization()(np.zeros((2, 3)))


@pytest.fixture
def low_precision(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


POLICIES = pytest.mark.parametrize(
    "low_precision", ["mixed_float16", "mixed_bfloat16"], indirect=True
)


@POLICIES
def test_local_response_of_large_values_in_low_precision(low_precision):
    x = np.full((1, 2, 2, 8), 300.0, "float32")  # whose squares are infinite in float16
    options = {"alpha": 5e-4, "beta": 0.75, "k": 2.0}
    expected = to_numpy(LocalResponseNormalization(**options, dtype="float32")(x))
    found = to_numpy(keras.ops.cast(LocalResponseNormalization(**options)(x), "float32"))
    np.testing.assert_allclose(found, expected, rtol=0.01)


@POLICIES
def test_lengths_of_many_channels_in_low_precision(low_precision):
    y = to_numpy(normalization.get("unit", 512)(np.full((2, 512), 20.0)))
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), 1, rtol=1e-3)


@POLICIES
@pytest.mark.parametrize("wrap", [WeightNormalization, WeightStandardization])
def test_small_kernels_are_normalized_in_low_precision(wrap, low_precision):
    """Squares of 1e-4 are 0 in float16."""
    x = np.random.default_rng(0).normal(size=(4, 16)).astype("float32")
    start = keras.initializers.RandomNormal(stddev=1e-4, seed=0)
    low, full = (
        wrap(layers.Dense(8, kernel_initializer=start, dtype=dtype), dtype=dtype)
        for dtype in (None, "float32")
    )
    found, expected = to_numpy(keras.ops.cast(low(x), "float32")), to_numpy(full(x))
    size = np.abs(expected).max()
    np.testing.assert_allclose(found / size, expected / size, atol=0.03)


def test_unit_has_length_one_and_frozen_batch_stays():
    y = to_numpy(normalization.get("UnitNormalization")(X))
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), 1, rtol=1e-5)
    frozen = normalization.get("frozen_batch")
    y = to_numpy(frozen(X, training=True))
    np.testing.assert_allclose(y, X / np.sqrt(1 + frozen.epsilon), rtol=1e-5)
    assert not frozen.trainable_weights
    assert (to_numpy(frozen.moving_mean) == 0).all()


@pytest.mark.tensorflow_only
def test_synchronized_batch_is_batch_on_one_device():
    layer = normalization.get("SyncBatchNorm")
    assert layer.synchronized
    expected = normalization.get("batch")(X, training=True)
    np.testing.assert_allclose(layer(X, training=True), expected, atol=1e-5)


OF_KERNELS = [name for name, facts in normalization.NORMS.items() if facts.wrap]


@pytest.mark.tensorflow_only  # synchronized statistics
@pytest.mark.parametrize("name", [n for n in normalization.NORMS if n not in ("none", *OF_KERNELS)])
def test_the_facts_are_true(name):
    facts = recipes.normalization_table().loc[name]
    layer = normalization.get(name, 12)
    alone, among = layer(X[:1], training=True), layer(X, training=True)
    same = np.allclose(alone[0], among[0], atol=1e-4)
    assert same != facts["depends_on_batch"]
    trained = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
    assert trained == 12 * facts["parameters"]
    if facts["shifts"]:  # what is added to a whole channel right before has no effect, or beta can
        assert float(np.abs(layer.beta).max()) == 0
        layer.beta.assign(layer.beta + 3)
        np.testing.assert_allclose(layer(X, training=True), among + 3, atol=1e-4)
    assert normalization.shifts(name) == facts["shifts"]


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", normalization.names())
def test_copies_and_configurations(name):
    layer = normalization.get(name, 12)
    if layer is None:
        assert name in ("none", "weight", "spectral")
        return
    copy = normalization.get(layer, 12)
    assert type(copy) is type(layer)
    assert copy is not layer
    config = keras.saving.serialize_keras_object(layer)
    assert type(normalization.get(config)) is type(layer)


def test_groups_divide_or_are_refused():
    for channels in (1, 7, 24, 48, 64, 100):
        assert channels % normalization.get("group", channels).groups == 0
    with pytest.raises(ValueError, match="groups: 5 does not divide 12 channels"):
        normalization.get("group", 12, groups=5)
    with pytest.raises(ValueError, match="groups: 5 does not divide 12 channels"):
        normalization.get(layers.GroupNormalization(5), 12)
    with pytest.raises(ValueError, match="channels: group normalization needs"):
        normalization.get("group")
    with pytest.raises(ValueError, match="Did you mean 'batch'"):
        normalization.get("bach")
    with pytest.raises(ValueError, match="size: 0"):
        LocalResponseNormalization(0)
