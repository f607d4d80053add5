"""Every activation, normalization and input scaling in every format, under its own layer's name."""

import keras
import numpy as np
import pytest
from keras import layers

from recipes.export import FORMATS
from recipes.ingredients import activations, normalization, scaling
from tests.recipes.export.test_formats import NEEDS

SIDE, CHANNELS = 8, 4
BEYOND = {"litert": {"arctan"}}  # the runtime has no arctangent of its own


def together(kind, names):
    """One model with a branch for each name, so that a format is written once."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, CHANNELS))
    branches = []
    for name in names:
        x = inputs
        if kind == "activation":
            x = activations.get(name)(x)
        elif kind == "scaling":
            data = np.random.default_rng(0).normal(size=(9, CHANNELS))
            layer = scaling.get(name, data=data)
            x = x if layer is None else layer(x)
        elif name == "weight":
            x = normalization.WeightNormalization(layers.Conv2D(CHANNELS, 3))(x)
        else:
            layer = normalization.get(name, CHANNELS)
            x = x if layer is None else layer(x)
        branches.append(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.Concatenate()(branches)))


KINDS = {
    "activation": activations.names(),
    "normalization": normalization.names(),
    "scaling": list(scaling.NAMES),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_models_answers(kind, format, tmp_path):
    for package in NEEDS.get(format, []):
        pytest.importorskip(package)
    form = FORMATS[format]
    if keras.backend.backend() not in form.backends:
        pytest.skip("another backend writes it")
    model = together(kind, [name for name in KINDS[kind] if name not in BEYOND.get(format, ())])
    path = tmp_path / form.file
    form.write(model, path, {"classes": ["a", "b", "c"]})
    predict, labels = form.load(path)
    assert labels == {"classes": ["a", "b", "c"]}
    x = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, CHANNELS)).astype("float32")
    np.testing.assert_allclose(predict(x), model.predict(x, verbose=0), atol=1e-5)


def of_one_place(name):
    """A network that normalizes twice where a map has come down to one place."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, CHANNELS))
    x = inputs
    for size in (SIDE, 1):
        x = layers.Conv2D(8, size)(x)
        x = layers.ReLU()(normalization.get(name, 8)(x))
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.Flatten()(x)))


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", ["filter_response", "layer", "local_response", "rms", "unit"])
def test_a_norm_of_one_place_is_exported_to_onnx(name, tmp_path):
    pytest.importorskip("tf2onnx")
    model, path = of_one_place(name), tmp_path / "model.onnx"
    FORMATS["onnx"].write(model, path, {"classes": ["a", "b", "c"]})
    predict, _ = FORMATS["onnx"].load(path)
    x = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, CHANNELS)).astype("float32")
    np.testing.assert_allclose(predict(x), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layers_name_is_one_that_every_runtime_takes(kind):
    for layer in together(kind, KINDS[kind]).layers:
        assert layer.name[0].isalpha(), layer.name
        assert layer.name.isidentifier(), layer.name
