"""Which labels are likely wrong: confident learning on what frozen features say of each picture.

A linear classifier on the features tells each picture's class without having seen its label. Where
it is surer of another class than it usually is, and of the label less than it usually is, the
label is marked.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recipes.tasks import Task

FOLDS = 5
FEWEST = 5
NAMED = 5
WRONG = "label"
COLUMNS = ("suggested", "score", "issue", "reason")


def suspicions(
    task: Task,
    targets: np.ndarray,
    features: np.ndarray,
    groups: Sequence[object] | np.ndarray | None = None,
    *,
    seed: int = 0,
) -> tuple[pd.DataFrame, list[str]]:
    """How suspicious each picture's label is, and what is likely meant.

    Args:
        task: what the labels are.
        targets: as the task encodes them, (n, …).
        features: (n, channels).
        groups: (n,), pictures of one group are judged without one another; none by default.
        seed: of the folds.

    Returns:
        A row a picture: `suggested`, the label that is likely meant, "" where none is; `score`,
        from 0 to 1, one minus the probability of the label (of several labels that of the least
        likely), missing where nothing can be said; `issue`, "label" or ""; and `reason`, in words.
        And in words, of what nothing can be said: a class is judged from 5 pictures on, which are
        not all of one group.

    Source:
        C. Northcutt, L. Jiang, I. Chuang: Confident Learning, JAIR 70 (2021), arXiv 1911.00068; by
        the library cleanlab, with its filter "both". The score is one minus its self-confidence.

    Example:
        >>> from recipes.tasks import Multiclass
        >>> features = np.repeat([[0.0, 0.0], [9.0, 9.0]], 20, axis=0)
        >>> features += np.random.default_rng(0).normal(size=(40, 2))
        >>> targets = np.array([1] + [0] * 19 + [1] * 20)
        >>> table, _ = suspicions(Multiclass(("ash", "oak")), targets, features)
        >>> table.index[table["issue"] == "label"].tolist(), table.loc[0, "suggested"]
        ([0], 'ash')
    """
    groups = range(len(targets)) if groups is None else groups
    numbers = pd.factorize(pd.Series(groups))[0]
    look = _several if task.name == "multilabel" else _one
    return look(task, targets, features.astype("float32"), numbers, seed)


def out_of_fold(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int = 0
) -> np.ndarray:
    """The probability of each class, by a classifier that has not seen the picture's group.

    Args:
        features: (n, channels), float32.
        labels: (n,), integers from 0, of which each is there.
        groups: (n,), integers.
        seed: of the folds.

    Returns:
        (n, classes); not numbers where all others of the picture's class are of its group or fold.
    """
    alone = len(np.unique(groups)) == len(groups)
    kind = StratifiedKFold if alone else StratifiedGroupKFold
    count = min(FOLDS, len(np.unique(groups)))
    found = np.full((len(labels), labels.max() + 1), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged, or a class in fewer groups than folds
        folds = kind(count, shuffle=True, random_state=seed)
        for known, rest in folds.split(features, labels, groups):
            if len(rest) == 0 or len(np.unique(labels[known])) < 2:
                continue
            linear = LogisticRegression(C=0.01, tol=1e-2, max_iter=200)
            classifier = make_pipeline(StandardScaler(), linear)
            classifier.fit(features[known], labels[known])
            chances = np.zeros((len(rest), found.shape[1]))
            chances[:, classifier.classes_] = classifier.predict_proba(features[rest])
            chances[~np.isin(labels[rest], classifier.classes_)] = np.nan
            found[rest] = chances / chances.sum(axis=1, keepdims=True)
    return found


def marked(labels: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Which labels confident learning calls wrong, (n,), True or False.

    Args:
        labels: (n,), integers from 0.
        chances: (n, classes), that were found without the picture.
    """
    from cleanlab.filter import find_label_issues  # half a second, which other commands are spared

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class with few pictures
        return np.asarray(find_label_issues(labels, chances, filter_by="both", n_jobs=1))


