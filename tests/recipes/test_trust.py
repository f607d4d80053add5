"""Nothing from a file can run; nothing that was made is lost; changes on the way are noticed."""

import io
import json
import pickle
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import recipes
from recipes import backbones
from recipes.cli import main
from recipes.files import DamagedFileError, read_arrays, read_json, write_arrays
from recipes.images.parts import ArrayCache, Collection
from recipes.run import Run
from recipes.settings import DataSettings
from tests.recipes.images import pictures

OPTIONS = {"image_size": 32, "epochs": 1, "strategy": "small_similar", "verbose": False}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 12, ("cat", "Cat", "dog"))


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    return recipes.fit_folder(photos, output=tmp_path_factory.mktemp("runs") / "run", **OPTIONS)


@pytest.fixture
def copy(run, tmp_path):
    return Path(shutil.copytree(run.folder, tmp_path / "copy"))


class Runs:
    """Leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (Path(self.path), "ran")


def lambda_model(mark):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.json", model.to_json().replace("lambda", f"{mark}"))
        archive.writestr("../../evil.txt", "climbed")
    return buffer.getvalue()


def module_reference(mark):
    config = {"module": "os", "class_name": "system", "config": {"command": f"touch {mark}"}}
    return json.dumps(config).encode()


ATTACKS = {
    "a pickle": lambda mark: pickle.dumps(Runs(mark)),
    "a Lambda layer": lambda_model,
    "a module reference": module_reference,
    "a zip bomb": lambda mark: zipped(b"0" * 50_000_000),
    "nothing": lambda mark: b"",
}


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", content)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_runs_keras_file_is_never_read(name, copy, tmp_path, photos):
    mark = tmp_path / "mark"
    (copy / "model.keras").write_bytes(ATTACKS[name](mark))
    model, classes = recipes.load_classifier(copy)
    assert model.output_shape == (None, 3)
    assert classes == ["Cat", "cat", "dog"]
    assert not mark.exists()


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("file", ["weights.safetensors", "run.json", "novelty.safetensors"])
def test_an_attack_in_the_place_of_another_file_is_refused(name, file, copy, tmp_path, photos):
    mark = tmp_path / "mark"
    (copy / file).write_bytes(ATTACKS[name](mark))
    with pytest.raises(ValueError, match=file.split(".")[0] + "|format"):
        recipes.predict(copy, photos / "cat", verbose=False)
    assert not mark.exists()


def with_model(folder, **changes):
    info = json.loads((folder / "run.json").read_text())
    info["model"] |= changes
    (folder / "run.json").write_text(json.dumps(info))


@pytest.mark.parametrize(
    "changes",
    [
        {"num_classes": 1_000_000_000},
        {"num_classes": -1},
        {"num_classes": "os.system"},
        {"image_size": [10**9, 10**9]},
        {"image_size": [0, 0]},
        {"image_size": "big"},
        {"backbone": "../../evil"},
        {"backbone": "os.system"},
        {"backbone": None},
        {"dropout": 7},
    ],
    ids=str,
)
def test_a_hostile_architecture_is_refused(copy, changes):
    with_model(copy, **changes)
    with pytest.raises(ValueError, match=r"\w"):
        recipes.load_classifier(copy)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(copy, value):
    arrays, info = read_arrays(copy / "weights.safetensors")
    arrays[min(arrays)][:] = value
    write_arrays(copy / "weights.safetensors", arrays, info)
    with pytest.raises(ValueError, match="not finite"):
        recipes.load_classifier(copy)


def test_weights_of_another_shape_are_refused(copy):
    arrays, info = read_arrays(copy / "weights.safetensors")
    arrays[max(arrays)] = np.zeros(10, "float32")
    write_arrays(copy / "weights.safetensors", arrays, info)
    with pytest.raises(ValueError, match="has the shape"):
        recipes.load_classifier(copy)


def test_a_safetensors_header_that_claims_too_much_is_refused(copy):
    path = copy / "weights.safetensors"
    arrays = load_file(path)
    save_file({"0000 w": arrays[min(arrays)]}, path)
    content = path.read_bytes()
    for claim in (2**62, len(content) * 2, 0):
        path.write_bytes(claim.to_bytes(8, "little") + content[8:])
        with pytest.raises(DamagedFileError):
            read_arrays(path)


def test_a_file_that_would_fill_the_memory_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(DamagedFileError, match="bytes"):
        read_json(path)
    with pytest.raises(DamagedFileError, match="bytes"):
        read_arrays(path)
    with pytest.raises(DamagedFileError, match="no regular file"):
        read_arrays("/dev/zero")


def hdf5(tmp_path, kind):
    """A weights file for MobileNetV2 in which one data set is not what it seems."""
    path, secret = tmp_path / "w.weights.h5", tmp_path / "secret.bin"
    secret.write_bytes(b"\7" * 4 * 10**6)
    model = backbones.get("MobileNetV2", weights=None, image_size=32).model
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
        name = next(name for name in names if file[name].ndim == 4)
        shape = file[name].shape
        del file[name]
        if kind == "external":
            file.create_dataset(name, shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, "f4")
            with h5py.File(tmp_path / "other.h5", "w") as other:
                other["x"] = np.full(shape, 7, "f4")
            layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", shape)
            file.create_virtual_dataset(name, layout)
        elif kind == "external link":
            with h5py.File(tmp_path / "other.h5", "w") as other:
                other["x"] = np.full(shape, 7, "f4")
            file[name] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
        else:
            file.create_dataset(name, (1 << 40,), "f4", chunks=(1024,))
    return path


@pytest.mark.parametrize("kind", ["external", "virtual", "external link", "shape bomb"])
def test_hdf5_weights_that_reach_elsewhere_are_refused(kind, tmp_path):
    with pytest.raises(ValueError, match=r"\w"):
        backbones.get("MobileNetV2", weights=str(hdf5(tmp_path, kind)), image_size=32)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(run, photos, tmp_path):
    """Files of more than 2 MB cannot be written; the weights have 16."""
    output = tmp_path / "run"
    shutil.copytree(run.folder, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000));"
        "from recipes.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["fit", photos, "--output", output, "--overwrite", "--image-size", "32"]
    words += ["--strategy", "head_only", "--epochs", "1"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("recipes: error:")]
    assert "too large" in line
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert Run.load(output).classes == run.classes


def test_a_folder_that_cannot_be_written_is_one_clear_line(photos, capsys):
    words = ["fit", str(photos), "--output", "/proc/run", "--image-size", "32"]
    assert main([*words, "--strategy", "head_only"]) == 2
    captured = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("recipes: error:") for line in captured) == 1
    assert "/proc" in captured[-1]


def test_files_that_change_or_go_between_listing_and_reading_are_left_out(tmp_path):
    folder = pictures.make_classes(tmp_path / "photos", 10)
    settings = DataSettings(validation=0.2, test=0.2)
    found = Collection.open(folder, settings, verbose=False)
    frame = found.frame
    train = frame.loc[frame["part"] == "train", "path"].tolist()
    (folder / train[0]).unlink()
    shutil.copy(folder / train[2], folder / train[1])
    with (folder / train[3]).open("ab") as file:
        file.write(b"more")
    cache = ArrayCache(tmp_path / "cache")
    parts, after = found.decoded((8, 8), cache, verbose=False)
    assert len(parts["train"]) == len(train) - 3
    lost = after[after["path"].isin([train[0], train[1], train[3]])]
    assert lost["status"].eq("skipped").all()
    assert lost.set_index("path")["reason"].to_dict() == {
        train[0]: "no such file",
        train[1]: "changed since it was listed",
        train[3]: "changed since it was listed",
    }


def test_classes_that_differ_only_in_case_are_two(run):
    assert run.classes == ["Cat", "cat", "dog"]
    counts = run.dataset.groupby("class").size()
    assert counts.to_dict() == {"Cat": 12, "cat": 12, "dog": 12}


def test_a_run_is_repeated_bit_for_bit_in_another_process(run, tmp_path):
    words = ["rerun", str(run.folder / "run.json"), "--output", str(tmp_path / "again")]
    done = subprocess.run(
        [sys.executable, "-m", "recipes.cli", *words], capture_output=True, text=True, check=True
    )
    assert re.search(r"matches +every weight is the same, bit for bit", done.stdout)
    assert Run.load(tmp_path / "again").metrics == run.metrics


def test_a_rerun_says_what_differs(run, copy, tmp_path):
    info = json.loads((copy / "run.json").read_text())
    info["config"]["seed"] = 1
    info["versions"]["keras"] = "3.0.0"
    (copy / "run.json").write_text(json.dumps(info))
    found = recipes.rerun(copy, output=tmp_path / "again", verbose=False)
    assert not found.same
    assert found.largest_difference > 0
    assert found.conditions["keras"] == ("3.0.0", keras.__version__)
    assert "pictures" in found.conditions


def test_hostile_json_does_not_exhaust_the_stack(tmp_path):
    (tmp_path / "run.json").write_text("[" * 100_000)
    with pytest.raises(DamagedFileError):
        read_json(tmp_path / "run.json")


def test_a_batch_larger_than_the_data_and_a_class_absent_from_validation(tmp_path, tiny):
    small = pictures.make_classes(tmp_path / "small", 6)
    options = {"epochs": 1, "strategy": "small_similar", "backbone": tiny, "verbose": False}
    run = recipes.fit_folder(small, output=tmp_path / "a", batch_size=4096, **options)
    assert len(run.history) == 1
    pictures.make_classes(tmp_path / "parts" / "train", 8)
    shutil.rmtree(pictures.make_classes(tmp_path / "parts" / "val", 4) / "dog")
    run = recipes.fit_folder(tmp_path / "parts", output=tmp_path / "b", **options)
    assert run.classes == ["cat", "dog"]
    assert set(run.dataset.loc[run.dataset["part"] == "validation", "class"]) == {"cat"}
