"""The files below a folder, by name: none is opened."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")


def list_files(folder: str | Path) -> list[str]:
    """The files below a folder, sorted, relative to it; hidden ones are left out.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = [(folder / name).touch() for name in ("b.png", "a.png", ".hidden")]
        >>> list_files(folder)
        ['a.png', 'b.png']
    """
    return [path for path, reason in sorted(walk(Path(folder))) if not reason]


def walk(folder: Path) -> Iterator[tuple[str, str]]:
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
            yield shown(relative), f"folder cannot be read: {error.strerror}"
            continue
        if (status.st_dev, status.st_ino) in seen:
            yield shown(relative), "link to a folder that is read already"
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            name = shown(relative / entry.name)
            is_folder = _is_folder(entry)
            if entry.name.startswith(".") or (is_folder and entry.name in SYSTEM_FOLDERS):
                yield name, f"hidden or system {'folder' if is_folder else 'file'}"
            elif shown(entry.name) != entry.name:
                yield name, "its name is not valid UTF-8"
            elif is_folder:
                (linked if entry.is_symlink() else folders).append(place / entry.name)
            else:
                yield name, ""


def parts_of(folder: Path) -> dict[str, str]:
    """The folders that are parts, by name, where the folder is divided into parts and no more.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("Train", "val"):
        ...     (folder / name).mkdir()
        >>> sorted(parts_of(folder).items())
        [('Train', 'train'), ('val', 'validation')]
    """
    names = [
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in SYSTEM_FOLDERS
    ]
    parts = {name: PART_NAMES.get(name.lower(), "") for name in names}
    return parts if "train" in parts.values() and all(parts.values()) else {}


def shown(path: str | Path) -> str:
    """A path with forward slashes, in which bytes that are no UTF-8 are written as escapes."""
    return Path(path).as_posix().encode("utf-8", "backslashreplace").decode()


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
