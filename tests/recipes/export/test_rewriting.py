"""A rewritten model gives the same answers, and ONNX Runtime repeats them."""

import keras
import numpy as np
import pytest
from keras import layers

from recipes import backbones
from recipes.export import FORMATS
from recipes.export.checking import check
from recipes.export.rewriting import rewrite, spelled_out

pytestmark = pytest.mark.tensorflow_only


def normalization(x):
    return layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[4.0, 0.5, 1.0])(x)


def depthwise(x):
    options = {"strides": 2, "padding": "same", "activation": "relu"}
    return layers.Conv2D(3, 3, groups=3, bias_initializer="random_normal", **options)(x)


def gelu(x):
    return layers.Activation("gelu")(layers.Dense(4)(x))


def nested(x):
    inside = keras.Sequential(
        [layers.Normalization(mean=[0.9] * 3, variance=[0.2] * 3), layers.Conv2D(3, 3, groups=3)]
    )
    return inside(x) + 1.0


def grouped(x):
    return layers.Conv2D(6, 3, groups=3)(x)


def ordinary(x):
    return layers.BatchNormalization()(layers.Conv2D(4, 3)(x))


def finish(inputs, x):
    """The body on pixels, and a classifier that is not sure of everything."""
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))


def repeated_in_onnx_runtime(model, path):
    size = model.input_shape[1:]
    pixels = np.random.default_rng(0).integers(0, 256, (64, *size)).astype("uint8")
    labels = {"classes": ["a", "b", "c", "d", "e"]}
    FORMATS["onnx"].write(model, path, labels)
    predict, carried = FORMATS["onnx"].load(path)
    assert carried == labels
    return check(predict, model, pixels)


@pytest.mark.parametrize("body", [normalization, depthwise, gelu, nested, grouped, ordinary])
def test_awkward_layers(body, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    model = finish(inputs, body(layers.Rescaling(1 / 255)(inputs)))
    pixels = np.random.default_rng(1).uniform(0, 255, (16, 8, 8, 3)).astype("float32")
    answers = model.predict(pixels, verbose=0)
    assert answers.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(rewrite(model).predict(pixels, verbose=0), answers, atol=1e-5)
    np.testing.assert_array_equal(model.predict(pixels, verbose=0), answers)
    assert repeated_in_onnx_runtime(model, tmp_path / "model.onnx") <= 1e-5


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("EfficientNetB0", marks=pytest.mark.slow),
        pytest.param("EfficientNetV2B0", marks=pytest.mark.slow),
        pytest.param("ConvNeXtTiny", marks=pytest.mark.slow),
    ],
)
def test_backbones_with_awkward_layers(name, tmp_path):
    backbone = backbones.get(name, weights=None, image_size=32)
    model = finish(backbone.model.input, backbone.model.output)
    assert repeated_in_onnx_runtime(model, tmp_path / "model.onnx") <= 1e-5


@pytest.mark.parametrize(("groups", "filters"), [(4, 4), (2, 4), (4, 8)])
@pytest.mark.parametrize(("padding", "strides"), [("same", 2), ("valid", 1)])
def test_what_is_inside_of_a_layer_is_spelled_out_and_put_back(groups, filters, padding, strides):
    inner = keras.Sequential(
        [
            keras.Input((9, 9, 4)),
            layers.Conv2D(filters, 3, strides=strides, padding=padding, groups=groups),
            layers.Dense(3, activation="gelu"),
        ]
    )
    model = keras.Sequential([keras.Input((9, 9, 4)), inner])
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 4)).astype("float32")
    before = keras.ops.convert_to_numpy(model(x))
    with spelled_out(model):
        assert type(inner.layers[0]) is not layers.Conv2D
        np.testing.assert_allclose(keras.ops.convert_to_numpy(model(x)), before, atol=1e-6)
    assert type(inner.layers[0]) is layers.Conv2D
    assert inner.layers[1].activation is keras.activations.gelu
