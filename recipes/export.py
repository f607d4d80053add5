"""A finished run as a file for another runtime, checked there on real pictures.

Keras' own exporters write the file; before it is given its name, a second runtime has to repeat
the model's probabilities. The file takes pictures as they are, 0 to 255, in batches of any size,
and carries the class names.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from recipes.files import write_text
from recipes.images.pipeline import stream
from recipes.lookup import find
from recipes.rewriting import rewrite
from recipes.run import Run
from recipes.transfer.results import model_of

PICTURES = 64
BATCHES = (1, 4, 64)
TOLERANCE = 1e-5
OPSET = 18
_MODULE = "from recipes.export import main; main()"


class ExportError(ValueError):
    """The exported file does not do what the model does; it was not kept."""


@dataclass(frozen=True)
class Format:
    """A format of exported files.

    Attributes:
        suffix: of the file's name; empty for a folder.
        backends: of Keras, whose exporter writes it.
        write: (model, path, class names).
        load: path to a function from pictures, float32, to probabilities.
        script: the lines of a script that load the file and set `predict` and `classes`.
    """

    suffix: str
    backends: tuple[str, ...]
    write: Callable
    load: Callable
    script: str


def export_run(
    run: str | Path,
    format: str = "onnx",
    *,
    output: str | Path | None = None,
    pictures: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a finished run as a file for another runtime, and check it there.

    Beside the file a script `<name>_predict.py` is written that predicts with it without this
    library.

    Args:
        run: the run folder.
        format: "onnx", "saved_model", "litert" or "torch".
        output: the file (a folder for "saved_model"); in the run folder by default.
        pictures: a folder of pictures to check with; those that the run was trained on by default.
        overwrite: replace what is at `output`.

    Returns:
        The path of the file.

    Raises:
        FileExistsError: there is something at `output`.
        FileNotFoundError: there is no such run, or its pictures are gone and no others are named.
        ExportError: the second runtime gives other probabilities, or the file has another input.
        ImportError: a package that the format needs is missing; the text names the extra.

    Example:
        >>> export_run("runs/photos", "onnx")  # doctest: +SKIP
        PosixPath('runs/photos/model.onnx')
    """
    kind = find(format, FORMATS, what="format")
    run = Run.load(run)
    path = Path(output) if output else run.folder / f"{_name(format)}{kind.suffix}"
    if path.exists() and not overwrite:
        raise FileExistsError(f"output: {path} exists; choose another, or allow overwrite.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"output: there is no folder {path.parent}.")
    if keras.backend.backend() not in kind.backends:
        return _under_backend(kind.backends[0], run.folder, format, path, pictures, overwrite)
    model = model_of(run)
    pixels = _real_pictures(run, pictures, model.input_shape[1:3])
    model(pixels[:1].astype("float32"))  # an exporter refuses a model that was never called
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        made = Path(place) / path.name
        try:
            kind.write(model, made, run.classes)
            check(kind.load(made), model, pixels)
        except ModuleNotFoundError as error:
            raise ImportError(
                f"format {format!r} needs the package {error.name}: "
                f"pip install 'keras-model-recipes[export]'"
            ) from None
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(made, path)
    height, width = model.input_shape[1:3]
    script = _SCRIPT.format(name=path.name, size=(width, height), load=kind.script)
    write_text(path.with_name(f"{path.stem}_predict.py"), script)
    return path


def check(predict: Callable, model: keras.Model, pixels: np.ndarray) -> float:
    """Compare a loaded file with the model, batch size by batch size.

    Args:
        predict: pictures, float32 (n, H, W, 3), to probabilities.
        model: whose probabilities are right.
        pixels: (64, H, W, 3), uint8.

    Returns:
        The largest difference.

    Raises:
        ExportError: it is larger than 1e-5, or a batch size is refused.
    """
    expected = np.asarray(model.predict_on_batch(pixels.astype("float32")))
    largest = 0.0
    for size in BATCHES:
        for start in range(0, len(pixels), size):
            batch = pixels[start : start + size].astype("float32")
            try:
                found = np.asarray(predict(batch))
            except Exception as error:  # whatever the runtime raises
                raise ExportError(f"A batch of {len(batch)} fails: {error}") from None
            if found.shape != expected[start : start + size].shape:
                raise ExportError(f"A batch of {len(batch)} gives the shape {found.shape}.")
            difference = np.abs(found - expected[start : start + size]).max()
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"The file's probabilities differ by {difference:.2g} in a batch of "
                    f"{len(batch)}; {TOLERANCE:g} is allowed. It was not kept."
                )
            largest = max(largest, float(difference))
    return largest


def _name(format: str) -> str:
    return "saved_model" if format == "saved_model" else "model"


def _real_pictures(run: Run, pictures, size: tuple[int, int]) -> np.ndarray:
    """Pictures to check with, 64 of them, again from the first where there are fewer."""
    if pictures is None:
        folder = Path(run.info["config"]["folder"])
        table = run.dataset
        paths = list(table.loc[table["status"] == "ok", "path"])
    else:
        folder = Path(pictures)
        paths = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    order = np.random.default_rng(0).permutation(len(paths))[: 2 * PICTURES]
    found = [p for _, p, _ in stream(folder, [paths[row] for row in order], size)]
    pixels = np.concatenate(found) if found else np.empty(0)
    if not len(pixels):
        raise FileNotFoundError(
            f"pictures: none can be read below {folder}; name a folder of pictures to check with."
        )
    return np.resize(pixels[:PICTURES], (PICTURES, *pixels.shape[1:]))


