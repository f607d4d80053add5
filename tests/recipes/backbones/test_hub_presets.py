"""Presets of KerasHub: folders, names, sizes, and what is said where one cannot be had."""

import re

import numpy as np
import pytest

from recipes import backbones, catalogue
from recipes.backbones.hub.families import FAMILIES
from tests.recipes.backbones.hub_cases import network, own_call, pixels, run

keras_hub = pytest.importorskip("keras_hub", reason="KerasHub is not installed")

LITE0 = {
    "stackwise_width_coefficients": [1.0] * 7,
    "stackwise_depth_coefficients": [1.0] * 7,
    "stackwise_squeeze_and_excite_ratios": [0] * 7,
    "activation": "relu6",
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "stackwise_num_repeats": [1, 2, 2, 3, 3, 4, 1],
    "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
    "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
    "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6],
    "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
    "stackwise_block_types": ["v1"] * 7,
    "batch_norm_epsilon": 1e-3,
    "dropout": 0.0,
}
ODD = 97  # its halves are odd too: KerasHub's padding and TensorFlow's "same" are then one


def test_a_folder_is_read_with_its_preprocessing(tmp_path):
    theirs = network("ViT")
    theirs.save_to_preset(str(tmp_path / "vit"))
    scale, offset = [0.01, 0.02, 0.03], [-0.5, 0.0, 0.5]
    converter = keras_hub.layers.ViTImageConverter(image_size=(32, 32), scale=scale, offset=offset)
    converter.save_to_preset(str(tmp_path / "vit"))
    ours = backbones.get(tmp_path / "vit")
    assert (ours.name, ours.weights, ours.licence) == ("vit", "pretrained", "Apache-2.0")
    x = pixels()
    np.testing.assert_allclose(run(ours.model, x), run(theirs, converter(x)), atol=1e-5)
    initial = backbones.get(tmp_path / "vit", weights=None)
    assert np.abs(run(initial.model, x) - run(ours.model, x)).max() > 1e-3


def test_without_a_converter_the_usual_colours_are_taken_and_told(tmp_path):
    network("ResNet").save_to_preset(str(tmp_path / "plain"))
    assert "as is usual for ResNet" in backbones.get(tmp_path / "plain").preprocessing
    given = backbones.get(tmp_path / "plain", scale=1 / 255, offset=[0, 0, 1])
    assert given.architecture["offset"] == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("family", ["CLIP", "SigLIP", "MetaCLIP2"])
def test_the_vision_tower_is_taken_out_of_a_whole(family, tmp_path):
    tower = network(family)
    text = {"vocabulary_size": 50, "embedding_dim": 16, "hidden_dim": 16, "num_layers": 1}
    text |= {"num_heads": 2, "intermediate_dim": 24, "max_sequence_length": 8}
    stem = {"CLIP": "CLIP", "SigLIP": "SigLIP", "MetaCLIP2": "MetaCLIP2"}[family]
    encoder = getattr(keras_hub.models, f"{stem}TextEncoder")(**text)
    whole = getattr(keras_hub.models, f"{stem}Backbone")(
        tower, encoder, **({"projection_dim": 8} if family != "SigLIP" else {})
    )
    whole.save_to_preset(str(tmp_path / "whole"))
    for given in (whole, tmp_path / "whole"):
        ours = backbones.get(given)
        np.testing.assert_allclose(
            run(ours.model, pixels()), own_call(tower, ours, pixels()), atol=1e-5
        )


def test_the_weights_of_lite0_give_the_features_of_lite0(tmp_path):
    lite = backbones.get("efficientnet_lite0", image_size=ODD)
    theirs = keras_hub.models.EfficientNetBackbone(**LITE0)
    theirs.set_weights(lite.model.get_weights())
    theirs.save_to_preset(str(tmp_path / "lite0"))
    keras_hub.layers.EfficientNetImageConverter(
        image_size=(ODD, ODD), scale=1 / 128, offset=-127 / 128
    ).save_to_preset(str(tmp_path / "lite0"))
    ours = backbones.get(tmp_path / "lite0")
    assert ours.image_size == (ODD, ODD)
    assert 4 <= len(ours.stages) <= 7
    x = pixels(ODD)
    np.testing.assert_allclose(run(ours.model, x), run(lite.model, x), atol=1e-3)


