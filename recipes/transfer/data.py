"""From the table of a split folder to decoded parts: the pixels and labels that training reads."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from recipes.images.pipeline import stream
from recipes.images.split import PARTS
from recipes.progress import bar
from recipes.transfer.features import ArrayCache, Part


def content_key(frame: pd.DataFrame, **more) -> str:
    """Digest of the pictures' contents, classes and parts, in order, and of further settings.

    Example:
        >>> frame = pd.DataFrame({"hash": ["ab"], "class": ["cat"], "part": ["train"]})
        >>> content_key(frame) == content_key(frame) != content_key(frame, image_size=96)
        True
    """
    rows = frame[["hash", "class", "part"]].itertuples(index=False, name=None)
    text = repr((list(rows), sorted(more.items())))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def load_parts(
    frame: pd.DataFrame,
    classes: list[str],
    image_size: tuple[int, int],
    cache: ArrayCache,
    *,
    verbose: bool = True,
) -> tuple[dict[str, Part], pd.DataFrame]:
    """Decode each part of a split folder, once.

    Args:
        frame: what `recipes.images.split.split` gave.
        classes: the class names in the order of the labels.
        image_size: (height, width) in pixels.
        cache: where the pixels are kept.
        verbose: whether progress is shown.

    Returns:
        The parts by name, and the table again, in which a picture that could no longer be read
        has become "skipped" with the reason.
    """
    frame = frame.copy()
    label_of = {name: label for label, name in enumerate(classes)}
    parts = {}
    with bar("pictures", verbose) as display:
        task = display.add_task("Decoding pictures", total=int((frame["part"] != "").sum()))
        for name in PARTS:
            rows = frame.index[(frame["part"] == name) & (frame["status"] == "ok")]
            key = content_key(frame.loc[rows], image_size=image_size)
            errors: dict[int, str] = {}

            def fill(array, rows=rows, errors=errors):
                paths = list(frame.loc[rows, "path"])
                folder = Path(frame.attrs["folder"])
                hashes = list(frame.loc[rows, "hash"])
                for done, pictures, failed in stream(folder, paths, image_size, hashes=hashes):
                    array[done] = pictures
                    errors.update(failed)
                    display.advance(task, len(done) + len(failed))

            pixels = cache.get(f"pixels {key}", (len(rows), *image_size, 3), "uint8", fill)
            display.update(task)
            parts[name] = _without(errors, pixels, rows, frame, label_of, key)
    return parts, frame


def _without(errors: Mapping[int, str], pixels, rows, frame, label_of, key) -> Part:
    """The part without the pictures that could not be read after all."""
    if errors:
        lost = rows[list(errors)]
        frame.loc[lost, "status"] = "skipped"
        frame.loc[lost, "reason"] = list(errors.values())
        frame.loc[lost, "part"] = ""
        kept = np.setdiff1d(np.arange(len(rows)), list(errors))
        pixels, rows = pixels[kept], rows[kept]
        key = f"{key} without {sorted(errors)}"
    labels = frame.loc[rows, "class"].map(label_of).to_numpy("int64")
    return Part(pixels, labels, key)
