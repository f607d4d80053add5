"""KerasHub's networks: what they are as backbones, held against KerasHub's own call."""

import json
import re

import keras
import numpy as np
import pytest

from recipes import backbones, catalogue
from recipes.backbones.hub.families import FAMILIES
from recipes.transfer import model as transfer_model
from tests.marking import slow_but
from tests.recipes.backbones.hub_cases import CASES, network

keras_hub = pytest.importorskip("keras_hub", reason="KerasHub is not installed")

LARGER = ["ViT", "DeiT", "CLIP", "SigLIP", "MetaCLIP2", "DINOv2"]
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
# One of each way to be built; all are held against KerasHub's own call.
QUICK = ["DINOv3", "EfficientNet", "MobileNet", "ResNet", "SigLIP", "Swin", "ViT"]
ODD = 97  # its halves are odd too: KerasHub's padding and TensorFlow's "same" are then one


def run(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def pixels(side=32, count=2):
    shape = (count, side, side, 3)
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def own_call(theirs, backbone, x):
    """What KerasHub makes of pictures that were preprocessed outside."""
    x = x * np.float32(backbone.architecture["scale"]) + np.float32(backbone.architecture["offset"])
    given = dict.fromkeys(theirs.input, x) if isinstance(theirs.input, dict) else x
    output = theirs(given, training=False)
    if isinstance(output, dict):  # of stages, whose order is another on PyTorch
        output = min(output.values(), key=lambda one: one.shape[1])
    return keras.ops.convert_to_numpy(output)


@pytest.fixture(scope="module", params=CASES)
def pair(request):
    theirs = network(request.param)
    return theirs, backbones.get(theirs)


def test_every_family_has_a_case():
    assert set(CASES) == set(FAMILIES)


def test_it_gives_what_kerashub_gives(pair):
    theirs, ours = pair
    x = pixels()
    np.testing.assert_allclose(run(ours.model, x), own_call(theirs, ours, x), atol=1e-5)


def test_every_stage_begins_where_one_tensor_flows(pair):
    _, ours = pair
    x = pixels()
    whole = run(ours.model, x)
    assert 2 <= len(ours.stages) <= 7
    for index in range(1, len(ours.stages)):
        before = keras.Model(ours.model.input, ours.boundary(index))
        after = keras.Model(ours.boundary(index), ours.model.output)
        value = run(before, x)
        assert value.shape[1:] == ours.boundary(index).shape[1:]  # the cache is made by it
        np.testing.assert_allclose(run(after, value), whole, atol=1e-5)


def test_every_layer_is_in_one_stage(pair):
    named = [name for stage in pair[1].stages for name in stage.layers]
    assert len(named) == len(set(named))
    assert set(named) == {one.name for one in pair[1].model.operations[1:]}


@pytest.mark.parametrize("pair", slow_but(QUICK, CASES), indirect=True)
def test_a_copy_has_weights_of_its_own(pair):
    theirs, ours = pair
    before = [np.array(value) for value in theirs.get_weights()]
    copy = ours.copy()
    for variable in copy.model.trainable_variables:
        variable.assign(keras.ops.zeros(variable.shape))
    np.testing.assert_allclose(run(ours.model, pixels()), own_call(theirs, ours, pixels()), 1e-5)
    for one, other in zip(before, theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    new = ours.copy(pretrained=False, seed=1)
    assert new.weights == "initial"
    kernels = [np.abs(a - b).max() for a, b in _kernels(new, ours)]
    assert max(kernels) > 0


def _kernels(one, other):
    pairs = zip(one.model.weights, other.model.weights, strict=True)
    return [(a.numpy(), b.numpy()) for a, b in pairs if a.name == "kernel"]


@pytest.mark.parametrize("pair", slow_but(QUICK, CASES), indirect=True)
def test_a_run_describes_it_by_values_alone(pair):
    _, ours = pair
    transfer = transfer_model.build(ours, 3, seed=1)
    described = json.loads(json.dumps(transfer.to_dict()))
    again = transfer_model.from_dict(described)
    again.assign(transfer.arrays())
    np.testing.assert_array_equal(run(again.model, pixels()), run(transfer.model, pixels()))


@pytest.mark.parametrize("pair", slow_but(QUICK, CASES), indirect=True)
def test_a_keras_file_of_it_is_read_by_keras(pair, tmp_path):
    transfer = transfer_model.build(pair[1], 3, seed=1)
    transfer.for_file().save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(run(again, pixels()), run(transfer.model, pixels()), atol=1e-6)


def test_a_phase_freezes_all_that_is_inside_of_a_layer(pair):
    from recipes import strategies

    transfer = transfer_model.build(pair[1], 3)
    later = strategies.get("large_similar").phases[-1]
    first = transfer.set_trainable(later)
    stage_of = transfer.stage_of()
    for layer in transfer.model.layers:
        trained = [v for v in layer.trainable_variables if v.trainable]
        if stage_of[layer.name] < first:
            assert not trained
    norms = [one for layer in transfer.model.layers for one in transfer_model.batch_norms(layer)]
    assert not any(norm.trainable for norm in norms) or later.update_batch_norm


@pytest.mark.parametrize("family", LARGER)
def test_position_embeddings_follow_the_size(family):
    """What rises evenly over the patches still does on a finer grid (away from its edges)."""
    theirs = network(family)
    positions = _positions(theirs)
    values = np.array(positions)
    tokens = values.reshape(-1, values.shape[-1])
    rows, columns = np.mgrid[:4, :4]
    tokens[-16:] = (rows + 10.0 * columns).reshape(-1, 1)
    positions.assign(tokens.reshape(values.shape))
    larger = backbones.get(theirs, image_size=64)
    assert larger.model.input_shape == (None, 64, 64, 3)
    found = np.array(_positions(larger.model))
    found = found.reshape(-1, found.shape[-1])
    np.testing.assert_array_equal(found[:-64], tokens[:-16])
    rows, columns = (np.mgrid[:8, :8] + 0.5) / 2 - 0.5
    finer = (rows + 10.0 * columns)[3:5, 3:5]
    np.testing.assert_allclose(found[-64:, 0].reshape(8, 8)[3:5, 3:5], finer, atol=1e-4)
    assert np.isfinite(run(larger.model, pixels(64))).all()


def _positions(model):
    found = [v for v in model.weights if "position_embedding" in v.path]
    return next((v for v in found if "interpolated" in v.path), found[0])


def test_a_file_of_dinov2_is_interpolated_as_kerashub_does_it(tmp_path):
    theirs = network("DINOv2")
    theirs.save_to_preset(str(tmp_path / "dino"))
    there = keras_hub.models.Backbone.from_preset(str(tmp_path / "dino"), image_shape=(48, 48, 3))
    ours = backbones.get(tmp_path / "dino", image_size=48)
    np.testing.assert_allclose(
        run(ours.model, pixels(48)), own_call(there, ours, pixels(48)), atol=1e-5
    )


@pytest.mark.parametrize(
    ("family", "size", "said"),
    [
        ("ViT", 36, "takes multiples of 8, such as 32"),
        ("Swin", 36, "takes multiples of 16"),
        ("MiT", 36, "takes multiples of 8"),
        ("DINOv3", (32, 40), "takes square pictures only"),
        ("DINOv3", 16, "below the least of 32"),
        ("ResNet", 5000, "a side is from 32 to 4,096"),
    ],
)
def test_a_size_that_a_family_cannot_take_is_refused(family, size, said):
    with pytest.raises(ValueError, match=said):
        backbones.get(network(family), image_size=size)


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


def test_a_network_of_texts_is_refused():
    text = keras_hub.models.BertBackbone(50, 1, 2, 8, 16)
    with pytest.raises(ValueError, match="Unknown class of backbone: 'BertBackbone'"):
        backbones.get(text)


def test_of_a_classifier_of_kerashub_backbone_and_colours_are_taken():
    theirs = network("ViT")
    converter = keras_hub.layers.ViTImageConverter(image_size=(32, 32), scale=0.01, offset=-1.0)
    preprocessor = keras_hub.models.ViTImageClassifierPreprocessor(converter)
    whole = keras_hub.models.ViTImageClassifier(theirs, 3, preprocessor=preprocessor)
    ours = backbones.get(whole)
    assert ours.architecture["scale"] == [0.01] * 3
    assert ours.architecture["offset"] == [-1.0] * 3
    np.testing.assert_allclose(run(ours.model, pixels()), own_call(theirs, ours, pixels()), 1e-5)


@pytest.mark.parametrize("family", ["DINOv2", "DINOv3"])
def test_branches_of_dino_are_left_out_whole_and_by_picture_in_training(family):
    """KerasHub's own layer fails on a batch whose size is unknown."""
    config = {**CASES[family], "num_layers": 2, "drop_path_rate": 0.9}
    theirs = getattr(keras_hub.models, FAMILIES[family].class_name)(**config)
    ours = backbones.get(theirs)
    block = [one for one in ours.model._flatten_layers() if hasattr(one, "drop_path")][-1]
    x = np.ones((200, 3, 16), "float32")
    out = keras.ops.convert_to_numpy(block.drop_path(x, training=True)).reshape(200, -1)
    assert (out.min(axis=1) == out.max(axis=1)).all()
    assert set(np.unique(out).round(3)) == {0.0, 10.0}
    assert 0.8 < (out[:, 0] == 0).mean() < 0.98
    head = keras.layers.Dense(2)(ours.model.output[:, 0])
    model = keras.Model(ours.model.input, head)
    model.compile("adam", loss="mse")
    model.fit(pixels(), np.zeros((2, 2)), verbose=0)


def test_of_one_size_only_a_transformer_is_not_trained_on_smaller_pictures():
    transfer = transfer_model.build(network("ViT"), 3)
    with pytest.raises(ValueError, match="one size only"):
        transfer.resized((64, 64))
    convolutions = transfer_model.build(network("MobileNet"), 3)
    smaller = convolutions.resized((64, 64))
    expected = transfer_model.build(network("MobileNet"), 3, image_size=64)
    expected.assign(convolutions.arrays())
    x = pixels(64)
    np.testing.assert_allclose(run(smaller.model, x), run(expected.model, x), atol=1e-6)


def test_a_class_token_has_no_map_and_a_mean_of_patches_has_one():
    from recipes.transfer.explain import explainer

    x = pixels()
    assert explainer(transfer_model.build(network("ViT"), 3)) is None
    for family, side in (("DINOv2", 4), ("Swin", 4), ("MiT", 4)):
        transfer = transfer_model.build(network(family), 3, seed=1)
        maps = explainer(transfer)(x, np.array([0, 2]))
        assert maps.shape == (2, side, side)
        # The classifier is linear in each patch: what all patches say is what their mean says.
        tokens = run(transfer.backbone.model, x).reshape(2, -1, 16)
        tokens = tokens[:, transfer.backbone.prefix :]
        kernel = transfer.model.layers[-1].kernel.numpy()[-16:]
        said = np.einsum("npc,cn->np", tokens, kernel[:, [0, 2]]).clip(0)
        said /= np.maximum(said.max(axis=1, keepdims=True), 1e-12)
        np.testing.assert_allclose(maps.reshape(2, -1), said, atol=1e-5)
