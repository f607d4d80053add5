"""Train, validation and test: stratified, seeded, with what belongs together kept together."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils.class_weight import compute_class_weight

from recipes.images.copies import COPY_GROUP
from recipes.images.inspection import OK, SKIPPED, UNLABELLED, skipped_in_words
from recipes.lookup import nearest
from recipes.tasks.base import SEPARATOR

PARTS = ("train", "validation", "test")
IMBALANCED_FROM = 1.5


def split(
    frame: pd.DataFrame,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    several_labels: bool = False,
) -> pd.DataFrame:
    """Give each good picture its part.

    Parts that the folder has ready-made are respected; what is missing of validation and test is
    taken from train. Copies, near copies and pictures of one group go into one part. Exact copies
    that lie in several classes contradict each other and are skipped; a copy or near copy that
    lies in several ready-made parts is kept in the test part, or else in validation.

    Args:
        frame: what `recipes.scan` gave.
        validation: share of the pictures of each class.
        test: as `validation`; with 0 there is no test part.
        seed: of the draw.
        several_labels: whether pictures have any number of labels, separated by semicolons, each
            of which is to have its share in each part.

    Returns:
        The table with the column `part` filled: "train", "validation", "test", or "" where the
        status is not "ok".

    Source:
        For several labels: iterative stratification, K. Sechidis et al., ECML PKDD 2011.

    Raises:
        ValueError: there is no readable picture, one class only, or classes have too few pictures
            (or too few groups of them) for three parts; the text names them.

    Example:
        >>> frame = pd.DataFrame({"path": list("abcdefgh"), "part": "", "class": list("xyxyxyxy"),
        ...     "group": "", "hash": list("abcdefgh"), "status": "ok", "reason": ""})
        >>> split(frame)["part"].value_counts().sort_index().to_dict()
        {'test': 2, 'train': 4, 'validation': 2}
    """
    frame = frame.copy()
    frame.loc[~frame["status"].isin([OK, UNLABELLED]), "part"] = ""
    _skip_contradictions(frame)
    good = frame[frame["status"] == OK]
    if good.empty:
        raise ValueError(f"folder: no picture can be used: {skipped_in_words(frame)}.")
    labels = _label_table(good["class"], several_labels)
    if labels.shape[1] < (1 if several_labels else 2):
        raise ValueError(
            f"folder: it holds one class only, {good['class'].iloc[0]!r}; at least two are needed, "
            "each in a folder of its own."
        )
    ready = {part for part in PARTS if (good["part"] == part).any()}
    shares = {
        part: share
        for part, share in (("validation", validation), ("test", test))
        if part not in ready and share > 0
    }
    if shares:
        loose = good[good["part"].isin(["", "train"])]
        draw = _draw_several if several_labels else _draw
        frame.loc[loose.index, "part"] = draw(loose, labels.loc[loose.index], shares, seed)
    parts = frame.loc[good.index, "part"].where(frame.loc[good.index, "part"] != "", "train")
    frame.loc[good.index, "part"] = parts
    copies = COPY_GROUP in good and bool((good[COPY_GROUP] != "").any())
    _check_trained(labels, good["part"])
    _check_classes(labels, parts, {"train"} if several_labels else {"train", *shares}, copies)
    return frame


def class_weights(labels: ArrayLike, num_classes: int) -> np.ndarray:
    """Weights by which every class counts alike: `n / (num_classes * count)`, (num_classes,).

    Example:
        >>> class_weights([0, 0, 0, 1], 2).round(3).tolist()
        [0.667, 2.0]
    """
    classes = np.arange(num_classes)
    return compute_class_weight("balanced", classes=classes, y=np.asarray(labels))


def imbalance_ratio(labels: ArrayLike) -> float:
    """Pictures of the largest class to those of the smallest.

    Example:
        >>> imbalance_ratio([0, 0, 0, 1])
        3.0
    """
    counts = np.unique(labels, return_counts=True)[1]
    return float(counts.max() / counts.min())


def _skip_contradictions(frame: pd.DataFrame) -> None:
    """Skip copies in several classes, and all but one part's copies in several ready-made parts."""
    good = frame[frame["status"] == OK]
    for _, copies in good[good["hash"].duplicated(keep=False)].groupby("hash"):
        classes = sorted(copies["class"].unique())
        parts = set(copies["part"])
        if len(classes) > 1:
            reason, lost = f"the same picture is in the classes {', '.join(classes)}", copies.index
        elif len(parts) > 1:
            kept = max(parts, key=PARTS.index)
            reason, lost = f"a copy is in the {kept} part", copies.index[copies["part"] != kept]
        else:
            continue
        frame.loc[lost, ["status", "reason", "part"]] = [SKIPPED, reason, ""]
    if COPY_GROUP not in frame:
        return
    good = frame[(frame["status"] == OK) & (frame[COPY_GROUP] != "")]
    for _, copies in good.groupby(COPY_GROUP):
        ready = set(copies["part"]) - {""}
        kept = max(ready, key=PARTS.index, default="")
        lost = copies.index[copies["part"] != kept]
        if kept in ("validation", "test") and len(lost):
            reason = f"a near copy is in the {kept} part"
            frame.loc[lost, ["status", "reason", "part"]] = [SKIPPED, reason, ""]