def test_the_table_of_presets_is_that_of_the_installed_kerashub():
    for family in FAMILIES.values():
        names = {family.class_name, family.tower} - {None}
        theirs = {
            preset: values
            for name in names
            for preset, values in getattr(keras_hub.models, name).presets.items()
        }
        ours = {k: v for k, v in catalogue.presets().items() if v.family == family.name}
        assert set(theirs) == set(ours)
        for name, values in theirs.items():
            assert ours[name].parameters == values["metadata"]["params"]
            assert f"kaggle://{ours[name].place[1]}" == values["kaggle_handle"]
            told = _told_size(name, values["metadata"]["description"])
            if told is not None or family.name not in ("CLIP", "DINOv2"):
                assert ours[name].size == told


def _told_size(name, description):
    """The size that a preset's name or description tells; numbers below 224 are of layers."""
    numbers = re.findall(r"_r?(\d{3,4})(?=_|$)", name)
    numbers += re.findall(r"(?:x|size |size of )(\d{3,4})\b", description)
    return next((int(one) for one in numbers if int(one) >= 224), None)


# Patch, width, layers and hidden width of the tower, width and layers of the part that reads text,
# and the width of both outputs: arXiv 2103.00020, table 20; mlfoundations/open_clip, model_configs.
OPEN_CLIP = {
    "clip_vit_b_32_laion2b_s34b_b79k": (32, 768, 12, 3072, 512, 12, 512),
    "clip_vit_base_patch32": (32, 768, 12, 3072, 512, 12, 512),
    "clip_vit_base_patch16": (16, 768, 12, 3072, 512, 12, 512),
    "clip_vit_large_patch14": (14, 1024, 24, 4096, 768, 12, 768),
    "clip_vit_large_patch14_336": (14, 1024, 24, 4096, 768, 12, 768),
    "clip_vit_h_14_laion2b_s32b_b79k": (14, 1280, 32, 5120, 1024, 24, 1024),
    "clip_vit_g_14_laion2b_s12b_b42k": (14, 1408, 40, 6144, 1024, 24, 1024),
    "clip_vit_bigg_14_laion2b_39b_b160k": (14, 1664, 48, 8192, 1280, 32, 1280),
}


@pytest.mark.parametrize("name", OPEN_CLIP)
def test_the_size_of_a_clip_is_the_one_that_its_parameters_have(name):
    patch, *rest = OPEN_CLIP[name]
    entry = catalogue.entries()[name]
    sides = range(patch, 1024, patch)
    fitting = [side for side in sides if _clip_parameters(side, patch, *rest) == entry.parameters]
    assert fitting == [entry.size]


def _clip_parameters(side, patch, width, depth, hidden, text, text_depth, joint):
    """As KerasHub counts: with the places' numbers, which are weights there, of the tower alone."""

    def block(width, hidden):
        return 4 * width * (width + 1) + 2 * width * hidden + width + hidden + 4 * width

    places = (side // patch) ** 2 + 1
    tower = 3 * patch**2 * width + width + places * (width + 1) + depth * block(width, hidden)
    reader = (49_408 + 77) * text + text_depth * block(text, 4 * text) + 2 * text
    return tower + 4 * width + width * joint + reader + text * joint + 1


def test_without_a_network_a_preset_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=r"could not be downloaded .*save_to_preset") as caught:
        backbones.get("vit_base_patch16_224_imagenet")
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'vit_base_patch16_224_imagenet'"):
        backbones.get("vit_base_patch16_224_imagenett")


def test_without_kerashub_the_extra_is_named(monkeypatch, tmp_path):
    network("ViT").save_to_preset(str(tmp_path / "vit"))
    monkeypatch.setattr("recipes.backbones.hub.building.available", lambda: False)
    for name in ("resnet_18_imagenet", tmp_path / "vit"):
        with pytest.raises(ValueError, match=r"pip install keras-model-recipes\[hub\]"):
            backbones.get(name)
