"""The table of backbones, held against the libraries themselves."""

import subprocess
import sys

import pytest

from recipes import backbones, catalogue
from recipes.backbones import applications, efficientnet_lite


def test_the_table_has_every_name_and_no_other():
    assert list(catalogue.entries()) == backbones.names()


@pytest.mark.parametrize("name", ["efficientnet_lite0", "MobileNetV2", "ResNet50"])
def test_the_numbers_are_those_of_the_networks(name):
    _check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*efficientnet_lite.VARIANTS, *applications.applications()])
def test_the_numbers_of_all_are_those_of_the_networks(name):
    _check(name)


def _check(name):
    entry = catalogue.entries()[name]
    backbone = backbones.get(name, weights=None)
    assert entry.parameters == backbone.model.count_params()
    assert (entry.size, entry.size) == backbone.image_size


def test_it_is_listed_without_keras():
    code = "import sys; from recipes.cli import main; main(['backbones']); "
    code += "print(sorted({'keras', 'tensorflow', 'keras_hub', 'numpy'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = said.stdout.splitlines()
    assert lines[-1] == "[]"
    assert lines[0].split() == [*catalogue.HEADER]
    assert len(lines) == len(catalogue.entries()) + 2


def test_what_was_downloaded_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    here = [name for name, entry in catalogue.entries().items() if entry.is_here]
    assert all(name.startswith("efficientnet_lite") for name in here)
    (tmp_path / "models").mkdir()
    files = ["resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "efficientnetv2-b0_notop.h5"]
    files += ["mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"]
    files += ["weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"]
    for name in files:
        (tmp_path / "models" / name).touch()
    preset = catalogue.entries()["resnet_18_imagenet"]
    place = tmp_path / "hub" / "models" / preset.place[1]
    place.mkdir(parents=True)
    (place / catalogue.WEIGHTS).touch()
    now = {name for name, entry in catalogue.entries().items() if entry.is_here} - set(here)
    assert now == {
        *("ResNet50V2", "EfficientNetV2B0", "MobileNetV2", "MobileNetV3Small"),
        "resnet_18_imagenet",
    }