def _under_backend(backend, folder, format, path, pictures, overwrite) -> Path:
    """The same call in a process of another backend, which alone can write the format."""
    arguments = [str(folder), format, str(path), str(pictures or ""), str(int(overwrite))]
    finished = subprocess.run(
        [sys.executable, "-c", _MODULE, *arguments],
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
    """Export with the words of the command line: run, format, output, pictures, overwrite."""
    folder, format, path, pictures, overwrite = sys.argv[1:]
    export_run(folder, format, output=path, pictures=pictures or None, overwrite=overwrite == "1")


def _write_onnx(model: keras.Model, path: Path, classes: list[str]) -> None:
    import onnx

    rewritten = rewrite(model)
    rewritten(keras.ops.zeros((1, *model.input_shape[1:])))  # an exporter wants a model once called
    rewritten.export(path, format="onnx", opset_version=OPSET, verbose=False)
    written = onnx.load(path)
    onnx.helper.set_model_props(written, {"classes": json.dumps(classes)})
    onnx.checker.check_model(written)
    onnx.save(written, path)


def _load_onnx(path: Path) -> Callable:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    if len(names) != 1:
        raise ExportError(f"The file has {len(names)} inputs, {', '.join(names)}; one is right.")
    return lambda batch: session.run(None, {names[0]: batch})[0]


def _write_saved_model(model: keras.Model, path: Path, classes: list[str]) -> None:
    model.export(path, format="tf_saved_model", verbose=False)
    (path / "assets.extra").mkdir()
    write_text(path / "assets.extra" / "classes.json", json.dumps(classes))


def _load_saved_model(path: Path) -> Callable:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    names = list(loaded.signatures["serving_default"].structured_input_signature[1])
    if len(names) != 1:
        raise ExportError(f"The file has {len(names)} inputs, {', '.join(names)}; one is right.")
    return lambda batch: loaded.serve(tf.constant(batch)).numpy()


def _write_litert(model: keras.Model, path: Path, classes: list[str]) -> None:
    model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # as TensorFlow Lite packs associated files
        archive.writestr("classes.json", json.dumps(classes))


def _load_litert(path: Path) -> Callable:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1:
        raise ExportError(f"The file has {len(inputs)} inputs; one is right.")

    def predict(batch):
        interpreter.resize_tensor_input(inputs[0]["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(inputs[0]["index"], batch)
        interpreter.invoke()
        return interpreter.get_tensor(outputs[0]["index"])

    return predict


def _write_torch(model: keras.Model, path: Path, classes: list[str]) -> None:
    import torch

    batch = torch.export.Dim("batch", min=1, max=4096)
    model.export(path, format="torch", verbose=False, dynamic_shapes={0: batch})
    program = torch.export.load(path)
    torch.export.save(program, path, extra_files={"classes.json": json.dumps(classes)})


def _load_torch(path: Path) -> Callable:
    import torch

    module = torch.export.load(path).module()
    return lambda batch: module(torch.from_numpy(batch)).detach().numpy()


_SCRIPT = '''"""Predicts with {name}: python this.py picture.jpg ...

Needs numpy, Pillow and the runtime. Reads pictures of 8 bits without transparency as in training.
"""

import json, sys
from pathlib import Path
import numpy as np
from PIL import Image, ImageOps

file = Path(__file__).with_name("{name}")
{load}
for path in sys.argv[1:]:
    picture = Image.open(path)
    turned = picture.getexif().get(0x0112) in (5, 6, 7, 8)
    size = {size}[::-1] if turned else {size}
    box = (picture.draft(None, size) or (None, None))[1]
    picture = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
    picture = ImageOps.exif_transpose(picture)
    probabilities = np.asarray(predict(np.asarray(picture, "float32")[None]))[0]
    print(path, classes[probabilities.argmax()], f"{{probabilities.max():.4f}}", sep="\\t")
'''
FORMATS = {
    "onnx": Format(
        ".onnx",
        ("tensorflow", "torch"),
        _write_onnx,
        _load_onnx,
        """import onnxruntime
session = onnxruntime.InferenceSession(str(file))
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
predict = lambda batch: session.run(None, {session.get_inputs()[0].name: batch})[0]""",
    ),
    "saved_model": Format(
        "",
        ("tensorflow",),
        _write_saved_model,
        _load_saved_model,
        """import tensorflow as tf
classes = json.loads((file / "assets.extra/classes.json").read_text())
model = tf.saved_model.load(str(file))
predict = model.serve""",
    ),
    "litert": Format(
        ".tflite",
        ("tensorflow",),
        _write_litert,
        _load_litert,
        """import zipfile
from ai_edge_litert.interpreter import Interpreter  # pip install ai-edge-litert
classes = json.loads(zipfile.ZipFile(file).read("classes.json"))
runner = Interpreter(str(file)).get_signature_runner()
predict = lambda batch: next(iter(runner(**{next(iter(runner.get_input_details())): batch}).values()))""",  # noqa: E501
    ),
    "torch": Format(
        ".pt2",
        ("torch",),
        _write_torch,
        _load_torch,
        """import torch
extra = {"classes.json": ""}
module = torch.export.load(file, extra_files=extra).module()
classes = json.loads(extra["classes.json"])
predict = lambda batch: module(torch.from_numpy(batch)).detach()""",
    ),
}
