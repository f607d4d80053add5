"""KerasHub's networks: what they are as backbones, held against KerasHub's own call."""

import json

import keras
import numpy as np
import pytest

from recipes import backbones
from recipes.backbones.hub.families import FAMILIES
from recipes.transfer import model as transfer_model
from tests.marking import slow_but
from tests.recipes.backbones.hub_cases import CASES, network, own_call, pixels, run

keras_hub = pytest.importorskip("keras_hub", reason="KerasHub is not installed")

LARGER = ["ViT", "DeiT", "CLIP", "SigLIP", "MetaCLIP2", "DINOv2"]
# One of each way to be built; all are held against KerasHub's own call.
QUICK = ["DINOv3", "EfficientNet", "MobileNet", "ResNet", "SigLIP", "Swin", "ViT"]


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
