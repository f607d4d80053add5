"""Exported files in their own runtimes, on real (generated) pictures."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recipes
from recipes import export as export_module
from recipes.cli import main
from recipes.export import FORMATS, ExportError, check, export_run
from recipes.images.decode import decode
from tests.recipes.images import pictures
from tests.recipes.transfer.tiny import SIDE, build_tiny

CLASSES = ("a b", "<script>", "日本")
NEEDS = {
    "onnx": ["tf2onnx", "onnxruntime"],
    "litert": ["ai_edge_litert"],
    "torch": ["torch"],
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 24, CLASSES)


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "photos"
    options = {"image_size": 32, "epochs": 2, "strategy": "small_similar", "verbose": False}
    return recipes.fit_folder(photos, output=output, **options)


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_and_its_script_give_the_models_answers(format, run, photos, tmp_path):
    for package in NEEDS.get(format, []):
        pytest.importorskip(package)
    path = export_run(run.folder, format, output=tmp_path / f"m{FORMATS[format].suffix}")
    files = [str(path) for path in sorted(photos.rglob("*.png"))[:3]]
    large = np.random.default_rng(0).integers(0, 256, (200, 300, 3), "uint8")
    turned = Image.Exif()
    turned[0x0112] = 6  # lies on its side
    Image.fromarray(large).resize((900, 600)).save(tmp_path / "large.jpg", exif=turned)
    files.append(str(tmp_path / "large.jpg"))
    said = subprocess.run(
        [sys.executable, tmp_path / "m_predict.py", *files],
        capture_output=True, text=True, check=True, cwd="/", env={**os.environ, "PYTHONPATH": ""},
    ).stdout  # fmt: skip
    expected = recipes.predict(run.folder, files, verbose=False)
    for line, row in zip(said.splitlines(), expected.itertuples(), strict=True):
        name, label, probability = line.split("\t")
        assert (name, label) == (row.file, row.label)
        assert float(probability) == pytest.approx(row.probability, abs=2e-4)
    with pytest.raises(FileExistsError, match="allow overwrite"):
        export_run(run.folder, format, output=path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["large.jpg", path.name, "m_predict.py"]
    )


def test_opencv_reads_the_onnx_file(run, photos, tmp_path):
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("tf2onnx")
    path = export_run(run.folder, "onnx", output=tmp_path / "m.onnx")
    network = cv2.dnn.readNetFromONNX(str(path))
    model, _ = recipes.load_classifier(run.folder)
    pixels = [decode(p, (32, 32)) for p in sorted(photos.rglob("*.png"))[:4]]
    for size in (1, 4):
        batch = np.stack(pixels[:size]).astype("float32")
        network.setInput(batch)
        np.testing.assert_allclose(network.forward(), model.predict(batch, verbose=0), atol=1e-5)


def test_the_class_names_travel_inside(run, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    written = onnx.load(export_run(run.folder, output=tmp_path / "m.onnx"))
    (classes,) = [one.value for one in written.metadata_props if one.key == "classes"]
    assert json.loads(classes) == run.classes
    assert len(written.graph.input) == 1


def perturbed(model, by):
    return lambda batch: model.predict_on_batch(batch) + by


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        (lambda model: perturbed(model, 1e-4), "differ by 0.0001"),
        (lambda model: perturbed(model, np.nan), "differ by nan"),
        (lambda model: lambda batch: np.zeros((len(batch), 7)), "the shape"),
        (lambda model: lambda batch: 1 / 0, "A batch of 1 fails: division"),
        (
            lambda model: (
                lambda batch: (
                    model.predict_on_batch(batch) if len(batch) == 1 else np.zeros((len(batch), 3))
                )
            ),
            "in a batch of 4",
        ),
    ],
)
def test_a_file_that_differs_is_refused(predict, words):
    model = build_tiny().model
    pixels = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE, 3), "uint8")
    assert check(perturbed(model, 1e-7), model, pixels) < 1e-5
    with pytest.raises(ExportError, match=words):
        check(predict(model), model, pixels)


def test_nothing_is_left_of_a_refused_file(run, tmp_path, monkeypatch):
    def fails(model, path, classes):
        path.write_bytes(b"half")
        raise ExportError("no")

    broken = FORMATS["litert"].__class__(".tflite", ("tensorflow",), fails, None, "")
    monkeypatch.setitem(export_module.FORMATS, "litert", broken)
    (tmp_path / "m.tflite").write_bytes(b"before")
    with pytest.raises(ExportError):
        export_run(run.folder, "litert", output=tmp_path / "m.tflite", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["m.tflite"]
    assert (tmp_path / "m.tflite").read_bytes() == b"before"


def test_bad_input_is_one_clear_line(run, tmp_path, capsys):
    cases = [
        ([str(run.folder), "--format", "onx"], "'onx'"),
        ([str(tmp_path / "none")], "no run folder"),
        ([str(run.folder), "--output", str(tmp_path / "no" / "m.onnx")], "no folder"),
        ([str(run.folder), "--pictures", str(tmp_path)], "name a folder of pictures"),
    ]
    for words, expected in cases:
        assert main(["export", *words]) == 2
        said = capsys.readouterr().err
        assert expected in said
        assert said.count("\n") == 1


def test_the_pictures_may_have_moved(run, photos, tmp_path):
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    info = json.loads((copy / "run.json").read_text())
    info["config"]["folder"] = str(tmp_path / "gone")
    (copy / "run.json").write_text(json.dumps(info))
    with pytest.raises(FileNotFoundError, match="name a folder of pictures"):
        export_run(copy, "litert")
    assert export_run(copy, "litert", pictures=photos).name == "model.tflite"
