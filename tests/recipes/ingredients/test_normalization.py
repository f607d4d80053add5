import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes.ingredients import normalization
from recipes.ingredients.normalization import LocalResponseNormalization, WeightNormalization

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


@pytest.mark.parametrize("name", [n for n in normalization.names() if n not in ("none", "weight")])
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


@pytest.mark.parametrize("name", normalization.names())
def test_copies_and_configurations(name):
    layer = normalization.get(name, 12)
    if layer is None:
        assert name in ("none", "weight")
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
