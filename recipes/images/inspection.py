"""What is among a source's pictures: one row a file, decoded in full before it is called good."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pandas as pd

from recipes.images.arrays import Arrays
from recipes.images.copies import copies_in_words, copy_groups
from recipes.images.decode import Reading
from recipes.images.folders import ClassFolders, FileNames
from recipes.images.formats import UnreadableError
from recipes.images.groups import groups_of
from recipes.images.sources import Source, plain_label
from recipes.images.tables import LabelTable, is_table
from recipes.keywords import DataOptions
from recipes.progress import track
from recipes.settings import DataSettings
from recipes.tasks.base import SEPARATOR

OK, SKIPPED, UNLABELLED = "ok", "skipped", "unlabelled"
NAMED = 3
REASONS = 6


def scan(
    data: Any,
    *,
    workers: int | None = None,
    verbose: bool = True,
    **options: Unpack[DataOptions],
) -> pd.DataFrame:
    """List pictures and their labels, and what is wrong with them. Nothing is changed.

    Args:
        data: a folder with one subfolder a class, in which folders may be nested; or with
            `train`, `val` and `test`, each with class folders inside; a folder of files whose
            names have the labels (`labels_from_name`); a CSV file or a DataFrame with a column of
            files and one of labels; or a pair of arrays, pictures (n, H, W, 3) and labels (n,).
        workers: threads that decode; by default one a processor.
        verbose: whether progress is shown.
        **options: of `recipes.DataSettings`: groups, labels_from_name, label_column, …

    Returns:
        One row a file: `path` (relative), `part` ("" unless there are ready-made parts), `class`
        (several labels separated by semicolons), `group`, `width`, `height`, `mode`, `format`,
        `bytes`, `hash` (SHA-256 of the content), `low` and `high` (between which the values of a
        picture with more than 8 bits lie), `plain` (whether it is of one colour), `status` ("ok",
        "skipped", or "unlabelled" in a test part without labels), `reason` and `copy_group` (the
        same for near copies of each other, "" for other pictures). `attrs` has the `folder`,
        `several_labels`, the `layout` in words, the `levels` (what becomes black and white of more
        than 8 bits) and the `notes`: what else was found out about the source.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it is not usable, or an option does not fit.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "cats").mkdir()
        >>> Image.new("RGB", (4, 3)).save(folder / "cats" / "a.png")
        >>> scan(folder, verbose=False)[["path", "class", "width", "status"]].values.tolist()
        [['cats/a.png', 'cats', 4, 'ok']]
    """
    settings = DataSettings.of(**options)
    source = open_source(data, settings)
    return inspect(source, settings, workers=workers, verbose=verbose)


def open_source(data: Any, settings: DataSettings) -> Source:
    """The source that data are: a folder, a table or arrays.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: data are none of these.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, tuple | list) and len(data) == 2:
        return Arrays(*data)
    if is_table(data):
        return LabelTable(data, settings)
    if not isinstance(data, str | Path):
        raise ValueError(
            f"data: a folder, a table (a CSV file or a DataFrame) or a pair of arrays (pictures, "
            f"labels) is taken, not {type(data).__name__}."
        )
    if settings.labels_from_name is not None:
        return FileNames(data, settings.labels_from_name, settings.layout)
    return ClassFolders(data, settings.layout)


