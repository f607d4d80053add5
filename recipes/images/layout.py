"""Which folders are parts and which are classes."""

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

LAYOUTS = ("auto", "classes", "parts")
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validate": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_WORDS = {**PART_NAMES, "trn": "train", "tst": "test", "eval": "validation", "holdout": "test"}
_FOLD = re.compile(r"(k?fold|split|part|batch|subset|chunk|cv|set)[ _-]?\d+", re.IGNORECASE)
_WORD = re.compile(
    rf"({'|'.join(sorted(_WORDS, key=len, reverse=True))})(s|set|data|imgs?|images)?"
)


def parts_of(files: Sequence[str], folder: str | Path, layout: str = "auto") -> dict[str, str]:
    """The part of each folder on top; nothing where these are classes.

    Args:
        files: their paths, relative to the folder.
        folder: for the errors.
        layout: "classes" takes no folder as a part; "parts" takes those whose names say so, with
            other words in them too, and leaves the others out; by "auto" parts are folders called
            train, val, test and the like, with no pictures beside them.

    Raises:
        ValueError: the folders look like parts and cannot be taken as such.

    Example:
        >>> parts_of(["Train/cat/1.png", "val/cat/2.png"], "photos")
        {'Train': 'train', 'val': 'validation'}
        >>> parts_of(["train/1.png", "car/2.png"], "photos")
        {}
    """
    if layout == "classes":
        return {}
    tops = sorted({path.split("/")[0] for path in files if "/" in path})
    named = {name: part_in(name) for name in tops}
    like = {name: part for name, part in named.items() if part}
    exact = {name: PART_NAMES[name.lower()] for name in tops if name.lower() in PART_NAMES}
    others = sorted({_top(path) for path in files if "/" in path and is_picture(path)} - {*exact})
    if layout == "parts":
        if "train" not in like.values():
            raise ValueError(
                f"layout: no folder in {folder} is called train; found: {_list(tops)}."
            )
        return like
    if "train" in exact.values() and not others:
        return exact
    if len(set(like.values())) > 1 or (len(like) > 1 and len(like) == len(tops)):
        raise ValueError(_in_the_way(folder, exact, like, others))
    if len(tops) > 1 and all(map(_FOLD.fullmatch, tops)):
        raise ValueError(
            f"folder: {folder} looks divided into {_list(tops)}, which are no classes. Put the "
            "pictures of a class into one folder, or say layout='classes'."
        )
    _check_inside(files, folder)
    return {}


def part_in(name: str) -> str:
    """The part that a folder's name speaks of, "" for none.

    Example:
        >>> [part_in(name) for name in ("train2017", "my-ValSet", "cats_test", "contest")]
        ['train', 'validation', 'test', '']
    """
    for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name):
        found = _WORD.fullmatch(word.lower())
        if found:
            return _WORDS[found.group(1)]
    return PART_NAMES.get(name.lower(), "")


def is_picture(path: str) -> bool:
    """Whether a file's name says that it is a picture.

    Example:
        >>> is_picture("a/b.JPG"), is_picture("a/b.json")
        (True, False)
    """
    return Path(path).suffix.lower() in Image.registered_extensions()


def _top(path: str) -> str:
    return path.split("/")[0]


def _list(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _in_the_way(folder, exact: dict[str, str], like: dict[str, str], others: list[str]) -> str:
    """Why folders that look like parts are not taken as parts."""
    beside = [name for name in others if name not in like]
    odd = [name for name in like if name not in exact]
    if odd:
        reason = f"{_list(odd)} is not exactly a part's name"
    elif beside:
        reason = f"beside them lie pictures in {_list(beside)}"
    else:
        reason = "none of them is called train"
    return (
        f"folder: {folder} looks divided into {_list(sorted(like))}, but {reason}. Rename or move "
        "what is in the way; or say layout='parts', by which the other folders are left out, or "
        "layout='classes', by which each folder is a class."
    )


def _check_inside(files: Sequence[str], folder) -> None:
    """Refuse folders on top that are divided into parts, each for itself."""
    inside: dict[str, set[str]] = {}
    for path in filter(is_picture, files):
        top, *folders = path.split("/")[:-1] or [""]
        part = PART_NAMES.get(folders[0].lower(), "") if folders else ""
        inside.setdefault(top, set()).add(part)
    divided = sorted(top for top, parts in inside.items() if len(parts) > 1 and "" not in parts)
    if divided and len(inside) == 1:
        raise ValueError(
            f"folder: the parts are in {divided[0]}: name the folder {folder}/{divided[0]}."
        )
    if divided:
        raise ValueError(
            f"folder: {_list(divided)} in {folder} is divided into parts, which are taken from the "
            "top only. Put the classes into the parts, or say layout='classes', by which these "
            "parts do not count."
        )
