"""Dtype policies: nothing of a pixel is lost, weights stay float32, Keras is as it was."""

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes import backbones, dtypes
from recipes.ingredients import scaling
from recipes.settings import FLOAT32, PRECISIONS
from tests.marking import slow_but
from tests.recipes.classifiers.cases import RECIPES
from tests.recipes.transfer.tiny import build_tiny

MIXED = PRECISIONS[1:]
COMPUTE = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
# With the preprocessing of TensorFlow, Caffe and PyTorch, and that inside of Keras' own models.
PREPROCESSED = (
    "efficientnet_lite0",
    "MobileNetV2",
    "ResNet50",
    "DenseNet121",
    "EfficientNetB0",
    "MobileNetV3Small",
)
EVERY_VALUE = np.arange(32 * 32 * 3).reshape(1, 32, 32, 3) % 256


def setup():
    return keras.config.dtype_policy().name, keras.config.floatx()


@pytest.fixture
def policy():
    """Sets Keras' own policy, and puts it back."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def test_keras_is_as_it_was_after_an_error_too(policy):
    policy("float64")
    before = setup()
    with dtypes.scope("mixed_float16"):
        assert setup() == ("mixed_float16", "float32")
    assert setup() == before
    with pytest.raises(ValueError, match="units"), dtypes.scope("mixed_float16"):
        keras.layers.Dense(0.5)
    assert setup() == before


def scaled(base: backbones.Backbone) -> np.ndarray:
    """Every value of a pixel as the first layer with weights is given it."""
    first = next(layer for layer in base.model.layers if layer.trainable_weights)
    return keras.Model(base.model.input, first.input).predict(EVERY_VALUE, verbose=0)


@pytest.mark.parametrize("mixed", slow_but(["mixed_bfloat16"], MIXED))  # which has fewer digits
@pytest.mark.parametrize("name", PREPROCESSED)
def test_scaling_loses_nothing_of_a_pixel(name, mixed, policy):
    expected = scaled(backbones.get(name, weights=None, image_size=32))
    policy(mixed)
    base = backbones.get(name, weights=None, image_size=32)
    assert dtypes.policy_of(base.model) == mixed
    found = scaled(base)
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, expected)
    assert {variable.dtype for variable in base.model.trainable_weights} == {"float32"}


@pytest.mark.parametrize("name", ["pixels", "min_max", "standard", "log", "arctan", "power"])
@pytest.mark.parametrize("mixed", MIXED)
def test_scalings_take_what_is_infinite_in_float16(name, mixed, policy):
    data = np.array([[80_000.0, 1.0], [80_256.0, 254.0], [0.0, 255.0]], "float32")
    expected = scaling.get(name, data=data)(data)
    policy(mixed)
    layer = scaling.get(name, data=data)
    found = layer(data)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (found, expected)))
    again = type(layer).from_config(layer.get_config())
    assert again.compute_dtype == "float32"


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("mixed", MIXED)
def test_a_recipe_follows_keras_policy_but_for_scaling_and_head(name, mixed, policy):
    policy(mixed)
    model = RECIPES[name](scaling="pixels")
    kinds = {layer.compute_dtype for layer in model.layers if layer.weights}
    assert kinds == {COMPUTE[mixed], "float32"}
    scales = [layer for layer in model.layers if isinstance(layer, layers.Rescaling)]
    assert [layer.compute_dtype for layer in scales] == ["float32"]
    assert model.layers[-1].compute_dtype == model.output.dtype == "float32"
    assert {variable.dtype for variable in model.weights} == {"float32"}


def block(x):
    """A transformer block, whose layers lie in one another, behind a convolution."""
    x = layers.Rescaling(1 / 127.5, -1, dtype="float32", name="preprocessing")(x)
    x = layers.Conv2D(8, 4, 4, name="patches")(x)
    x = layers.Reshape((-1, 8), name="tokens")(x)
    attended = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.Add(name="add")([x, attended])
    x = layers.LayerNormalization(name="norm")(x)
    inner = keras.Sequential([keras.Input((None, 8)), layers.Dense(8, "gelu")], name="inner")
    return layers.Dense(4, name="last")(inner(x))


@pytest.mark.parametrize("mixed", MIXED)
def test_a_recast_model_is_what_keras_builds_under_the_policy(mixed, policy):
    pictures = keras.Input((16, 16, 3))
    plain = keras.Model(pictures, block(pictures))
    policy(mixed)
    pictures = keras.Input((16, 16, 3))
    expected = keras.Model(pictures, block(pictures))
    expected.set_weights(plain.get_weights())
    policy(FLOAT32)
    found = dtypes.recast(plain, mixed)
    assert dtypes.policy_of(found) == mixed
    assert found.output.dtype == expected.output.dtype == COMPUTE[mixed]
    x = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("float32")
    answers = [
        keras.ops.convert_to_numpy(keras.ops.cast(m(x), "float32")) for m in (found, expected)
    ]
    np.testing.assert_array_equal(*answers)
    back = dtypes.recast(found, FLOAT32)
    assert dtypes.policy_of(back) == FLOAT32
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(m(x)) for m in (back, plain)))


def test_an_object_follows_and_its_own_weights_are_untouched(policy):
    own = build_tiny().backbone
    policy("mixed_bfloat16")
    copy = backbones.get(own)
    assert (dtypes.policy_of(own.model), dtypes.policy_of(copy.model)) == (
        FLOAT32,
        "mixed_bfloat16",
    )
    for one, other in zip(own.model.weights, copy.model.weights, strict=True):
        assert one is not other
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
    assert [stage.name for stage in copy.stages] == [stage.name for stage in own.stages]


@pytest.mark.parametrize("other", ["mixed_float16", "float64"])
def test_what_is_loaded_computes_in_float32(other, policy, run):
    expected = recipes.load(run)
    policy(other)
    found = recipes.load(run)
    assert dtypes.policy_of(found.model) == FLOAT32
    assert setup()[0] == other
    x = np.random.default_rng(0).integers(0, 256, (2, *found.model.input_shape[1:])).astype("uint8")
    np.testing.assert_array_equal(*(m.model.predict(x, verbose=0) for m in (found, expected)))
