"""Which pictures belong together, as a file or an expression says."""

import os
import re
import unicodedata
from pathlib import Path

import pandas as pd

from recipes.images.sources import expression
from recipes.images.tables import read_table


def groups_of(paths: pd.Series, groups: str, folder: str | Path) -> pd.Series:
    """The group of each path, "" for a picture that is a group of its own.

    Args:
        paths: of the pictures, relative.
        groups: a CSV file (file, group), or a regular expression with one group in parentheses.
        folder: to which the paths are relative.

    Raises:
        ValueError: the file or the expression does not fit.
    """
    if str(groups).lower().endswith((".csv", ".tsv")):
        return _by_file(paths, str(groups), folder)
    matches = paths.map(expression("groups", groups).search)
    found = matches.map(lambda match: (match.group(1) or "") if match else "")
    if not (found != "").any():
        raise ValueError(f"groups: {groups!r} gives no picture of the folder a group.")
    return found


def _by_file(paths: pd.Series, groups: str, folder: str | Path) -> pd.Series:
    """The groups that a file names: every row has to fit a picture, or every picture a row."""
    try:
        table = read_table(groups)
    except FileNotFoundError:
        raise ValueError(f"groups: there is no file {groups!r}.") from None
    if not {"file", "group"} <= set(table.columns):
        raise ValueError(
            f"groups: {groups} needs the columns file and group; it has {', '.join(table.columns)}."
        )
    table = table.assign(file=[_plain(text, folder) for text in table["file"]])
    table["group"] = table["group"].str.strip()
    several = table.groupby("file")["group"].nunique()
    if (several > 1).any():
        raise ValueError(f"groups: {groups} has {several.idxmax()!r} in several groups.")
    own = paths.map(lambda path: _plain(path, folder))
    rows = table[~table["file"].isin(set(own))]
    pictures = paths[~own.isin(set(table["file"]))]
    if len(rows) and len(pictures):
        raise ValueError(
            f"groups: {groups} does not fit the pictures: {len(rows):,} of its {len(table):,} rows "
            f"name none, such as {_two(rows['file'])}, and {len(pictures):,} of {len(paths):,} "
            f"pictures have no row, such as {_two(pictures)}. Files are named by their path in the "
            "folder."
        )
    found = own.map(dict(zip(table["file"], table["group"], strict=True))).fillna("")
    if not (found != "").any():
        raise ValueError(f"groups: {groups!r} gives no picture of the folder a group.")
    return found


def _plain(path: str, folder: str | Path) -> str:
    """A path as it is compared: relative, with forward slashes, in composed Unicode."""
    path = path.strip().replace("\\", "/")
    if os.path.isabs(path) or re.match(r"[A-Za-z]:/", path):
        for place in (Path(folder).absolute(), Path(folder).resolve()):
            if Path(path).is_relative_to(place):
                path = Path(path).relative_to(place).as_posix()
                break
    return unicodedata.normalize("NFC", os.path.normpath(path).replace("\\", "/") if path else "")


def _two(paths: pd.Series) -> str:
    return " and ".join(repr(path) for path in paths.head(2))