def _label_table(texts: pd.Series, several: bool) -> pd.DataFrame:
    """Which labels each picture has, one column a label."""
    if several:
        return texts.str.get_dummies(SEPARATOR)
    return pd.get_dummies(texts, dtype="int64")


def _draw(
    good: pd.DataFrame, labels: pd.DataFrame, shares: dict[str, float], seed: int
) -> np.ndarray:
    """The part of each picture: units in random order, each to the part that needs it most."""
    parts, wanted = _wanted(labels, shares)
    missing = wanted.copy()
    members, order = _members(good, seed)
    table = labels.to_numpy()
    chosen = np.empty(len(good), dtype=object)
    for unit in sorted(order, key=lambda unit: -len(members[unit])):
        rows = members[unit]
        counts = table[rows].sum(axis=0)
        need = (counts * missing / wanted).sum(axis=1)
        best = int(need.argmax())
        missing[best] -= counts
        chosen[rows] = parts[best]
    return chosen


def _draw_several(
    good: pd.DataFrame, labels: pd.DataFrame, shares: dict[str, float], seed: int
) -> np.ndarray:
    """The same for several labels: the rarest label that is left goes first, unit by unit."""
    parts, missing = _wanted(labels, shares)
    members, order = _members(good, seed)
    counts = np.array([labels.to_numpy()[members[unit]].sum(axis=0) for unit in order])
    sizes = np.array([len(members[unit]) for unit in order])
    room = np.array([1 - sum(shares.values()), *shares.values()]) * len(good)
    left = np.ones(len(order), dtype=bool)
    chosen = np.empty(len(good), dtype=object)
    while left.any():
        holders = ((counts > 0) & left[:, None]).sum(axis=0)
        label = np.where(holders > 0, holders, len(order) + 1).argmin() if holders.any() else None
        among = left if label is None else left & (counts[:, label] > 0)
        for place in sorted(np.flatnonzero(among), key=lambda place: -sizes[place]):
            need = room if label is None else missing[:, label] + room / (1 + room.max() * 1e3)
            best = int(need.argmax())
            missing[best] -= counts[place]
            room[best] -= sizes[place]
            chosen[members[order[place]]] = parts[best]
            left[place] = False
    return chosen


def _wanted(labels: pd.DataFrame, shares: dict[str, float]) -> tuple[list[str], np.ndarray]:
    """The parts, and how many pictures of each label each of them should have."""
    totals = labels.sum(axis=0).to_numpy()
    wanted = np.array([np.maximum(np.rint(totals * share), 1) for share in shares.values()])
    rest = np.maximum(totals - wanted.sum(axis=0), 1)
    return ["train", *shares], np.vstack([rest, wanted]).astype("float64")


def _members(good: pd.DataFrame, seed: int) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """The rows of each unit, and the units in random order."""
    members = pd.Series(np.arange(len(good))).groupby(units(good)).indices
    return members, np.random.default_rng(seed).permutation(len(members))


def units(good: pd.DataFrame) -> np.ndarray:
    """A number for each picture, the same for those that share a content or are in one group."""
    count = len(good)
    starts, ends, size = [], [], count
    for column in ("hash", "group", COPY_GROUP):
        named = np.flatnonzero(good[column] != "") if column in good else []
        keys, names = pd.factorize(good[column].iloc[named]) if len(named) else ([], [])
        starts.append(named)
        ends.append(size + np.asarray(keys, dtype="int64"))
        size += len(names)
    start, end = np.concatenate(starts).astype("int64"), np.concatenate(ends)
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][:count]
    return np.unique(labels, return_inverse=True)[1]


def _check_trained(labels: pd.DataFrame, ready: pd.Series) -> None:
    """Refuse classes of ready-made parts that the train part does not know, as a misspelt one."""
    to_learn = labels[ready.isin(["", "train"])].sum(axis=0) > 0
    texts = []
    for name in labels.columns[~to_learn]:
        where = sorted(set(ready[labels[name] > 0]), key=PARTS.index)
        near = nearest(name, labels.columns[to_learn])
        hint = f", where there is {near!r}" if near else ""
        texts.append(f"{name!r} is in {' and '.join(where)} and not in train{hint}")
    if texts:
        raise ValueError(
            f"folder: {'; '.join(texts)}. A class is called the same in each part, and is learned "
            "from train."
        )


def _check_classes(labels: pd.DataFrame, parts: pd.Series, needed: set[str], copies: bool) -> None:
    """Refuse a split in which a class is missing from a part that training needs."""
    totals = labels.sum(axis=0)
    missing = [(labels[parts == part].sum(axis=0) == 0) for part in sorted(needed)]
    lacking = [
        f"{name!r} ({totals[name]})"
        for name in labels.columns
        if any(gone[name] for gone in missing)
    ]
    if lacking:
        advice = " Near copies of one picture count as one (near_copies)." if copies else ""
        raise ValueError(
            "folder: these classes have too few pictures, or too few groups of them, for "
            f"{', '.join(part for part in PARTS if part in needed)}: {', '.join(lacking)}. "
            f"Give each at least 3, or leave them out.{advice}"
        )
