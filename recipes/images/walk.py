"""The files below a folder, by name: none is opened."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")
# Files by which a folder is known as one that this library made, and what it is then called.
OWN = (
    ({"run.json", "weights.safetensors"}, "a run that this library made"),
    ({"search.json", "split.json"}, "a search that this library made"),
    ({"search.json", "trials"}, "a search that this library made"),
)
UNFINISHED = ".partial"


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
        made = _made_here(place, {entry.name for entry in entries}) if place != folder else ""
        if made:
            yield shown(relative), made
            continue
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


def shown(path: str | Path) -> str:
    """A path with forward slashes, in which bytes that are no UTF-8 are written as escapes."""
    return Path(path).as_posix().encode("utf-8", "backslashreplace").decode()


def _made_here(place: Path, names: set[str]) -> str:
    """What a folder is that this library made, so that no picture in it is one to learn from."""
    if place.name.endswith(UNFINISHED) and "settings.json" in names:
        return "an unfinished run that this library made"
    return next((reason for known, reason in OWN if known <= names), "")


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
