"""Classes and files that are read wrongly with ease, and how a run on them can be spoilt."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tests.recipes.images import pictures

ODD = {
    "truncated.jpg": pictures.BAD["truncated.jpg"],
    "cmyk.jpg": pictures.GOOD["cmyk.jpg"],
    "new\nline <b>&.png": pictures.GOOD["gray16.png"],
}
CLASSES = ("007", "NA", "cat & <dog>")
OPTIONS = {"image_size": 32, "epochs": 30, "validation": 0.2, "test": 0.2, "verbose": False}


def _flip(folder: Path) -> None:
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-5] ^= 1
    (folder / "weights.safetensors").write_bytes(bytes(content))


def _replace(folder: Path) -> None:
    save_file({"0000 w": np.zeros(3, "float32")}, folder / "weights.safetensors")


def _change(name, value):
    def spoil(folder):
        info = json.loads((folder / "run.json").read_text())
        info[name] = value
        (folder / "run.json").write_text(json.dumps(info))

    return spoil


MODEL = {"backbone": "efficientnet_lite0", "image_size": [32, 32], "num_classes": 2, "dropout": 0}
# What is wrong: how it is brought about, and a part of the text that says so.
SPOILT = {
    "no weights": (lambda folder: (folder / "weights.safetensors").unlink(), "incomplete"),
    "no model": (lambda folder: (folder / "model.keras").unlink(), "incomplete"),
    "no run.json": (lambda folder: (folder / "run.json").unlink(), "holds no run.json"),
    "half a run.json": (lambda folder: (folder / "run.json").write_text("{"), "not JSON"),
    "flipped bit": (_flip, "damaged"),
    "other weights": (_replace, "weights.safetensors"),
    "newer format": (_change("format", 99), "format is 99"),
    "fewer classes": (_change("classes", ["a"]), "do not match"),
    "a task of fewer classes": (
        _change("task", {"name": "multiclass", "classes": ["007"]}),
        "do not match",
    ),
    "no such backbone": (_change("model", {**MODEL, "backbone": "x"}), "backbone"),
    "huge model": (_change("model", {**MODEL, "num_classes": 10**9}), "out of range"),
    "no such task": (_change("task", {"name": "guessing", "classes": ["a", "b"]}), "task"),
    "a reading in pieces": (
        _change("reading", {"levels": [1]}),
        "reading: the description is damaged",
    ),
    "a reading of its own": (
        _change("reading", {"resize": "melt"}),
        "reading: the description is damaged",
    ),
    "a task in pieces": (_change("task", {"name": "binary"}), "task: the description is damaged"),
}
