"""Where pictures and their labels come from: a source lists them, a row a file, and opens none."""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recipes.files import checked_path
from recipes.images.copies import SIDE, gray_of, thumbnail
from recipes.images.decode import Reading, decode_bytes, ends_of, read_bytes, to_rgb, values_of
from recipes.images.formats import has_deep_colours, open_picture

COLUMNS = ["path", "part", "class", "group", "labelled", "reason"]
CUT = ", 16 bits read as 8"  # of the mode of colours that OpenCV would keep
PACKED = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".rar")
INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200e\u200f\ufeff"))


@dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
        table: one row a file: `path` (relative to the source's folder), `part` ("" where the
            source has none), `class` (several labels separated by semicolons), `group`,
            `labelled`, and `reason`: "" where the file is to be opened.
        several_labels: whether pictures have any number of labels.
        layout: how labels and parts are told, in words.
        notes: what else was found out about the source, in words.
    """

    table: pd.DataFrame
    several_labels: bool = False
    layout: str = ""
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

    def examine(self, content: bytes, reading: Reading) -> dict:
        """What a picture is like, all of which has been read.

        Returns:
            `width`, `height`, `mode`, `format`; `low` and `high`, between which its values lie,
            where it has more than 8 bits; `plain`: whether it is of one colour; and `thumbnail`,
            by which copies are found.

        Raises:
            UnreadableError: it is no picture, too large or damaged.
        """
        picture = open_picture(content, reading.max_pixels)
        found: dict[str, object] = {"width": picture.width, "height": picture.height}
        found |= {"mode": picture.mode, "format": picture.format}
        cut, values = has_deep_colours(picture), values_of(picture, content)
        if cut and values is None:
            found["mode"] = f"{picture.mode}{CUT}"
        if values is not None:
            found["low"], found["high"] = ends_of(values)
            found["plain"] = bool(values.min() == values.max())
            found["thumbnail"] = thumbnail(gray_of(values))
        if picture.format == "JPEG":
            # Every byte is read; of a large picture an eighth of the pixels a side are made.
            picture.draft(None, (SIDE, SIDE))
        if values is None:
            upright = to_rgb(picture, reading)
            pixels, found["thumbnail"] = np.asarray(upright), thumbnail(upright)
            found["plain"] = bool((pixels == pixels[0, 0]).all())
        return found

    def decode(self, content: bytes, image_size: tuple[int, int], reading: Reading) -> np.ndarray:
        """A picture's pixels, uint8 (*image_size, 3).

        Raises:
            UnreadableError: it is no picture, or damaged.
        """
        return decode_bytes(content, image_size, reading)


def check_folder(folder: str | Path) -> Path:
    """A folder that is there.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the path is empty, or that of a file.
    """
    folder = checked_path("folder", folder)
    if not folder.exists():
        raise FileNotFoundError(f"folder: {folder} does not exist.")
    if not folder.is_dir():
        packed = " Unpack it first." if folder.suffix.lower() in PACKED else ""
        raise ValueError(
            f"folder: {folder} is a file; a folder with one subfolder a class is taken, or a table "
            f"(.csv, .tsv) of files and labels.{packed}"
        )
    return folder


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


def plain_label(text: str) -> str:
    """A label as it is counted: composed Unicode, no invisible signs, single spaces.

    Example:
        >>> plain_label(" cafe\u0301  bar ") == "caf\u00e9 bar"
        True
    """
    return " ".join(unicodedata.normalize("NFC", text).translate(INVISIBLE).split())


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
