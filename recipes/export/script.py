"""Predicts with the exported file beside it: python this.py picture.jpg ...

Needs numpy, Pillow and the package that `load` imports. Pictures are read as in training.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

TURNS = {  # what makes a picture upright, by its EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def main(load, file, size):
    """Print a line for each picture that the command line names."""
    predict, labels = load(Path(__file__).with_name(file))
    for path in sys.argv[1:]:
        batch = decode(path, size)[None].astype("float32")
        print(path, *answer(np.asarray(predict(batch))[0], labels), sep="\t")


def answer(outputs, labels):
    """What the outputs say, and its probability, as texts."""
    classes, thresholds = labels["classes"], labels.get("thresholds", [0.5] * len(outputs))
    if labels["task"] == "multilabel":
        said = [name for name, p, t in zip(classes, outputs, thresholds, strict=True) if p >= t]
        return ";".join(said), *(f"{p:.4f}" for p in outputs)
    if labels["task"] == "binary":
        outputs = np.array([1 - outputs[0], outputs[0]])
        best = int(outputs[1] >= thresholds[0])
    else:
        best = outputs.argmax()
    return classes[best], f"{outputs[best]:.4f}"


def decode(path, size):
    """A picture as 8-bit RGB, upright, squashed to (width, height)."""
    with Image.open(path) as picture:
        turn = orientation(picture)
        if picture.format == "JPEG":  # a large one is decoded at a half, a quarter or an eighth
            stored = size[::-1] if turn in (5, 6, 7, 8) else size
            drafted = picture.draft(None, stored)
            picture = squash(picture.convert("RGB"), stored, drafted and drafted[1])
        if turn in TURNS:
            picture = picture.transpose(TURNS[turn])
        return np.asarray(squash(to_rgb(picture), size))


def orientation(picture):
    """The EXIF orientation; where the EXIF data are damaged a picture stays as it is stored."""
    try:
        return picture.getexif().get(0x0112)
    except Exception:  # damaged data can raise anything
        return None


def squash(picture, size, box=None):
    """The picture, or what a box cuts out of it, at another size."""
    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)


def to_rgb(picture):
    """8-bit RGB: 16 bits and floating point are scaled, transparency lies on white."""
    if picture.mode.startswith("I"):
        values = np.clip(np.asarray(picture).astype("int64"), 0, None)
        largest = 0xFFFF if values.max() <= 0xFFFF else 0x7FFFFFFF
        picture = Image.fromarray((values * 255 // largest).astype("uint8"))
    if picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture), nan=0.0, posinf=0.0, neginf=0.0)
        values = (values - values.min()) * (255 / (float(np.ptp(values)) or 1.0))
        picture = Image.fromarray(values.round().astype("uint8"))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")
