"""Predicts with the exported file beside it: python this.py picture.jpg ...

Needs numpy, Pillow and the package that `load` imports. Pictures are read as in training; for HEIC
that needs pillow-heif, for DICOM pydicom, for colours of 16 bits OpenCV.
"""

import sys
from pathlib import Path

import numpy as np

from recipes.images.decode import Reading, decode


def main(load, file, size):
    """Print a line for each picture that the command line names."""
    predict, labels = load(Path(__file__).with_name(file))
    reading = Reading.from_dict(labels["reading"])
    for path in sys.argv[1:]:
        batch = decode(path, size[::-1], reading)[None].astype("float32")
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
