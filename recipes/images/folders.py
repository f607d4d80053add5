"""Labels from the folders that pictures lie in, or from the names of their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import pandas as pd

from recipes.images.layout import is_picture, parts_of
from recipes.images.sources import COLUMNS, Listing, Source, check_folder, expression
from recipes.images.walk import SYSTEM_FOLDERS, shown, walk
from recipes.rules import AUTO


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
        layout: as in `recipes.images.layout.parts_of`.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a file.
    """

    def __init__(self, folder: str | Path, layout: str = AUTO):
        self.folder = check_folder(folder)
        self.name = str(folder)
        self.layout = layout

    def listing(self) -> Listing:
        """Every file below the folder; its class is the first folder of its path."""
        files = files_below(self.folder)
        parts = parts_of([path for path, reason in files if not reason], self.folder, self.layout)
        rows = []
        for path, reason in files:
            *folders, _ = path.split("/")
            part = parts.get(folders.pop(0), "") if parts and folders else ""
            if not reason and parts and not part:
                reason = "not in a part"
            if not reason and not folders and part != "test":
                reason = "not in a class folder"
            label = "" if reason else (folders or [""])[0]
            rows.append((path, part, label, "", label != "", reason))
        table = pd.DataFrame(rows, columns=COLUMNS)
        _take_strange_labels_from_test(table)
        loose = ~table["labelled"] & (table["reason"] == "")
        if loose.any() and not _without_labels(table):
            table.loc[loose, ["reason", "part"]] = ["not in a class folder", ""]
        self._check(table, parts)
        layout = f"a folder a class, {_in_words(parts, table)}"
        return Listing(table, layout=layout, notes=self._empty([path for path, _ in files], parts))

    def _empty(self, files: Sequence[str], parts: Mapping[str, str]) -> tuple[str, ...]:
        """What is to be said of class folders that hold no file."""
        depth = 2 if parts else 1
        filled = {tuple(path.split("/")[:depth]) for path in files}
        places = [self.folder / part for part in parts] or [self.folder]
        empty = [
            shown(folder.relative_to(self.folder))
            for place in places
            for folder in sorted(place.iterdir())
            if folder.is_dir()
            and not folder.name.startswith(".")
            and folder.name not in SYSTEM_FOLDERS
            and folder.relative_to(self.folder).parts not in filled
        ]
        return (f"{', '.join(empty)}: empty, and no class.",) if empty else ()

    def _check(self, table: pd.DataFrame, parts: Mapping[str, str]) -> None:
        """Refuse a folder without class folders, with what to do about it."""
        if table["labelled"].any():
            trained = set(table.loc[table["labelled"], "part"])
            if not parts or "train" in trained:
                return
        loose = [path for path in table["path"] if is_picture(path)]
        where = next((name for name, part in parts.items() if part == "train"), "it")
        if not loose:
            found = table.loc[table["reason"] != "", ["path", "reason"]].to_numpy().tolist()
            told = f": {found[0][0]!r} is {found[0][1]}" if found else ""
            raise ValueError(f"folder: {self.folder} holds no pictures in class folders{told}.")
        divided = f"is divided into {', '.join(sorted(parts))}, but {where}" if parts else "holds"
        pictures = "has" if parts else f"{len(loose):,} pictures, such as {loose[0]!r}, and"
        raise ValueError(
            f"folder: {self.folder} {divided} {pictures} no class folders. Give each class a "
            "folder there, or say where else the labels are: in the names (labels_from_name), or "
            "in a table."
        )


@final
class FileNames(Source):
    """Labels from the names of the files, as in `cat.17.jpg`.

    In ready-made parts (`train`, `val`, `test`), a test part in which no name fits has no labels.

    Args:
        folder: of the pictures.
        pattern: a regular expression with one group, searched in each file's name.
        layout: as in `recipes.images.layout.parts_of`.

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

    def __init__(self, folder: str | Path, pattern: str, layout: str = AUTO):
        self.folder = check_folder(folder)
        self.name = str(folder)
        self.layout = layout
        self.pattern = expression("labels_from_name", pattern)

    def listing(self) -> Listing:
        """Every file below the folder; its class is what the expression finds in its name."""
        files = files_below(self.folder)
        parts = parts_of([path for path, reason in files if not reason], self.folder, self.layout)
        rows = []
        for path, reason in files:
            *folders, name = path.split("/")
            part = parts.get(folders[0], "") if parts and folders else ""
            if parts and not part and not reason:
                reason = "not in a part"
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
        return Listing(table, layout=f"labels in the names, {_in_words(parts, table)}")


def _in_words(parts: Mapping[str, str], table: pd.DataFrame) -> str:
    """The parts that were taken."""
    if not parts:
        return "no parts"
    words = [f"{name} ({part})" if name != part else name for name, part in parts.items()]
    beside = table.loc[table["reason"] == "not in a part", "path"]
    out = sorted({path.split("/")[0] for path in beside if "/" in path})
    left_out = f"; left out: {', '.join(out[:6])}{', …' if len(out) > 6 else ''}" if out else ""
    return f"parts by the folders {', '.join(words)}{left_out}"


def _take_strange_labels_from_test(table: pd.DataFrame) -> None:
    """A test part whose one folder is no class of the others has no labels, in place.

    As in `test/unknown` or `test/images`.
    """
    test = table["labelled"] & (table["part"] == "test")
    known = set(table.loc[table["labelled"] & ~test, "class"])
    strange = set(table.loc[test, "class"])
    if known and len(strange) == 1 and not strange & known:
        table.loc[test, ["class", "labelled"]] = ["", False]


def _without_labels(table: pd.DataFrame) -> bool:
    """Whether the table has a test part in which nothing has a label."""
    test = table[(table["part"] == "test") & (table["reason"] == "")]
    return len(test) > 0 and not test["labelled"].any()


def files_below(folder: Path) -> list[tuple[str, str]]:
    """As `walk`, sorted; refused where there is nothing."""
    found = sorted(walk(folder))
    if not found:
        raise ValueError(f"folder: {folder} is empty.")
    return found
