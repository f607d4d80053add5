"""Where pictures and their labels come from: a source lists them, a row a file, and opens none."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd

from recipes.images.decode import decode_bytes, open_picture, read_bytes, to_rgb
from recipes.images.walk import parts_of, walk


@dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
        table: one row a file: `path` (relative to the source's folder), `part` ("" where the
            source has none), `class` (several labels separated by semicolons), `group`,
            `labelled`, and `reason`: "" where the file is to be opened.
        several_labels: whether pictures have any number of labels.
        notes: what was found out about the source, in words.
    """

    table: pd.DataFrame
    several_labels: bool = False
    notes: tuple[str, ...] = ()


class Source(ABC):
    """Pictures and their labels.

    Attributes:
        folder: to which the paths are relative.
        name: for people and for `run.json`: what was given.
    """

    folder: Path
    name: str

    @abstractmethod
    def listing(self) -> Listing:
        """Every file, with its label."""

    def content(self, path: str) -> bytes:
        """A picture's file.

        Raises:
            UnreadableError: it cannot be read; the text says why.
        """
        return read_bytes(self.folder / path)

    def examine(self, content: bytes, max_pixels: int) -> dict:
        """Width, height, mode and format of a picture, all of which has been read.

        Raises:
            UnreadableError: it is no picture, too large or damaged.
        """
        picture = open_picture(content, max_pixels)
        found = {"width": picture.width, "height": picture.height}
        found |= {"mode": picture.mode, "format": picture.format}
        if picture.format == "JPEG":
            picture.draft(None, (1, 1))  # every byte is read, an eighth of the pixels are made
        to_rgb(picture)
        return found

    def decode(self, content: bytes, image_size: tuple[int, int]) -> np.ndarray:
        """A picture's pixels, uint8 (*image_size, 3).

        Raises:
            UnreadableError: it is no picture, or damaged.
        """
        return decode_bytes(content, image_size)


@final
class Files(Source):
    """Files below a folder, without labels.

    Args:
        folder: to which the paths are relative.
    """

    def __init__(self, folder: str | Path):
        self.folder, self.name = Path(folder), str(folder)

    def listing(self) -> Listing:
        """Every file below the folder."""
        rows = [(path, "", "", "", False, reason) for path, reason in files_below(self.folder)]
        return Listing(pd.DataFrame(rows, columns=COLUMNS))


@final
class ClassFolders(Source):
    """One subfolder a class; or `train`, `val` and `test`, each with class folders inside.

    A test part that holds no class folders but pictures has no labels.

    Args:
        folder: of the pictures.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a file.
    """

    def __init__(self, folder: str | Path):
        self.folder = check_folder(folder)
        self.name = str(folder)

    def listing(self) -> Listing:
        """Every file below the folder; its class is the first folder of its path."""
        parts = self._parts()
        rows = []
        for path, reason in files_below(self.folder):
            *folders, _ = path.split("/")
            part = parts[folders.pop(0)] if parts and folders else ""
            if not reason and not folders and part != "test":
                reason = "not in a class folder"
            label = "" if reason else (folders or [""])[0]
            rows.append((path, part, label, "", label != "", reason))
        table = pd.DataFrame(rows, columns=COLUMNS)
        loose = ~table["labelled"] & (table["reason"] == "")
        if loose.any() and not _without_labels(table):
            table.loc[loose, ["reason", "part"]] = ["not in a class folder", ""]
        return Listing(table)

    def _parts(self) -> dict[str, str]:
        parts = parts_of(self.folder)
        train = [self.folder / name for name, part in parts.items() if part == "train"]
        if parts and not any(place.is_dir() for folder in train for place in folder.iterdir()):
            raise ValueError(
                f"folder: {self.folder} is divided into {', '.join(sorted(parts))}, but "
                f"{train[0].name} has no class folders. Give each class a folder there, or say "
                "where else the labels are: in the names (labels_from_name), or in a table."
            )
        return parts


