"""A page that classifies pictures in a browser, on the device that shows it."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import keras
import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from PIL import ImageColor, __version__ as pillow

from recipes.export.base import ExportError, Format
from recipes.export.onnx import Onnx
from recipes.files import checked_path, write_text
from recipes.images.decode import Reading
from recipes.transfer.novelty import NEIGHBOURS, UNLIKE_FROM

VERSION = "1.30.0"
ADDRESS = f"https://cdn.jsdelivr.net/npm/onnxruntime-web@{VERSION}/dist/"
# What is needed of ONNX Runtime Web, and the SHA-256 of its release.
RUNTIME = {
    "ort.wasm.bundle.min.mjs": "sha256-EeZL2P/hG9GiovDWJ1/fu7pyYvC3a5m1PSKKiiLvPZA=",
    "ort-wasm-simd-threaded.wasm": "sha256-M5jBDQfSKb2Rs2RUjhMODlGo5XBLiMfAg+u+t4hC3uI=",
}
SCRIPTS = ("pixels.js", "file.js", "novelty.js", "page.js")
MOST_LETTERS = 500_000_000  # browsers hold no longer texts
MOST_NAMES = 12
_PAGE = Environment(loader=PackageLoader("recipes.export", "browser"), autoescape=True)


@dataclass(frozen=True)
class Web(Format):
    """A folder with a page, `index.html`, and what it needs; a double click opens it.

    `model.onnx` is the model; `model.js` has the same bytes in a form that a page may load from a
    disk, and what novelty is measured by.

    Attributes:
        known: what `recipes.transfer.novelty.read` gives of a run.
        runtime: the folder that ONNX Runtime Web is copied from, by `runtime_in`; without one the
            page loads it from the public address of a fixed version, whose bytes it checks.
    """

    known: Mapping[str, np.ndarray] | None = None
    runtime: Path | None = None

    name = "web"
    file = "web"
    backends = Onnx.backends

    def write(self, model: keras.Model, path: Path, labels: dict) -> None:
        """Write the folder."""
        path.mkdir()
        outputs = [model.output, model.get_layer("pool").output] if self.known else model.output
        Onnx().write(keras.Model(model.input, outputs), path / "model.onnx", labels)
        arrays = {name: array.tobytes() for name, array in (self.known or {}).items()}
        model_bytes = (path / "model.onnx").read_bytes()
        write_text(path / "model.js", _packed({"model": model_bytes, **arrays}))
        if self.runtime:
            code, wasm = ((self.runtime / name).read_bytes() for name in RUNTIME)
            notice = "/* ONNX Runtime Web. Copyright (c) Microsoft Corporation. MIT License. */\n"
            write_text(path / "runtime.js", notice + _packed({"code": code, "wasm": wasm}))
        write_text(path / "index.html", self.page(model.input_shape[1:3], labels))

    @staticmethod
    def load(path):
        """The folder's model in ONNX Runtime, from pictures to probabilities, and its labels."""
        import json

        import onnxruntime

        file = str(path / "model.onnx")
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]
        if len(names) != 1:
            raise ValueError(f"{file} has the inputs {', '.join(names)}; one is right.")
        texts = session.get_modelmeta().custom_metadata_map
        labels = {name: json.loads(text) for name, text in texts.items()}
        return lambda batch: session.run(None, {names[0]: batch})[0], labels

    def page(self, size: tuple[int, int], labels: dict) -> str:
        """The page as HTML; it may load its own scripts, and the runtime, and nothing else.

        Args:
            size: (height, width) of the model's pictures.
            labels: as `write` takes them.
        """
        addresses = [[ADDRESS + name, digest] for name, digest in RUNTIME.items()]
        named, source = {"addresses": addresses}, f"loaded from {ADDRESS}"
        if self.runtime:
            named, source = {"addresses": None}, "beside this page"
        reading = Reading.from_dict(labels.get("reading", {}))
        about = {
            "labels": {name: labels.get(name) for name in ("task", "classes", "thresholds")},
            "reading": reading.to_dict(),
            "background": ImageColor.getrgb(reading.background)[:3],
            "tallFirst": int(pillow.split(".")[0]) >= 13,  # the order of resizing changed there
            "size": [size[1], size[0]],
            "runtime": named,
            "novelty": self.known
            and {
                "channels": self.known["features"].shape[1],
                "neighbours": NEIGHBOURS,
                "unlikeFrom": UNLIKE_FROM,
            },
        }
        style = _source("style.css")
        code = '"use strict";\n' + "\n".join(map(_source, SCRIPTS))
        policy = (
            f"default-src 'none'; script-src 'self' '{_digest(code)}' blob: 'wasm-unsafe-eval'; "
            f"style-src '{_digest(style)}'; img-src blob:; base-uri 'none'; form-action 'none'; "
            f"connect-src {' '.join(one for one, _ in named['addresses'] or []) or repr('none')}"
        )
        return _PAGE.get_template("index.html").render(
            policy=policy,
            title="Picture classifier",
            lead=_lead(labels),
            runtime=f"Runs on ONNX Runtime Web (Microsoft, MIT licence), {source}.",
            about=about,
            style=Markup(style),
            code=Markup(code),
        )


def runtime_in(path: str | Path) -> Path:
    """The folder with the files of ONNX Runtime Web that a page needs.

    Args:
        path: of the npm package onnxruntime-web, or of its `dist`.

    Raises:
        ValueError: they are not there.
    """
    path = checked_path("runtime", path)
    for folder in (path, path / "dist"):
        if all((folder / name).is_file() for name in RUNTIME):
            return folder.resolve()
    raise ValueError(
        f"runtime: {path} does not hold {' and '.join(RUNTIME)}; "
        "name the folder of the npm package onnxruntime-web, or its dist."
    )


def _lead(labels: dict) -> str:
    """What the model tells, in a sentence."""
    names = ", ".join(labels["classes"][:MOST_NAMES])
    more = len(labels["classes"]) - MOST_NAMES
    names += f" and {more} more" if more > 0 else ""
    several = labels.get("task") == "multilabel"
    return f"It finds any of: {names}." if several else f"One of: {names}."


def _packed(parts: Mapping[str, bytes]) -> str:
    """A script that gives the page some bytes: gzip, as base64."""
    lines = []
    for name, content in parts.items():
        text = base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
        if len(text) > MOST_LETTERS:
            raise ExportError(f"{name}: {len(content):,} bytes are too many for a page.")
        lines.append(f"packed[{json.dumps(name)}]={json.dumps(text)};\n")
    return "".join(lines)


def _source(name: str) -> str:
    return files("recipes.export").joinpath("browser", name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
