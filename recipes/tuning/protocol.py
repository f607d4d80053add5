"""The honest part of a search: the data, split once and kept, and a folder of its own."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from recipes.files import read_json, write_json
from recipes.images.inspection import OK
from recipes.images.split import PARTS, split
from recipes.tasks.base import SEPARATOR
from recipes.tuning.reading import pairs


def as_arrays(data, target: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, labels from 0 on, and the classes that they stand for.

    Labels are (n,); of any number of labels each, (n, labels), 0 or 1.

    Raises:
        ValueError: the data are not usable; the text says what and where.
    """
    x, y = pairs(data, target)
    if y.ndim == 2 and y.shape[1] > 1 and ((y != 0).sum(axis=1) == 1).all():  # one-hot
        y = y.argmax(axis=1)
    y = y.reshape(len(y), -1)
    if y.shape[1] > 1:
        if not np.isin(y, (0, 1)).all():
            raise ValueError(
                "data: the targets are neither classes nor one-hot vectors, nor 0 and 1."
            )
        if not y.any(axis=0).all():
            raise ValueError(
                f"data: no row has the label {int(np.argmin(y.any(axis=0)))} of {y.shape[1]}."
            )
        return x, y.astype("float32"), np.arange(y.shape[1])
    try:
        classes, labels = np.unique(y[:, 0], return_inverse=True)
    except TypeError:
        types = ", ".join(sorted({type(value).__name__ for value in y[:, 0]}))
        raise ValueError(f"data: the targets are of several types: {types}.") from None
    if len(classes) < 2:
        raise ValueError("data: the targets are all of one class.")
    return x, labels.astype("int64"), classes


def open_folder(folder: Path, note: dict, overwrite: bool) -> None:
    """Begin a search, or go on with the same one."""
    path = folder / "search.json"
    if folder.exists() and any(folder.iterdir()):
        old = read_json(path) if path.exists() else None
        if old and "objective" in old:  # an earlier version took the direction from these words
            less = any(word in old["objective"] for word in ("loss", "error"))
            old.setdefault("direction", "min" if less else "max")
        if old == note:
            return
        if not overwrite or old is None:
            what = "another search" if old else "something that is no search"
            raise FileExistsError(
                f"directory: {folder} holds {what}; choose another"
                + (", or allow it with overwrite." if old else ".")
            )
        retired = folder.with_name(f"{folder.name}.replaced-{time.time_ns()}")
        folder.rename(retired)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, note)


def check_shares(validation: float, test: float) -> None:
    """Refuse shares that leave nothing to train on."""
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1 or validation + test >= 1:
            raise ValueError(f"{name}: {share!r} is not a share that leaves some to train on.")


def split_rows(
    folder: Path, labels, validation: float, test: float, seed: int, parts: dict | None = None
) -> dict:
    """The rows of each part, drawn once and kept; or `parts`, where the data have their own."""
    path = folder / "split.json"
    if not path.exists():
        parts = parts or _draw(labels, validation, test, seed)
        write_json(path, {name: sorted(part.tolist()) for name, part in parts.items()})
    return {name: np.array(part) for name, part in read_json(path).items()}


def _draw(labels, validation: float, test: float, seed: int) -> dict:
    rows = np.arange(len(labels))
    if labels.ndim == 2:
        return _draw_several(labels, validation, test, seed)
    try:
        rest, tested = train_test_split(rows, test_size=test, random_state=seed, stratify=labels)
        train, held_out = train_test_split(
            rest, test_size=validation / (1 - test), random_state=seed, stratify=labels[rest]
        )
    except ValueError as error:
        raise ValueError(f"data: it cannot be split by class: {error}") from None
    return {"train": train, "validation": held_out, "test": tested}


def _draw_several(labels: np.ndarray, validation: float, test: float, seed: int) -> dict:
    """The same for any number of labels a row."""
    names = np.arange(labels.shape[1]).astype(str)
    texts = [SEPARATOR.join(names[row > 0]) for row in labels]
    row_names = np.arange(len(labels)).astype(str)
    frame = pd.DataFrame({"path": row_names, "hash": row_names, "class": texts})
    frame = frame.assign(part="", group="", status=OK, reason="")
    frame = split(frame, validation=validation, test=test, seed=seed, several_labels=True)
    return {part: np.flatnonzero(frame["part"] == part) for part in PARTS}