def _one(task: Task, targets, features, groups, seed) -> tuple[pd.DataFrame, list[str]]:
    """Of one label a picture."""
    kinds = task.kinds(targets)
    names = np.array(task.classes, dtype=object)
    enough = np.array([_enough(groups[kinds == k]) for k in range(len(names))])
    table, few = _blank(len(kinds)), [name for name, fits in zip(names, enough, strict=True)
                                      if not fits]  # fmt: skip
    if enough.sum() < 2:
        return table, [_too_few(few, all_of_them=True)]
    rows = np.flatnonzero(enough[kinds])
    names, labels = names[enough], (np.cumsum(enough) - 1)[kinds[rows]]
    chances = out_of_fold(features[rows], labels, groups[rows], seed)
    told = np.isfinite(chances).all(axis=1)
    rows, labels, chances = rows[told], labels[told], chances[told]
    if len(rows) == 0:
        return table, [_too_few(list(names), all_of_them=True)]
    own, best = chances[np.arange(len(rows)), labels], chances.argmax(axis=1)
    table.loc[rows, "score"] = 1 - own
    for k in np.flatnonzero(marked(labels, chances)):
        meant, label = names[best[k]], names[labels[k]]
        sure, doubted = chances[k, best[k]], own[k]
        reason = f"looks like {meant} ({sure:.0%}) rather than {label} ({doubted:.0%})"
        table.loc[rows[k], ["suggested", "issue", "reason"]] = [meant, WRONG, reason]
    return table, [_too_few(few)] if few else []


def _several(task: Task, targets, features, groups, seed) -> tuple[pd.DataFrame, list[str]]:
    """Of any number of labels a picture: each label by itself."""
    table, few = _blank(len(targets)), []
    meant, reasons = targets.copy(), [[] for _ in targets]
    for k, name in enumerate(task.classes):
        labels = (targets[:, k] > 0).astype("int64")
        if not all(_enough(groups[labels == value]) for value in (0, 1)):
            few.append(name)
            continue
        chances = out_of_fold(features, labels, groups, seed)
        rows = np.flatnonzero(np.isfinite(chances).all(axis=1))
        if len(rows) == 0:
            few.append(name)
            continue
        labels, chances = labels[rows], chances[rows]
        doubts = 1 - chances[np.arange(len(rows)), labels]
        table.loc[rows, "score"] = np.fmax(table.loc[rows, "score"], doubts)
        for row, has, chance in zip(*(a[marked(labels, chances)] for a in (rows, labels, chances)),
                                    strict=True):  # fmt: skip
            meant[row, k] = 1 - has
            what = "seems wrong" if has else "seems missing"
            reasons[row].append(f"{name} {what} ({chance[1]:.0%})")
    rows = [row for row, found in enumerate(reasons) if found]
    table.loc[rows, "suggested"] = task.names_of(meant[rows])
    table.loc[rows, "issue"] = WRONG
    table.loc[rows, "reason"] = ["; ".join(reasons[row]) for row in rows]
    return table, [_too_few(few, len(few) == len(task.classes))] if few else []


def _enough(groups: np.ndarray) -> bool:
    return len(groups) >= FEWEST and len(np.unique(groups)) > 1


def _blank(count: int) -> pd.DataFrame:
    texts = np.full(count, "", dtype=object)
    table = pd.DataFrame(dict.fromkeys(COLUMNS, texts), dtype=object)
    return table.assign(score=np.full(count, np.nan))


def _too_few(names: Sequence[str], all_of_them: bool = False) -> str:
    """Of what nothing can be said."""
    why = f"fewer than {FEWEST} pictures, or all in one group"
    if all_of_them:
        return f"Nothing can be said of the labels: too many have {why}."
    shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    what = f"{len(names):,} label{'s' * (len(names) != 1)}"
    return f"Nothing can be said of {what} with {why}: {shown}."
