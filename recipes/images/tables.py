"""Labels from a table: a CSV file, or a DataFrame, with a column of files and one of labels."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
from PIL import Image

from recipes.images.layout import PART_NAMES
from recipes.images.sources import COLUMNS, Listing, Source, check_folder
from recipes.images.walk import list_files
from recipes.lookup import find
from recipes.settings import DataSettings
from recipes.tasks.base import SEPARATOR

LOOKED_AT = 500
CHECKED = {"file", "label", "suggested", "score", "issue"}  # of a table that `check` wrote


@final
class LabelTable(Source):
    """Files and labels as a table lists them.

    A file is found by its path relative to the folder, by its name alone, and by both without
    their ending, as competitions ship them; absolute paths are taken too. A DataFrame without a
    folder has paths, absolute or relative to the working folder.

    Args:
        table: the path of a CSV file (commas, semicolons or tabs), or a DataFrame.
        settings: which columns, and where the pictures are; what is not named is guessed where
            only one thing fits.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: a column is not there, or what was not named cannot be guessed.
    """

    def __init__(self, table: str | Path | pd.DataFrame, settings: DataSettings):
        self.settings = settings
        if isinstance(table, pd.DataFrame):
            self.name, beside = "the table", Path()
            self.table = table.astype(object).where(table.notna(), "").astype(str)
            self.table.columns = [str(name) for name in table.columns]
        else:
            self.name, beside = str(table), Path(table).parent
            self.table = read_table(table)
        if self.table.empty:
            raise ValueError(f"{self.name}: it has no rows.")
        self.folder = check_folder(beside if settings.pictures is None else settings.pictures)
        # A table in memory without a folder has paths: the working folder is not searched.
        self.searched = not isinstance(table, pd.DataFrame) or settings.pictures is not None

    def listing(self) -> Listing:
        """A row a picture that is listed, and one for each that is there and is not."""
        files = list_files(self.folder) if self.searched else []
        index = _Index(self.folder, files)
        columns = _Columns(self.table, self.settings, index, self.name)
        found = pd.DataFrame(
            {
                "path": [index.path(text) for text in self.table[columns.file]],
                "part": columns.parts(),
                "class": columns.labels(),
                "group": self.table[columns.group] if columns.group else "",
                "listed": self.table[columns.file],
            }
        )
        found["labelled"] = columns.labelled()
        found["reason"] = ""
        found.loc[~found["labelled"] & (found["part"] != "test"), "reason"] = "no label"
        found.loc[found["path"] == "", "reason"] = "no such file"
        found.loc[found["path"] == "", "path"] = found["listed"]
        if (found["reason"] == "no such file").all():
            raise FileNotFoundError(
                f"{self.name}: none of its {len(found):,} files is in {self.folder}, such as "
                f"{found['path'].iloc[0]!r}. Name the folder that they are in: pictures."
            )
        found = _once_each(found, columns.several)
        rest = _not_listed(files, found, self.name)
        table = pd.concat([found, rest])[COLUMNS].reset_index(drop=True)
        note, labelled = columns.note, table["labelled"] & (table["reason"] == "")
        if columns.part is None and self.settings.layout != "classes":
            parts = table["path"].map(lambda path: PART_NAMES.get(path.split("/")[0].lower(), ""))
            named = set(parts[labelled])
            if len(named) > 1 and "" not in named and "train" in named:
                table.loc[labelled, "part"] = parts[labelled]
                note += ", parts by the folders on top"
        return Listing(table, columns.several, note)


def is_table(data) -> bool:
    """Whether this is a table of labels rather than a folder.

    Example:
        >>> is_table("labels.csv"), is_table("photos/")
        (True, False)
    """
    if isinstance(data, pd.DataFrame):
        return True
    return isinstance(data, str | Path) and Path(data).suffix.lower() in (".csv", ".tsv")


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV file as texts: commas, semicolons or tabs, whichever its first line has most of.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a table in UTF-8.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    try:
        with open(path, encoding="utf-8-sig") as file:
            first = file.readline()
        separator = max(",;\t", key=first.count)
        return pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path}: it is not a table in UTF-8: {error}".strip()) from None


class _Index:
    """The files of a folder, by every way in which a table may name them."""

    def __init__(self, folder: Path, files: Iterable[str]):
        self.folder = folder.resolve()
        self.known = set(files)
        self.other: defaultdict[str, set[str]] = defaultdict(set)
        for path in self.known:
            if Path(path).suffix.lower() not in Image.registered_extensions():
                continue
            name = path.rsplit("/", 1)[-1]
            for text in (name, _stem(path), _stem(name)):
                self.other[text].add(path)

    def path(self, text: str) -> str:
        """The path relative to the folder of what a table calls a file; "" where there is none."""
        text = text.strip().replace("\\", "/")
        if Path(text).is_absolute() and text:
            try:
                text = Path(text).resolve().relative_to(self.folder).as_posix()
            except ValueError:
                return text if Path(text).is_file() else ""
        text = Path(text).as_posix() if text else ""
        if text in self.known or (text and (self.folder / text).is_file()):
            return text
        found = self.other.get(text, set())
        return next(iter(found)) if len(found) == 1 else ""


def _stem(path: str) -> str:
    return path[: -len(Path(path).suffix)] if Path(path).suffix else path


class _Columns:
    """Which column is which, and what they say."""

    def __init__(self, table: pd.DataFrame, settings: DataSettings, index: _Index, name: str):
        self.table, self.name = table, name
        free = dict.fromkeys(table.columns)

        def given(option: str) -> str | None:
            column = getattr(settings, option)
            if column is not None:
                find(column, dict.fromkeys(table.columns), what=f"{option}, in {name}")
                free.pop(column, None)
            return column

        self.group, self.part = given("group_column"), given("part_column")
        self.file = given("file_column")
        labels = settings.label_column
        if set(table.columns) >= CHECKED:
            self.file, labels = self.file or "file", labels or "label"
            free.pop("file", None)
        if labels is not None:
            self.label = (labels,) if isinstance(labels, str) else tuple(labels)
            for column in self.label:
                find(column, dict.fromkeys(table.columns), what=f"label_column, in {name}")
                free.pop(column, None)
        if self.file is None:
            self.file = self._only("file", [c for c in free if _finds_files(table[c], index)])
            free.pop(self.file)
        if self.part is None:
            parts = [column for column in free if _says_parts(table[column])]
            self.part = parts[0] if len(parts) == 1 else None
            free.pop(self.part, None)
        if labels is None:
            self.label = self._guess_labels(free)
        cells = table[self.label[0]]
        asked = settings.task == "multilabel"
        one = len(self.label) == 1
        self.several = (
            not one
            or asked
            or (settings.task == "auto" and cells.str.contains(SEPARATOR, regex=False).any())
        )
        if not one and settings.task not in ("auto", "multilabel"):
            raise ValueError(
                f"label_column: {', '.join(self.label)} are several; with task = "
                f"{settings.task!r} it is one."
            )
        separator = SEPARATOR if cells.str.contains(SEPARATOR, regex=False).any() else None
        self.separator = separator
        for column in self.label if not one else ():
            wrong = sorted(set(table[column]) - {"0", "1", "0.0", "1.0", "", "True", "False"})
            if wrong:
                raise ValueError(
                    f"{name}: the column {column} of a label holds {wrong[0]!r}, not 0 or 1."
                )
        self.note = f"{name}: files by {self.file}, labels by {', '.join(self.label)}" + "".join(
            f", {what} by {column}"
            for what, column in (("parts", self.part), ("groups", self.group))
            if column
        )

    def _only(self, what: str, fitting: list[str]) -> str:
        if len(fitting) == 1:
            return fitting[0]
        found = f"{', '.join(fitting)} could be" if fitting else "none is"
        raise ValueError(
            f"{self.name}: the column of {what}s cannot be guessed ({found}); name it: "
            f"{what}_column. It has {', '.join(self.table.columns)}."
        )

    def _guess_labels(self, free: Iterable[str]) -> tuple[str, ...]:
        table = self.table
        flags = [c for c in free if set(table[c]) <= {"0", "1"} and table[c].nunique() > 1]
        texts = [c for c in free if c not in flags and 1 < table[c].nunique() <= len(table) / 2]
        if len(flags) > 1 and not texts:
            return tuple(flags)
        return (self._only("label", flags + texts),)

    def parts(self) -> pd.Series | str:
        if self.part is None:
            return ""
        texts = self.table[self.part].str.strip().str.lower()
        unknown = sorted(set(texts) - {"", *PART_NAMES})
        if unknown:
            raise ValueError(
                f"part_column: {self.part} holds {unknown[0]!r}; allowed are "
                f"{', '.join(PART_NAMES)} and nothing."
            )
        return texts.map(PART_NAMES).fillna("")

    def labels(self) -> list[str]:
        """One text a row; several labels in order, separated by semicolons."""
        if len(self.label) > 1:
            flags = self.table[list(self.label)].isin(["1", "1.0", "True"]).to_numpy()
            return [
                SEPARATOR.join(sorted(np.array(self.label, dtype=object)[row])) for row in flags
            ]
        cells = self.table[self.label[0]].str.strip()
        return [self._joined(text) for text in cells] if self.several else list(cells)

    def _joined(self, text: str) -> str:
        labels = {label.strip() for label in text.split(self.separator)}
        return SEPARATOR.join(sorted(labels - {""}))

    def labelled(self) -> pd.Series:
        """Whether a row says something: a cell of several columns may say no to all."""
        return (self.table[list(self.label)].apply(lambda c: c.str.strip()) != "").all(axis=1)


def _finds_files(column: pd.Series, index: _Index) -> bool:
    texts = column.head(LOOKED_AT)
    return sum(index.path(text) != "" for text in texts) >= len(texts) / 2


def _says_parts(column: pd.Series) -> bool:
    texts = set(column.str.strip().str.lower())
    return len(texts) > 1 and texts <= set(PART_NAMES)


def _once_each(found: pd.DataFrame, several: bool) -> pd.DataFrame:
    """A file listed twice: one row, with all its labels, or none where it may have one only."""
    good = found[found["reason"] == ""]
    for _, rows in good[good["path"].duplicated(keep=False)].groupby("path"):
        first, labels = rows.index[0], sorted(set(rows["class"]))
        found.loc[rows.index[1:], "reason"] = "listed twice"
        if several:
            found.loc[first, "class"] = SEPARATOR.join(
                sorted({label for text in labels for label in text.split(SEPARATOR)} - {""})
            )
        elif len(labels) > 1:
            found.loc[rows.index, "reason"] = f"listed with the labels {', '.join(labels)}"
    return found


def _not_listed(files: list[str], found: pd.DataFrame, name: str) -> pd.DataFrame:
    """The pictures that are there and not listed; those of a test folder have no labels."""
    listed = set(found["path"])
    rest = [
        path
        for path in files
        if path not in listed and Path(path).suffix.lower() in Image.registered_extensions()
    ]
    table = pd.DataFrame({"path": rest, "part": "", "class": "", "group": "", "labelled": False})
    table["reason"] = f"not listed in {Path(name).name}"
    test = [PART_NAMES.get(path.split("/")[0].lower()) == "test" and "/" in path for path in rest]
    if any(test) and not (found["part"] == "test").any():
        table.loc[test, ["part", "reason"]] = ["test", ""]
    return table
