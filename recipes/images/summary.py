"""What was found among the pictures and decided about them, in a few lines."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recipes.images.inspection import (
    NAMED,
    OK,
    SKIPPED,
    UNLABELLED,
    examples,
    skipped_in_words,
)
from recipes.images.sources import CUT, natural_order
from recipes.images.split import IMBALANCED_FROM, PARTS
from recipes.tasks.base import SEPARATOR

CLASSES = 30
SQUARE = 1.1  # to 1: from here on it matters


def summary(frame: pd.DataFrame, task: str | None = None) -> dict[str, str]:
    """What `scan` found and what follows, in words: what is not there has no line.

    Args:
        frame: what `scan` gave, or `split`.
        task: its name, where it is decided.

    Returns:
        A few words to a text each: `layout`, `pictures`, `classes`, `parts`, `missing`, `task`,
        `imbalance`, `groups`, `copies`, `resize`, `bits`, `plain`, `unlabelled`, `skipped`, `note`.

    Example:
        >>> row = {"path": "a/b.png", "part": "", "class": "a", "group": "", "width": 4,
        ...        "height": 3, "mode": "RGB", "format": "PNG", "bytes": 70, "hash": "00",
        ...        "plain": False, "status": "ok", "reason": ""}
        >>> summary(pd.DataFrame([row]))
        {'pictures': '1, 4 to 4 pixels wide, 3 to 3 high', 'classes': '1: a 1'}
    """
    good = frame[frame["status"] == OK]
    lines = {
        "layout": frame.attrs.get("layout", ""),
        "pictures": _sizes(good),
        "classes": _classes(good, frame.attrs.get("several_labels", False)),
        "parts": _parts(good),
        "missing": _missing(good),
        "task": task or "",
        "imbalance": _imbalance(good, frame.attrs.get("several_labels", False)),
        "groups": _groups(good),
        "copies": _copies(good),
        "resize": _resize(good, frame.attrs.get("resize", "")),
        "bits": _bits(good, frame.attrs.get("levels")),
        "plain": _plain(good),
        "unlabelled": _unlabelled(frame),
        "skipped": skipped_in_words(frame),
        "note": " ".join(frame.attrs.get("notes", ())),
    }
    return {name: text for name, text in lines.items() if text}


def describe(frame: pd.DataFrame) -> str:
    """The summary as lines, and a table of the classes where there are several.

    Example:
        >>> row = {"path": "a/b.png", "part": "", "class": "a", "group": "", "width": 4,
        ...        "height": 3, "mode": "RGB", "format": "PNG", "bytes": 70, "hash": "00",
        ...        "plain": False, "status": "ok", "reason": ""}
        >>> print(describe(pd.DataFrame([row])))
        pictures    1, 4 to 4 pixels wide, 3 to 3 high
        classes     1: a 1
    """
    return "\n".join(f"{name:12}{text}" for name, text in summary(frame).items())


def _sizes(good: pd.DataFrame) -> str:
    if good.empty:
        return "none that can be read"
    wide, high = good["width"], good["height"]
    return (
        f"{len(good):,}, {wide.min():,} to {wide.max():,} pixels wide, {high.min():,} to "
        f"{high.max():,} high"
    )


def label_counts(texts: pd.Series, several: bool) -> pd.Series:
    """How many pictures each label has, in natural order.

    Example:
        >>> label_counts(pd.Series(["10", "9", "10"]), several=False).to_dict()
        {'9': 1, '10': 2}
    """
    texts = texts.str.split(SEPARATOR).explode() if several else texts
    counts = texts[texts != ""].value_counts()
    return counts.reindex(natural_order(list(counts.index)))


def _classes(good: pd.DataFrame, several: bool) -> str:
    counts = label_counts(good["class"], several)
    if counts.empty:
        return ""
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.head(CLASSES).items())
    rest = counts.iloc[CLASSES:]
    more = f" and {len(rest):,} more, {rest.min():,} to {rest.max():,} each" if len(rest) else ""
    return f"{len(counts):,}: {shown}{more}"


def _parts(good: pd.DataFrame) -> str:
    counts = good["part"].value_counts()
    return ", ".join(f"{counts[part]:,} {part}" for part in PARTS if part in counts)


def _missing(good: pd.DataFrame) -> str:
    """Classes that a part has no picture of."""
    parts = [part for part in PARTS if (good["part"] == part).any()]
    whole = set(good["class"])
    texts = []
    for part in parts:
        gone = natural_order(list(whole - set(good.loc[good["part"] == part, "class"])))
        if gone and SEPARATOR not in "".join(gone):
            texts.append(f"the {part} part has no {', '.join(gone[:NAMED])}")
    return "; ".join(texts)


def _imbalance(good: pd.DataFrame, several: bool) -> str:
    counts = label_counts(good["class"], several)
    if len(counts) < 2 or counts.max() < IMBALANCED_FROM * counts.min():
        return ""
    return (
        f"{counts.max() / counts.min():.3g} to 1: {counts.idxmax()} has {counts.max():,} pictures, "
        f"{counts.idxmin()} {counts.min():,}"
    )


def _groups(good: pd.DataFrame) -> str:
    named = good.loc[good["group"] != "", "group"]
    if named.empty:
        return ""
    return (
        f"{named.nunique():,} with {len(named):,} of the {len(good):,} pictures; each stays in one "
        "part"
    )


def _copies(good: pd.DataFrame) -> str:
    copies = int(good["hash"].duplicated().sum())
    return f"{copies:,} exact copies of others; copies stay in one part" if copies else ""


def _resize(good: pd.DataFrame, resize: str) -> str:
    """How pictures become square, where they are not, and what that costs them."""
    ratio = np.maximum(good["width"] / good["height"], good["height"] / good["width"])
    if not resize or not (ratio > SQUARE).any():
        return ""
    if resize != "crop":
        return resize
    half = int((ratio >= 2).sum())
    lost = f"; {half:,} lose half and more of theirs (pad and squash keep all)" if half else ""
    return f"crop: the middle of each picture is kept{lost}"


def _bits(good: pd.DataFrame, levels: Sequence[float] | None) -> str:
    texts = []
    deep = int(good["high"].notna().sum()) if "high" in good else 0
    if deep and levels:
        texts.append(
            f"{deep:,} pictures have more than 8: their values {levels[0]:,g} to {levels[1]:,g} "
            "become black to white"
        )
    cut = int(good["mode"].str.endswith(CUT).sum())
    if cut:
        texts.append(
            f"{cut:,} colour pictures of 16 bits are read as 8 "
            "(pip install 'keras-model-recipes[deep]' keeps them)"
        )
    return "; ".join(texts)


def _plain(good: pd.DataFrame) -> str:
    plain = good[good["plain"]]
    if plain.empty:
        return ""
    clear = plain["mode"].isin(["RGBA", "LA", "PA", "P"]).any()
    advice = "; drawings on transparent ground may need another background" if clear else ""
    return f"{len(plain):,} pictures are of one colour ({examples(plain['path'])}){advice}"


def _unlabelled(frame: pd.DataFrame) -> str:
    count = int((frame["status"] == UNLABELLED).sum())
    return f"{count:,} in a test part without labels, predicted at the end" if count else ""


def refuse_lost_classes(frame: pd.DataFrame, allowed: bool) -> None:
    """Refuse classes that have files of which none can be used.

    Args:
        frame: what `scan` gave, or `split`.
        allowed: whether they are left out instead.

    Raises:
        ValueError: there are some; the text names them and the reasons.
    """
    several = frame.attrs.get("several_labels", False)
    used = frame[frame["status"] != SKIPPED]
    lost = frame[(frame["status"] == SKIPPED) & (frame["class"] != "")]
    have = label_counts(used["class"], several)
    counts = label_counts(lost["class"], several)
    gone = [name for name in counts.index if name not in have.index]
    if not gone or allowed:
        return
    texts = []
    for name in gone[:NAMED]:
        rows = lost[[name in (t.split(SEPARATOR) if several else [t]) for t in lost["class"]]]
        texts.append(f"{name!r} ({skipped_in_words(rows)})")
    more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
    raise ValueError(
        f"folder: no file can be used of the class{'es' * (len(gone) > 1)} {', '.join(texts)}"
        f"{more}. Put that right, or go on without: allow_empty_classes."
    )