@final
class FileNames(Source):
    """Labels from the names of the files, as in `cat.17.jpg`.

    In ready-made parts (`train`, `val`, `test`), a test part in which no name fits has no labels.

    Args:
        folder: of the pictures.
        pattern: a regular expression with one group, searched in each file's name.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a file, or the expression is none or has another number of groups.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = [(folder / name).touch() for name in ("cat.1.jpg", "dog.1.jpg")]
        >>> FileNames(folder, r"^(\\w+)[.]").listing().table["class"].tolist()
        ['cat', 'dog']
    """

    def __init__(self, folder: str | Path, pattern: str):
        self.folder = check_folder(folder)
        self.name = str(folder)
        self.pattern = expression("labels_from_name", pattern)

    def listing(self) -> Listing:
        """Every file below the folder; its class is what the expression finds in its name."""
        parts = parts_of(self.folder)
        rows = []
        for path, reason in files_below(self.folder):
            *folders, name = path.split("/")
            part = parts[folders[0]] if parts and folders else ""
            match = self.pattern.search(name)
            label = (match.group(1) or "") if match and not reason else ""
            rows.append((path, part, label, "", label != "", reason))
        table = pd.DataFrame(rows, columns=COLUMNS)
        if not table["labelled"].any():
            raise ValueError(
                f"labels_from_name: {self.pattern.pattern!r} finds a label in no name of "
                f"{len(table):,}, such as {table['path'].iloc[0]!r}."
            )
        unlabelled = table["part"] == "test" if _without_labels(table) else False
        loose = ~table["labelled"] & (table["reason"] == "") & ~unlabelled
        table.loc[loose, "reason"] = "no label in its name"
        return Listing(table)


COLUMNS = ["path", "part", "class", "group", "labelled", "reason"]


def _without_labels(table: pd.DataFrame) -> bool:
    """Whether the table has a test part in which nothing has a label."""
    test = table[(table["part"] == "test") & (table["reason"] == "")]
    return len(test) > 0 and not test["labelled"].any()


def check_folder(folder: str | Path) -> Path:
    """A folder that is there.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the path is empty, or that of a file.
    """
    if str(folder) == "":
        raise ValueError("folder: the path is empty.")
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"folder: {folder} does not exist.")
    if not folder.is_dir():
        raise ValueError(
            f"folder: {folder} is a file; a folder with one subfolder a class is taken, or a table "
            "(.csv, .tsv) of files and labels."
        )
    return folder


def files_below(folder: Path) -> list[tuple[str, str]]:
    """As `walk`, sorted; refused where there is nothing."""
    found = sorted(walk(folder))
    if not found:
        raise ValueError(f"folder: {folder} is empty.")
    return found


def expression(name: str, pattern: str) -> re.Pattern:
    """A regular expression with one group.

    Raises:
        ValueError: it is none, or has another number of groups; the text begins with `name`.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name}: {pattern!r} is not a regular expression: {error}.") from None
    if compiled.groups != 1:
        raise ValueError(
            f"{name}: {pattern!r} has {compiled.groups} groups in parentheses, not one."
        )
    return compiled


def groups_of(paths: pd.Series, groups: str | None) -> pd.Series:
    """The group of each path, "" for a picture that is a group of its own.

    Args:
        paths: of the pictures, relative.
        groups: a CSV file (file, group), or a regular expression with one group.

    Raises:
        ValueError: the file or the expression does not fit.
    """
    if groups is None:
        return pd.Series("", index=paths.index)
    if str(groups).lower().endswith(".csv"):
        try:
            table = pd.read_csv(groups, dtype=str, keep_default_na=False)
        except FileNotFoundError:
            raise ValueError(f"groups: there is no file {str(groups)!r}.") from None
        if not {"file", "group"} <= set(table.columns):
            raise ValueError(
                f"groups: {groups} needs the columns file and group; it has "
                f"{', '.join(table.columns)}."
            )
        found = paths.map(dict(zip(table["file"], table["group"], strict=True))).fillna("")
    else:
        matches = paths.map(expression("groups", groups).search)
        found = matches.map(lambda match: (match.group(1) or "") if match else "")
    if not (found != "").any():
        raise ValueError(f"groups: {groups!r} gives no picture of the folder a group.")
    return found


def natural_order(names: Sequence[str]) -> list[str]:
    """Names in the order in which people count.

    Example:
        >>> natural_order(["10", "9", "b2", "b11", "a"])
        ['9', '10', 'a', 'b2', 'b11']
    """

    def key(name: str) -> tuple:
        pieces = re.split(r"(\d+)", name)
        return tuple(int(piece) if k % 2 else piece for k, piece in enumerate(pieces)), name

    return sorted(names, key=key)
