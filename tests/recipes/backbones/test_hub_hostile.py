"""Preset folders and descriptions of networks that may be anybody's."""

import json
import os
import pickle
import resource

import h5py
import keras
import numpy as np
import pytest

from recipes import backbones
from recipes.backbones.hub.families import FAMILIES
from recipes.backbones.hub.values import MOST
from recipes.transfer import model as transfer_model
from tests.recipes.backbones.hub_cases import network

pytest.importorskip("keras_hub", reason="KerasHub is not installed")

DESCRIPTION = {"backbone": "x", "image_size": [32, 32], "num_classes": 3, "dropout": 0.2}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = tmp_path_factory.mktemp("presets") / "vit"
    network("ViT").save_to_preset(str(place))
    return place


@pytest.fixture
def folder(whole, tmp_path):
    for name in ("config.json", "model.weights.h5"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def architecture():
    return json.dumps(backbones.get(network("ViT")).architecture)


def changed(folder, **changes):
    """Put other values into the configuration; None takes one away."""
    content = json.loads((folder / "config.json").read_text())
    for name, value in changes.items():
        place = (
            content if name in ("class_name", "registered_name", "module") else content["config"]
        )
        place[name] = value
    (folder / "config.json").write_text(json.dumps(content))


HOSTILE = {
    "num_layers": [10**9, -1, 0, 2.5, "3", True, None, [3], float("nan")],
    "hidden_dim": [10**9, MOST, {"class_name": "Lambda"}],
    "patch_size": [[8, 8, "8"], [], "os.system", [8] * 10_000],
    "image_shape": [[32, 32, 4], [10**6, 10**6, 3], [32, None, 3], "32"],
    "dropout_rate": [1.0, -0.1, float("inf"), "0"],
    "data_format": ["channels_first", {"module": "os", "class_name": "system"}],
    "evil": [1],
    "use_mha_bias": [{"module": "builtins", "class_name": "eval", "config": {}}, 1],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in HOSTILE.items() for value in values]
)
def test_a_hostile_value_is_refused_in_one_short_line(name, value, folder, architecture):
    changed(folder, **{name: value})
    values = json.loads(architecture)
    values["values"][name] = value
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for attempt in (
        lambda: backbones.get(folder),
        lambda: transfer_model.from_dict({**DESCRIPTION, "architecture": values}),
    ):
        with pytest.raises(ValueError, match=r"\w") as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # a gigabyte


@pytest.mark.parametrize("family", FAMILIES)
def test_every_value_of_every_family_has_a_bound(family):
    for name, kind in FAMILIES[family].kinds.items():
        for wrong in (10**9, [10**9], [[10**9]], float("inf"), ["x" * 9], {"a": 1}, [[[1]]]):
            assert not kind.fits(wrong), (name, wrong)


@pytest.mark.parametrize(
    "kind",
    ["Functional", "Lambda", "ResNetBackbonee", "../../evil", "os.system", None, 7, ["ViT"]],
)
def test_a_class_that_is_not_on_the_list_is_refused(kind, folder):
    changed(folder, class_name=kind)
    with pytest.raises(ValueError, match="Unknown class in"):
        backbones.get(folder)


def test_the_names_of_modules_in_a_folder_mean_nothing(folder, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    changed(folder, module="evil", registered_name="evil>ViTBackbone")
    for name in ("task.json", "preprocessor.json", "tokenizer.json"):
        (folder / name).write_text('{"module": "evil", "class_name": "Evil", "config": {}}')
    backbones.get(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'{"class_name": "ViTBackbone"}', pickle.dumps(1), b"[" * 100_000],
)
def test_a_damaged_configuration_is_refused(content, folder):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.json|class"):
        backbones.get(folder)


@pytest.mark.parametrize(
    "content",
    [
        {"scale": "big"},
        {"scale": [1, 2]},
        {"scale": [[1], [2], [3]]},
        {"offset": float("nan")},
        {"mean": [1, 1, 1], "variance": [0, 0, 0]},
        {"mean": [1, 1, 1], "variance": [-1, 1, 1]},
        {"image_size": [1, "2"]},
        [],
        7,
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_hostile_converter_is_refused(content, folder):
    text = json.dumps({"class_name": "ViTImageConverter", "config": content})
    (folder / "image_converter.json").write_text(text)
    with pytest.raises(ValueError, match=r"image_converter\.json"):
        backbones.get(folder)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "image_converter.json"])
def test_a_link_out_of_the_folder_is_refused(name, folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret"
    elsewhere.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"{}")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(ValueError, match="link out of its folder"):
        backbones.get(folder)


def test_what_is_no_file_is_refused(folder):
    (folder / "model.weights.h5").unlink()
    os.mkfifo(folder / "model.weights.h5")
    with pytest.raises(ValueError, match="no regular file"):
        backbones.get(folder)
    (folder / "model.weights.h5").unlink()
    with pytest.raises(ValueError, match=r"holds no model\.weights\.h5"):
        backbones.get(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match=r"no preset: it holds no config\.json"):
        backbones.get(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_file_of_weights_is_refused(share, folder):
    content = (folder / "model.weights.h5").read_bytes()
    (folder / "model.weights.h5").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="does not fit this ViTBackbone") as caught:
        backbones.get(folder)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(folder):
    network("ResNet").save_weights(folder / "model.weights.h5")
    with pytest.raises(ValueError, match="does not fit this ViTBackbone"):
        backbones.get(folder)
    other = keras.models.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    other.save_weights(folder / "other.weights.h5")
    with pytest.raises(ValueError, match="does not fit this ViTBackbone"):
        backbones.get(folder, weights=folder / "other.weights.h5")


def test_weights_that_are_no_numbers_are_refused(folder):
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        _, data = dataset(file)
        data[...] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        backbones.get(folder)


def dataset(file):
    """The first array of a file."""
    found = []
    file.visititems(lambda name, one: found.append(name) if hasattr(one, "shape") else None)
    name = next(name for name in found if file[name].shape)
    return name, file[name]


@pytest.mark.parametrize("kind", ["external", "external link", "soft link", "shape bomb"])
def test_an_hdf5_file_cannot_read_other_files_or_fill_the_memory(kind, folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 4_000_000)
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        name, data = dataset(file)
        shape = data.shape
        del file[name]
        if kind == "external":
            file.create_dataset(name, shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        elif kind == "external link":
            file[name] = h5py.ExternalLink(str(secret), "/x")
        elif kind == "soft link":
            file[name] = h5py.SoftLink("/nowhere")
        else:
            file.create_dataset(name, (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")
    with pytest.raises(ValueError, match="does not fit this ViTBackbone"):
        backbones.get(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"family": "os.system"},
        {"family": None},
        {"scale": [1, 2]},
        {"scale": 7},
        {"offset": ["0", 0, 0]},
        {"values": []},
        {"values": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_hostile_description_is_refused(changes, architecture):
    values = {**json.loads(architecture), **changes}
    with pytest.raises(ValueError, match="model"):
        transfer_model.from_dict({**DESCRIPTION, "architecture": values})
    for other in (7, [], "ViT", None):
        with pytest.raises(ValueError, match="model"):
            transfer_model.from_dict({**DESCRIPTION, "architecture": other})


def test_a_description_of_two_sizes_is_refused(architecture):
    values = {**DESCRIPTION, "image_size": [64, 64], "architecture": json.loads(architecture)}
    with pytest.raises(ValueError, match="but its network takes"):
        transfer_model.from_dict(values)
