"""A finished run as a file for another runtime, checked there on real pictures.

Keras' own exporters write the file; before it is given its name, a second runtime has to repeat
the model's probabilities. The file takes pictures as they are, 0 to 255, in batches of any size,
and carries its labels: the class names.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import keras

from recipes.backbones.base import Backbone
from recipes.dtypes import scope
from recipes.export.base import ExportError, Format
from recipes.export.checking import check_file, real_pictures
from recipes.export.litert import LiteRT
from recipes.export.onnx import Onnx
from recipes.export.saved_model import SavedModel
from recipes.export.torch import Torch
from recipes.export.web import Web, runtime_in
from recipes.files import checked_path, write_text
from recipes.lookup import find
from recipes.run import Run
from recipes.settings import FLOAT32
from recipes.transfer import novelty
from recipes.transfer.results import labels_of, model_of

FORMATS: dict[str, Format] = {
    format.name: format for format in (Onnx(), SavedModel(), LiteRT(), Torch(), Web())
}
_MODULE = "from recipes.export import main; main()"


@scope(FLOAT32)
def export_run(
    run: str | Path,
    format: str = "onnx",
    *,
    output: str | Path | None = None,
    pictures: str | Path | None = None,
    runtime: str | Path | None = None,
    overwrite: bool = False,
    backbone: Backbone | keras.Model | None = None,
) -> Path:
    """Write a finished run as a file for another runtime, and check it there.

    Beside the file a script `<name>_predict.py` is written that predicts with it without this
    library. It computes in float32, whatever the run was trained in.

    Args:
        run: the run folder.
        format: "onnx", "saved_model", "litert", "torch", or "web" for a page to try it on.
        output: the file (a folder for "saved_model" and "web"); in the run folder by default.
        pictures: a folder of pictures to check with; those that the run was trained on by default.
        runtime: of "web": the folder of the npm package onnxruntime-web, of which a copy goes
            beside the page; by default the page loads it from its public address.
        overwrite: replace what is at `output`.
        backbone: that the run was trained with, where it was an object that the run does not keep.

    Returns:
        The path of the file.

    Raises:
        FileExistsError: there is something at `output`.
        FileNotFoundError: there is no such run, or its pictures are gone and no others are named.
        ExportError: the second runtime gives other probabilities, or the file has another input.
        ValueError: `runtime` is not that package, or the format takes none; or the backbone cannot
            be used.
        ImportError: a package that the format needs is missing; the text names the extra.

    Example:
        >>> export_run("runs/photos", "onnx")  # doctest: +SKIP
        PosixPath('runs/photos/model.onnx')
    """
    kind = find(format, FORMATS, what="format")
    found = Run.load(run)
    if isinstance(kind, Web):
        place = None if runtime is None else runtime_in(runtime)
        kind = replace(kind, known=novelty.read(found.folder), runtime=place)
    elif runtime is not None:
        raise ValueError(f"runtime: only the format 'web' takes one; {format!r} came.")
    path = found.folder / kind.file if output is None else checked_path("output", output)
    if path.exists() and not overwrite:
        raise FileExistsError(f"output: {path} exists; choose another, or allow overwrite.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"output: there is no folder {path.parent}.")
    if keras.backend.backend() not in kind.backends:
        if backbone is not None:
            raise ValueError(
                f"backbone: {format!r} is written by another process, which has no such object; "
                f"set KERAS_BACKEND to {kind.backends[0]!r}."
            )
        words = (found.folder, format, path, pictures or "", runtime or "", int(overwrite))
        return _under_backend(kind.backends[0], path, words)
    model = model_of(found, backbone)
    height, width = model.input_shape[1:3]
    pixels = real_pictures(found, pictures, (height, width))
    model(pixels[:1].astype("float32"))  # an exporter refuses a model that was never called
    labels = labels_of(found.task, found.reading)
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        made = Path(place) / path.name
        try:
            kind.write(model, made, labels)
            check_file(kind, made, labels, model, pixels)
        except ModuleNotFoundError as error:
            raise ImportError(
                f"format {format!r} needs the package {error.name}: "
                f"pip install 'keras-model-recipes[export]'"
            ) from None
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(made, path)
    write_text(path.with_name(f"{path.stem}_predict.py"), kind.script(path.name, (width, height)))
    return path


def _under_backend(backend: str, path: Path, words: tuple) -> Path:
    """The same call in a process of another backend, which alone can write the format."""
    finished = subprocess.run(
        [sys.executable, "-c", _MODULE, *map(str, words)],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        raise ExportError(f"Under the backend {backend}: {last}")
    return path


def main() -> None:
    """Export with the words of the command line, in the order of `export_run`'s parameters."""
    run, format, output, pictures, runtime, overwrite = sys.argv[1:]
    given = {"pictures": pictures or None, "runtime": runtime or None}
    export_run(run, format, output=output, overwrite=overwrite == "1", **given)
