"""What is among a source's pictures: one row a file, decoded in full before it is called good."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Unpack

import pandas as pd

from recipes.images.arrays import Arrays
from recipes.images.decode import MAX_PIXELS, UnreadableError
from recipes.images.sources import ClassFolders, FileNames, Source, groups_of
from recipes.images.tables import LabelTable, is_table
from recipes.progress import track
from recipes.settings import DataOptions, DataSettings

OK, SKIPPED, UNLABELLED = "ok", "skipped", "unlabelled"


def scan(
    data: Any,
    *,
    max_pixels: int = MAX_PIXELS,
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
        max_pixels: larger pictures are skipped before they are decoded.
        workers: threads that decode; by default one a processor.
        verbose: whether progress is shown.
        **options: of `recipes.DataSettings`: groups, labels_from_name, label_column, …

    Returns:
        One row a file: `path` (relative), `part` ("" unless there are ready-made parts), `class`
        (several labels separated by semicolons), `group`, `width`, `height`, `mode`, `format`,
        `bytes`, `hash` (SHA-256 of the content), `status` ("ok", "skipped", or "unlabelled" in a
        test part without labels) and `reason`. `attrs` has the `folder`, `several_labels` and the
        `notes`: what was found out about the source.

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
    limits = {"max_pixels": max_pixels, "workers": workers, "verbose": verbose}
    return inspect(source, settings, **limits)


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
        return FileNames(data, settings.labels_from_name)
    return ClassFolders(data)


def inspect(
    source: Source,
    settings: DataSettings,
    *,
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    """As `scan`, for a source."""
    listing = source.listing()
    listed = listing.table.to_dict("records")

    def examine(row):
        return _examined(source, row, max_pixels)

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        rows = pool.map(examine, listed)
        frame = pd.DataFrame(list(track(rows, "Scanning", len(listed), "files", verbose)))
    if settings.groups is not None:
        frame["group"] = groups_of(frame["path"], settings.groups)
    frame.attrs |= {
        "folder": str(source.folder),
        "several_labels": listing.several_labels,
        "notes": list(listing.notes),
    }
    return frame


def describe(frame: pd.DataFrame) -> str:
    """What `scan` found, in words: classes and their sizes, duplicates, what is skipped and why.

    Example:
        >>> row = {"path": "a/b.png", "part": "", "class": "a", "group": "", "width": 4,
        ...        "height": 3, "mode": "RGB", "format": "PNG", "bytes": 70, "hash": "00",
        ...        "status": "ok", "reason": ""}
        >>> print(describe(pd.DataFrame([row])))
        1 picture in 1 class, 4 to 4 pixels wide, 3 to 3 high
        <BLANKLINE>
        class  pictures
            a         1
    """
    good, bad = frame[frame["status"] == OK], frame[frame["status"] == SKIPPED]
    unlabelled = int((frame["status"] == UNLABELLED).sum())
    classes = good["class"].nunique()
    what = ("class", "classes")
    if frame.attrs.get("several_labels"):
        what = ("set of labels", "sets of labels")
    lines = [f"{len(good):,} picture{'s' * (len(good) != 1)} in {classes:,} {what[classes != 1]}"]
    if len(good):
        lines[0] += (
            f", {good['width'].min()} to {good['width'].max()} pixels wide, "
            f"{good['height'].min()} to {good['height'].max()} high"
        )
        keys = [key for key in ("part", "class") if (good[key] != "").any()]
        sizes = good.groupby(keys).size().rename("pictures").reset_index()
        lines += ["", sizes.to_string(index=False)]
    lines += ["", *frame.attrs["notes"]] if frame.attrs.get("notes") else []
    if unlabelled:
        lines += ["", f"{unlabelled:,} without labels, in a test part: predicted at the end."]
    copies = int(good["hash"].duplicated().sum())
    if copies:
        lines += ["", f"{copies:,} are exact copies of others; copies stay in one part."]
    if len(bad):
        lines += ["", f"{len(bad):,} skipped:"]
        lines += [f"  {row.path!r}: {row.reason}" for row in bad.itertuples()]
    return "\n".join(lines)


def _examined(source: Source, listed: dict, max_pixels: int) -> dict:
    """One file's row."""
    row = {name: listed[name] for name in ("path", "part", "class", "group")}
    row |= {"width": 0, "height": 0, "mode": "", "format": "", "bytes": 0, "hash": ""}
    row |= {"status": SKIPPED, "reason": listed["reason"]}
    if row["reason"]:
        return row
    try:
        content = source.content(row["path"])
        row |= {"bytes": len(content), "hash": hashlib.sha256(content).hexdigest()}
        row |= source.examine(content, max_pixels)
    except UnreadableError as error:
        return {**row, "reason": str(error)}
    return {**row, "status": OK if listed["labelled"] else UNLABELLED}