def inspect(
    source: Source,
    settings: DataSettings,
    *,
    workers: int | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    """As `scan`, for a source."""
    listing = source.listing()
    notes = _clean(listing.table, listing.several_labels)
    listed = listing.table.to_dict("records")
    reading = reading_of(settings)

    def examine(row):
        return _examined(source, row, reading)

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        rows = pool.map(examine, listed)
        found = list(track(rows, "Scanning", len(listed), "files", verbose))
    thumbnails = [row.pop("thumbnail", None) for row in found]
    frame = pd.DataFrame(found)
    if settings.groups is not None:
        frame["group"] = groups_of(frame["path"], settings.groups, source.folder)
    frame["copy_group"] = ""
    if settings.near_copies:
        options = {"workers": workers, "verbose": verbose}
        frame["copy_group"] = copy_groups(list(frame["hash"]), thumbnails, **options)
    notes += copies_in_words(frame[frame["status"] != SKIPPED])
    frame.attrs |= {
        "folder": str(source.folder),
        "several_labels": listing.several_labels,
        "layout": listing.layout,
        "resize": settings.resize,
        "levels": _levels(frame),
        "notes": [*listing.notes, *notes],
    }
    return frame


def reading_of(settings: DataSettings, levels: Sequence[float] | None = None) -> Reading:
    """How files become pixels by these settings.

    Args:
        settings: of the data.
        levels: what becomes black and white of more than 8 bits; what the bits allow by default.
    """
    ends = None if levels is None else (float(levels[0]), float(levels[1]))
    return Reading(settings.resize, settings.background, settings.max_pixels, ends)


def skipped_in_words(frame: pd.DataFrame) -> str:
    """How many files are skipped, by reason, with a few examples of each; "" where none is."""
    skipped = frame[frame["status"] == SKIPPED]
    if skipped.empty:
        return ""
    kinds = skipped["reason"].str.replace(r"^damaged: .*", "damaged", regex=True)
    counts = kinds.value_counts()
    texts = [
        f"{counts[kind]:,} {kind} ({examples(skipped.loc[kinds == kind, 'path'])})"
        for kind in counts.index[:REASONS]
    ]
    if len(counts) > REASONS:
        texts.append(f"{counts.iloc[REASONS:].sum():,} for other reasons")
    return f"{len(skipped):,}: {'; '.join(texts)}"


def examples(paths: pd.Series) -> str:
    """The first few of many."""
    return ", ".join(map(repr, paths.head(NAMED))) + (", …" if len(paths) > NAMED else "")


def _levels(frame: pd.DataFrame) -> list[float] | None:
    """Between which values the pictures of more than 8 bits lie, but for a hundredth of them."""
    deep = frame.loc[(frame["status"] != SKIPPED) & frame["high"].notna()]
    if deep.empty:
        return None
    low = float(deep["low"].quantile(0.01, interpolation="lower"))
    high = float(deep["high"].quantile(0.99, interpolation="higher"))
    return [low, high] if high > low else None


def _clean(table: pd.DataFrame, several: bool) -> list[str]:
    """Give labels that look alike one spelling, in place; what was done and what is left."""
    before = table["class"]
    texts = before.unique()
    if several:
        spelt = {
            text: SEPARATOR.join(dict.fromkeys(map(plain_label, text.split(SEPARATOR))))
            for text in texts
        }
    else:
        spelt = {text: plain_label(text) for text in texts}
    table["class"] = before.map(spelt)
    names = pd.Series({one: plain_label(one) for text in texts for one in _labels(text, several)})
    notes = []
    for name, others in names.groupby(names):
        if len(others) > 1:
            notes.append(f"{', '.join(map(repr, others.index))} count as one class, {name!r}.")
    lower = pd.Series({name: name.casefold() for name in names})
    for _, others in lower.groupby(lower):
        if len(others) > 1:
            notes.append(
                f"{', '.join(map(repr, others.index))} differ in capitals only and are taken as "
                f"{len(others)} classes."
            )
    return notes


def _labels(text: str, several: bool) -> list[str]:
    return text.split(SEPARATOR) if several else [text]


def _examined(source: Source, listed: dict, reading: Reading) -> dict:
    """One file's row."""
    row = {name: listed[name] for name in ("path", "part", "class", "group")}
    row |= {"width": 0, "height": 0, "mode": "", "format": "", "bytes": 0, "hash": ""}
    row |= {"low": np.nan, "high": np.nan, "plain": False}
    row |= {"status": SKIPPED, "reason": listed["reason"]}
    if row["reason"]:
        return row
    try:
        content = source.content(row["path"])
        row |= {"bytes": len(content), "hash": hashlib.sha256(content).hexdigest()}
        row |= source.examine(content, reading)
    except UnreadableError as error:
        return {**row, "reason": str(error)}
    return {**row, "status": OK if listed["labelled"] else UNLABELLED}
