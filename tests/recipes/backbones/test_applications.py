import sys

import keras
import numpy as np
import pytest

from recipes import backbones
from recipes.backbones.applications import applications

# The smallest of each family: the families differ in how their graphs are built.
QUICK = ["ConvNeXtTiny", "MobileNetV2", "MobileNetV3Small", "ResNet50", "VGG16"]
SLOW = [
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "NASNetMobile",
    "ResNet50V2",
    "Xception",
]
FAMILIES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
SIDE = 96


def run(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.fixture(scope="module", params=FAMILIES)
def backbone(request):
    return backbones.get(request.param, weights=None, image_size=SIDE, seed=3)


def test_raw_pictures_give_what_keras_gives_after_its_preprocessing(backbone):
    function = applications()[backbone.name]
    theirs = function(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    theirs.set_weights(backbone.model.get_weights())
    x = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype("float32")
    preprocess = sys.modules[function.__module__].preprocess_input
    expected = run(theirs, preprocess(x.copy()))
    ours = run(backbone.model, x)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_every_stage_begins_where_one_tensor_flows(backbone):
    assert 2 <= len(backbone.stages) <= 7
    x = np.random.default_rng(0).uniform(0, 255, (1, SIDE, SIDE, 3)).astype("float32")
    whole = run(backbone.model, x)
    boundaries = [backbone.boundary(index) for index in range(1, len(backbone.stages))]
    values = keras.Model(backbone.model.input, boundaries)(x, training=False)
    for boundary, value in zip(boundaries, keras.tree.flatten(values), strict=True):
        second = run(keras.Model(boundary, backbone.model.output), value)
        np.testing.assert_allclose(second, whole, rtol=1e-3, atol=1e-4 * np.abs(whole).max())


def test_every_layer_with_weights_is_in_exactly_one_stage(backbone):
    named = [name for stage in backbone.stages for name in stage.layers]
    assert len(named) == len(set(named))
    with_weights = {layer.name for layer in backbone.model.layers if layer.weights}
    assert with_weights <= set(named)


def test_a_local_weights_file_is_read_and_another_models_is_refused(tmp_path):
    source = backbones.get("MobileNetV2", weights=None, image_size=SIDE, seed=1)
    path = tmp_path / "mine.weights.h5"
    source.model.save_weights(path)
    loaded = backbones.get("mobilenet_v2", weights=path, image_size=SIDE, seed=2)
    for one, other in zip(source.model.weights, loaded.model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    with pytest.raises(ValueError, match="does not fit VGG16"):
        backbones.get("VGG16", weights=path, image_size=SIDE)
    with pytest.raises(ValueError, match="there is no file"):
        backbones.get("VGG16", weights=tmp_path / "none.weights.h5", image_size=SIDE)


@pytest.mark.parametrize(
    ("name", "nearest"), [("efficientnet_light0", "efficientnet_lite0"), ("RezNet50", "ResNet50")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"Did you mean '{nearest}"):
        backbones.get(name)


def test_too_small_pictures_are_refused():
    with pytest.raises(ValueError, match="image_size: 16 is below"):
        backbones.get("ResNet50", image_size=16)
    with pytest.raises(ValueError, match="image_size: InceptionV3 cannot be built"):
        backbones.get("InceptionV3", weights=None, image_size=32)
