"""Does an exported file do what its model does? Asked on real pictures, in the file's runtime."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from recipes.export.base import ExportError, Format
from recipes.images.pipeline import stream
from recipes.run import Run

PICTURES = 64
BATCHES = (1, 4, 64)
TOLERANCE = 1e-5


def check_file(
    format: Format, path: Path, labels: dict, model: keras.Model, pixels: np.ndarray
) -> None:
    """Load a file and compare it with its model, and what it carries with the labels.

    Args:
        format: of the file.
        path: where it lies.
        labels: what it shall carry.
        model: whose probabilities are right.
        pixels: (64, H, W, 3), uint8.

    Raises:
        ExportError: its answers, its input or its labels are others.
    """
    try:
        predict, carried = format.load(path)
    except ValueError as error:
        raise ExportError(str(error)) from None
    if carried != labels:
        raise ExportError(f"The file carries the labels {carried}; {labels} is right.")
    check(predict, model, pixels)


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


def real_pictures(run: Run, pictures: str | Path | None, size: tuple[int, int]) -> np.ndarray:
    """Pictures to check with, 64 of them, again from the first where there are fewer.

    Args:
        run: whose pictures they are.
        pictures: a folder of others.
        size: (height, width) that they get.

    Raises:
        FileNotFoundError: none can be read.
    """
    if pictures is None:
        folder = Path(run.info["config"]["folder"])
        table = run.dataset
        paths = list(table.loc[table["status"] == "ok", "path"])
    else:
        folder = Path(pictures)
        paths = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    order = np.random.default_rng(0).permutation(len(paths))[: 2 * PICTURES]
    found = [
        p for _, p, _ in stream(folder, [paths[row] for row in order], size, reading=run.reading)
    ]
    pixels = np.concatenate(found) if found else np.empty(0)
    if not len(pixels):
        raise FileNotFoundError(
            f"pictures: none can be read below {folder}; name a folder of pictures to check with."
        )
    return np.resize(pixels[:PICTURES], (PICTURES, *pixels.shape[1:]))
