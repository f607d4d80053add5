"""Torchvision's and timm's weights in the recipes give their networks' logits."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import torch

import recipes
from tests.reference import seeded

RECORDS = json.loads(
    (Path(__file__).parents[2] / "reference" / "torch_classifiers.json").read_text("utf-8")
)
CLASSES = 7
NARROW_VGG = {"depth": 11, "widths": (8, 8, 16, 16, 16), "units": (32, 32)}
DENSENET = {"depth": (2, 3), "growth": 8, "stem": "large"}
TORCH = {"convention": "torch", "stem": "large"}
VIT = {"patch_size": 8, "width": 32, "depth": 2, "heads": 2}
V2 = {"width": 0.5, **TORCH}
V3 = {"version": 3, "width": 0.5, **TORCH}
EPSILON = {"normalization": keras.layers.BatchNormalization(epsilon=1e-5)}  # of timm's version 3
BUILDS = {
    "resnet18": (recipes.resnet, {"depth": 18, **TORCH}),
    "resnet50": (recipes.resnet, {"depth": 50, **TORCH}),
    "resnext": (
        recipes.resnet,
        {"depth": (1, 1, 1, 1), "bottleneck": True, "groups": 32, **TORCH},
    ),
    "wide_resnet": (
        recipes.resnet,
        {"depth": (1, 1, 1, 1), "bottleneck": True, "width_factor": 2, **TORCH},
    ),
    "seresnet": (
        recipes.resnet,
        {"depth": (1, 1, 1, 1), "bottleneck": True, "squeeze_excitation": 16, **TORCH},
    ),
    "alexnet": (
        recipes.alexnet,
        {
            "widths": (64, 192, 384, 256, 256),
            "units": (32, 32),
            "groups": 1,
            "normalization": "none",
        },
    ),
    "vgg11": (recipes.vgg, NARROW_VGG),
    "vgg11_bn": (recipes.vgg, {**NARROW_VGG, "normalization": "batch"}),
    "vgg11_timm": (recipes.vgg, {"depth": (1, 1, 1, 1, 1), "widths": (8, 8, 16, 16, 16)}),
    "densenet": (recipes.densenet, DENSENET),
    "densenet_timm": (recipes.densenet, DENSENET),
    "mobilenet_v2": (recipes.mobilenet, V2),
    "mobilenet_v2_timm": (recipes.mobilenet, V2),
    "mobilenet_v3_large": (recipes.mobilenet, V3),
    "mobilenet_v3_small": (recipes.mobilenet, {**V3, "size": "small"}),
    "mobilenet_v3_timm": (recipes.mobilenet, {**V3, "size": "small", "width": 1.0, **EPSILON}),
    "efficientnet": (recipes.efficientnet, {"width": 0.25, "depth": 0.5, "stem": "large"}),
    "efficientnet_timm": (recipes.efficientnet, {"stem": "large"}),
    "squeezenet": (recipes.squeezenet, {}),
    "convnext": (recipes.convnext, {"widths": (16, 32), "depths": (2, 1)}),
    "convnext_timm": (recipes.convnext, {"widths": (8, 16, 16, 24), "depths": (1, 2, 1, 1)}),
    "vit": (recipes.vit, VIT),
    "vit_timm": (recipes.vit, VIT),
    "mlp_mixer": (recipes.mlp_mixer, {"patch_size": 8, "width": 32, "depth": 2}),
}


def built(name, classes=CLASSES, **choices):
    recipe, size = BUILDS[name]
    side = RECORDS[name]["side"]
    return recipe((side, side, 3), classes, scaling=None, **{**size, **choices})


def logits_of(model, side):
    head = model.get_layer("predictions")
    features = keras.Model(model.input, head.input)(seeded.pictures(side), training=False)
    return keras.ops.convert_to_numpy(keras.ops.matmul(features, head.kernel) + head.bias)


def test_every_record_has_a_recipe():
    assert set(BUILDS) == set(RECORDS)


@pytest.mark.parametrize("name", BUILDS)
def test_the_logits_are_those_of_pytorch(name):
    record, model = RECORDS[name], built(name)
    table = recipes.assign_torch_weights(model, seeded.weights(record["shapes"], record["gain"]))
    assert set(table["status"]) == {"assigned"}
    expected = np.array(record["logits"])
    assert np.abs(expected[0] - expected[1]).max() > 0.1, "they tell nothing apart"
    np.testing.assert_allclose(logits_of(model, record["side"]), expected, rtol=0, atol=1e-4)


def weights_of(name):
    return seeded.weights(RECORDS[name]["shapes"], RECORDS[name]["gain"])


def test_what_is_not_pytorchs_is_refused_and_nothing_is_assigned():
    arrays = weights_of("resnet18")
    arrays["layer5.0.conv1.weight"] = arrays.pop("layer1.0.conv1.weight")
    model = built("resnet18")
    before = model.get_weights()
    text = r"1 layers have no array: layer1_0_conv1; 1 arrays are of no layer: layer5\.0\.conv1\.w"
    with pytest.raises(ValueError, match=text):
        recipes.assign_torch_weights(model, arrays)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "mobilenet_v3_small"])
def test_a_model_that_pads_as_keras_does_is_refused(name):
    with pytest.raises(ValueError, match=r'model: .* build it with convention="torch"'):
        recipes.assign_torch_weights(built(name, convention="keras"), weights_of(name))


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="weights: they are of another network"):
        recipes.assign_torch_weights(built("vit"), weights_of("convnext"))
    with pytest.raises(ValueError, match="variables do not fit"):
        recipes.assign_torch_weights(built("mobilenet_v2", width=1.0), weights_of("mobilenet_v2"))


def test_a_classifier_for_other_classes_keeps_its_own_weights():
    model = built("vit", classes=3)
    state = {name: torch.from_numpy(array) for name, array in weights_of("vit").items()}
    kernel = model.get_layer("predictions").get_weights()[0]
    with pytest.raises(ValueError, match=r"heads\.head|head\.weight has the shape"):
        recipes.assign_torch_weights(model, state)
    table = recipes.assign_torch_weights(model, state, strict=False)
    assert table["status"].value_counts().to_dict() == {
        "assigned": len(model.weights) - 2,
        "another shape": 2,
    }
    np.testing.assert_array_equal(model.get_layer("predictions").get_weights()[0], kernel)


def test_a_bias_before_a_norm_is_taken_off_its_mean_but_not_elsewhere():
    arrays = weights_of("resnet18")
    arrays["conv1.bias"] = np.ones(64, "float32")
    model = built("resnet18")
    recipes.assign_torch_weights(model, arrays)
    mean = model.get_layer("bn1").get_weights()[2]
    np.testing.assert_allclose(mean, arrays["bn1.running_mean"] - 1, rtol=1e-6)
    arrays["pos_embed.bias"] = np.ones(32, "float32")
    with pytest.raises(ValueError, match=r"1 arrays are of no layer: pos_embed\.bias"):
        recipes.assign_torch_weights(model, arrays)


@pytest.mark.parametrize(
    "normalization", ["frozen_batch", "sync_batch", ("batch", {"momentum": 0.5})]
)
def test_the_logits_stay_with_every_kind_of_batch_norm(normalization):
    record, model = RECORDS["seresnet"], built("seresnet", normalization=normalization)
    recipes.assign_torch_weights(model, weights_of("seresnet"))
    found = logits_of(model, record["side"])
    np.testing.assert_allclose(found, np.array(record["logits"]), rtol=0, atol=1e-4)


def test_all_that_is_wrong_is_one_error():
    arrays = weights_of("resnet18")
    del arrays["layer1.0.bn1.running_var"]
    arrays["extra.weight"] = np.ones(3)
    text = r"1 arrays are of no layer: extra\.weight; 1 variables do not fit: layer1\.0\.bn1\.run"
    with pytest.raises(ValueError, match=text):
        recipes.assign_torch_weights(built("resnet18"), arrays)
    del arrays["extra.weight"], arrays["fc.bias"]  # only before a norm is no bias as good as zeros
    with pytest.raises(ValueError, match=r"2 variables do not fit: .*fc\.bias is not there"):
        recipes.assign_torch_weights(built("resnet18"), arrays)


def test_a_model_that_pads_as_keras_does_is_refused_though_not_everything_has_to_fit():
    model = built("resnet18", classes=3, convention="keras")
    with pytest.raises(ValueError, match=r'model: .* build it with convention="torch"'):
        recipes.assign_torch_weights(model, weights_of("resnet18"), strict=False)


STATES = {
    "in training": lambda tensor: torch.nn.Parameter(tensor),
    "bfloat16": lambda tensor: tensor.to(torch.bfloat16),
    "float16": lambda tensor: tensor.to(torch.float16),
    "float64": lambda tensor: tensor.to(torch.float64),
}


@pytest.mark.parametrize("kind", STATES)
def test_tensors_of_any_kind_are_taken(kind):
    arrays, model = weights_of("vit"), built("vit")
    state = {f"module.{name}": STATES[kind](torch.from_numpy(a)) for name, a in arrays.items()}
    table = recipes.assign_torch_weights(model, state)
    assert set(table["status"]) == {"assigned"}
    kernel = keras.ops.convert_to_numpy(model.get_layer("blocks_0_mlp_fc1").kernel)
    expected = arrays["encoder.layers.encoder_layer_0.mlp.0.weight"].T
    np.testing.assert_allclose(kernel, expected, rtol=0.01)


NO_STATES = [
    (torch.nn.Linear(3, 3), r"arrays: Linear is not a mapping .* take a module's state_dict\(\)"),
    ("resnet50.pth", r"arrays: str is not a mapping .* recipes\.load_torch_checkpoint"),
    ({}, "layers have no array"),
    ({"state_dict": {"conv1.weight": 1}, "epoch": 3}, "arrays: state_dict are not arrays of num"),
]


@pytest.mark.parametrize(("arrays", "text"), NO_STATES)
def test_what_is_no_state_is_refused(arrays, text):
    with pytest.raises(ValueError, match=text):
        recipes.assign_torch_weights(built("vit"), arrays)


def test_kernels_that_are_normalized_are_transposed_too():
    model = recipes.mlp(5, 5, units=(5,), normalization="weight")
    (wrapped,) = (layer for layer in model.layers if hasattr(layer, "g"))
    arrays = {"a.weight": np.arange(25.0).reshape(5, 5), "a.bias": np.zeros(5), "a.g": np.ones(5)}
    recipes.assign_torch_weights(model, arrays, {wrapped.name: "a"})
    kernel = keras.ops.convert_to_numpy(wrapped.layer.kernel)
    np.testing.assert_array_equal(kernel, arrays["a.weight"].T)
