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
from recipes.cli import main
from recipes.export import FORMATS, ExportError, export_run
from tests.recipes.images import pictures

NEEDS = {
    "onnx": ["tf2onnx", "onnxruntime"],
    "web": ["tf2onnx", "onnxruntime"],
    "litert": ["ai_edge_litert"],
    "torch": ["torch"],
}


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
    (tmp_path / "alpha.png").write_bytes(pictures.GOOD["alpha.png"])
    files += [str(tmp_path / name) for name in ("large.jpg", "alpha.png")]
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
        ["alpha.png", "large.jpg", path.name, "m_predict.py"]
    )


@pytest.mark.parametrize("format", FORMATS)
def test_a_script_is_python_whatever_the_files_name(format):
    text = FORMATS[format].script('it\'s "a" \\n.file', (64, 32))
    compile(text, "predict.py", "exec")
    assert text.endswith("""    main(load, 'it\\'s "a" \\\\n.file', (64, 32))\n""")
    assert "import recipes" not in text
    assert "from recipes" not in text


def test_nothing_is_left_of_a_refused_file(run, tmp_path, monkeypatch):
    def fails(self, model, path, labels):
        path.write_bytes(b"half")
        raise ExportError("no")

    monkeypatch.setattr(type(FORMATS["litert"]), "write", fails)
    (tmp_path / "m.tflite").write_bytes(b"before")
    with pytest.raises(ExportError):
        export_run(run.folder, "litert", output=tmp_path / "m.tflite", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["m.tflite"]
    assert (tmp_path / "m.tflite").read_bytes() == b"before"


def written(self, model, path, labels):
    """In the place of a format's own: what is asked is not about the file."""
    path.write_bytes(b"a file")


def test_a_missing_package_is_named_with_its_extra(run, tmp_path, monkeypatch):
    monkeypatch.setattr(type(FORMATS["litert"]), "write", written)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match=r"ai_edge_litert.*\[export\]"):
        export_run(run.folder, "litert", output=tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


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


def test_the_pictures_may_have_moved(run, photos, tmp_path, monkeypatch):
    copy = Path(shutil.copytree(run.folder, tmp_path / "run"))
    info = json.loads((copy / "run.json").read_text())
    info["config"]["folder"] = str(tmp_path / "gone")
    (copy / "run.json").write_text(json.dumps(info))
    seen = []
    monkeypatch.setattr(type(FORMATS["litert"]), "write", written)
    monkeypatch.setattr("recipes.export.check_file", lambda *given: seen.append(given[-1]))
    with pytest.raises(FileNotFoundError, match="name a folder of pictures"):
        export_run(copy, "litert")
    assert export_run(copy, "litert", pictures=photos).name == "model.tflite"
    files = [path.relative_to(photos) for path in photos.rglob("*.png")]
    known = {picture.tobytes() for picture in pictures.read(photos, files)}
    assert {picture.tobytes() for picture in seen[0]} <= known
