"""What is in a folder of pictures: one row a file, decoded in full before it is called good."""

import hashlib
import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from recipes.images.decode import MAX_PIXELS, UnreadableError, open_picture, read_bytes, to_rgb
from recipes.progress import track

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
OK, SKIPPED = "ok", "skipped"
SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")


def scan(
    folder: str | Path,
    *,
    groups: str | None = None,
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    """List a folder of pictures, and what is wrong with it. Nothing in it is changed.

    Args:
        folder: with one subfolder a class, in which folders may be nested; or with `train`,
            `val` and `test`, each with class folders inside.
        groups: a CSV file with the columns file and group (paths relative to `folder`), or a
            regular expression with one group in parentheses, searched in the relative path.
            Pictures of one group stay in one part of the split.
        max_pixels: larger pictures are skipped before they are decoded.
        workers: threads that decode; by default one a processor.
        verbose: whether progress is shown.

    Returns:
        One row a file, sorted by path: `path` (relative), `part` ("" unless the folder has
        ready-made parts), `class`, `group`, `width`, `height`, `mode`, `format`, `bytes`, `hash`
        (SHA-256 of the content), `status` ("ok" or "skipped") and `reason`. `attrs["folder"]`
        holds the folder.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a file, it is empty, or `groups` does not fit.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "cats").mkdir()
        >>> Image.new("RGB", (4, 3)).save(folder / "cats" / "a.png")
        >>> scan(folder, verbose=False)[["path", "class", "width", "status"]].values.tolist()
        [['cats/a.png', 'cats', 4, 'ok']]
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"folder: {folder} does not exist.")
    if not folder.is_dir():
        raise ValueError(f"folder: {folder} is a file; a folder with one subfolder a class is.")
    found = sorted(_walk(folder))
    if not found:
        raise ValueError(f"folder: {folder} is empty.")
    parted = _has_parts(folder)

    def examine(item):
        path, reason = item
        return _row(folder, path, reason, parted, max_pixels)

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        rows = pool.map(examine, found)
        frame = pd.DataFrame(list(track(rows, "Scanning", len(found), "files", verbose)))
    frame.insert(3, "group", _groups(frame["path"], groups))
    frame.attrs["folder"] = str(folder)
    return frame


def list_files(folder: str | Path) -> list[str]:
    """The files below a folder, sorted, relative to it; hidden ones are left out.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = [(folder / name).touch() for name in ("b.png", "a.png", ".hidden")]
        >>> list_files(folder)
        ['a.png', 'b.png']
    """
    return [path for path, reason in sorted(_walk(Path(folder))) if not reason]


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
    good, bad = frame[frame["status"] == OK], frame[frame["status"] != OK]
    classes = good["class"].nunique()
    lines = [
        f"{len(good):,} picture{'s' * (len(good) != 1)} in {classes:,} class{'es' * (classes != 1)}"
    ]
    if len(good):
        lines[0] += (
            f", {good['width'].min()} to {good['width'].max()} pixels wide, "
            f"{good['height'].min()} to {good['height'].max()} high"
        )
        keys = [key for key in ("part", "class") if (good[key] != "").any()]
        sizes = good.groupby(keys).size().rename("pictures").reset_index()
        lines += ["", sizes.to_string(index=False)]
    copies = int(good["hash"].duplicated().sum())
    if copies:
        lines += ["", f"{copies:,} are exact copies of others; copies stay in one part."]
    if len(bad):
        lines += ["", f"{len(bad):,} skipped:"]
        lines += [f"  {row.path!r}: {row.reason}" for row in bad.itertuples()]
    return "\n".join(lines)


def _walk(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file's relative path, and why it is not even opened ("" where it is).

    Real folders come before linked ones, and none comes twice: links cannot loop or multiply.
    """
    folders, linked, seen = deque([folder]), deque(), set()
    while folders or linked:
        place = folders.popleft() if folders else linked.popleft()
        relative = place.relative_to(folder)
        try:
            status = place.stat()
            entries = list(os.scandir(place))
        except OSError as error:
            yield _shown(relative), f"folder cannot be read: {error.strerror}"
            continue
        if (status.st_dev, status.st_ino) in seen:
            yield _shown(relative), "link to a folder that is read already"
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            name = _shown(relative / entry.name)
            is_folder = _is_folder(entry)
            if entry.name.startswith(".") or (is_folder and entry.name in SYSTEM_FOLDERS):
                yield name, f"hidden or system {'folder' if is_folder else 'file'}"
            elif _shown(entry.name) != entry.name:
                yield name, "its name is not valid UTF-8"
            elif is_folder:
                (linked if entry.is_symlink() else folders).append(place / entry.name)
            else:
                yield name, ""


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _shown(path: str | Path) -> str:
    """A path with forward slashes, in which bytes that are no UTF-8 are written as escapes."""
    return Path(path).as_posix().encode("utf-8", "backslashreplace").decode()


def _has_parts(folder: Path) -> bool:
    """Whether the folder is divided into parts: `train` and others of their names, no more."""
    names = [
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in SYSTEM_FOLDERS
    ]
    parts = [PART_NAMES.get(name.lower()) for name in names]
    if "train" not in parts or None in parts:
        return False
    train = folder / names[parts.index("train")]
    return any(place.is_dir() for place in train.iterdir())


def _row(folder: Path, path: str, reason: str, parted: bool, max_pixels: int) -> dict:
    """One file's row."""
    row = {
        "path": path,
        "part": "",
        "class": "",
        "width": 0,
        "height": 0,
        "mode": "",
        "format": "",
        "bytes": 0,
        "hash": "",
        "status": SKIPPED,
        "reason": reason,
    }
    if reason:
        return row
    folders = path.split("/")[:-1]
    if parted and folders:
        row["part"] = PART_NAMES[folders.pop(0).lower()]
    if not folders:
        return {**row, "reason": "not in a class folder"}
    row["class"] = folders[0]
    try:
        content = read_bytes(folder / path)
        row |= {"bytes": len(content), "hash": hashlib.sha256(content).hexdigest()}
        picture = open_picture(content, max_pixels)
        row |= {"width": picture.width, "height": picture.height}
        row |= {"mode": picture.mode, "format": picture.format}
        if picture.format == "JPEG":
            picture.draft(None, (1, 1))  # every byte is read, an eighth of the pixels are made
        to_rgb(picture)
    except UnreadableError as error:
        return {**row, "reason": str(error)}
    return {**row, "status": OK}


def _groups(paths: pd.Series, groups: str | None) -> pd.Series:
    """The group of each path, "" for a picture that is a group of its own."""
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
        try:
            pattern = re.compile(groups)
        except re.error as error:
            raise ValueError(f"groups: {groups!r} is not a regular expression: {error}.") from None
        if pattern.groups != 1:
            raise ValueError(
                f"groups: {groups!r} has {pattern.groups} groups in parentheses, not one."
            )
        matches = paths.map(pattern.search)
        found = matches.map(lambda match: (match.group(1) or "") if match else "")
    if not (found != "").any():
        raise ValueError(f"groups: {groups!r} gives no picture of the folder a group.")
    return found
