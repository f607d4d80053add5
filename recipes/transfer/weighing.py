"""How much each class weighs in the loss."""

from typing import Any

import numpy as np

from recipes.images.split import (
    IMBALANCED_FROM,
    class_weights as balanced_weights,
    imbalance_ratio,
)
from recipes.lookup import find
from recipes.tasks import Task


def given_weights(task: Task, wanted: Any) -> np.ndarray | None:
    """The weight of each class in order where weights were given, or None.

    Args:
        task: with the classes.
        wanted: the option `class_weights`.

    Raises:
        ValueError: there is no class of that name or place, or another number of classes; or
            the task has several labels a picture.

    Example:
        >>> from recipes.tasks import Multiclass
        >>> given_weights(Multiclass(("cat", "dog")), (("dog", 3.0),)).tolist()
        [1.0, 3.0]
    """
    if wanted in (None, False):
        return None
    if task.name == "multilabel":
        raise ValueError(
            "class_weights: they are for one label a picture; of several labels each has a "
            "threshold of its own."
        )
    if wanted is True:
        return None
    count = len(task.classes)
    if not isinstance(wanted[0], tuple):
        if len(wanted) != count:
            raise ValueError(f"class_weights: {len(wanted)} numbers came for {count} classes.")
        return np.array(wanted)
    weights = np.ones(count)
    places: dict[int, int | str] = {}
    for key, weight in wanted:
        if isinstance(key, str):
            place = find(key, {c: i for i, c in enumerate(task.classes)}, what="class_weights")
        else:
            place = key
        if place >= count:
            raise ValueError(f"class_weights: {key} is no place among {count} classes, from 0 on.")
        if place in places:
            raise ValueError(f"class_weights: {places[place]!r} and {key!r} are the same class.")
        places[place], weights[place] = key, weight
    return weights


def class_weights(
    task: Task, labels: np.ndarray, wanted: Any, given: np.ndarray | None
) -> tuple[np.ndarray | None, dict]:
    """A weight a class where classes are to weigh otherwise, and what `run.json` says of it.

    Args:
        task: with the classes.
        labels: of the training part, as the task encodes them.
        wanted: the option `class_weights`; with None it depends on the imbalance.
        given: what `given_weights` made of it.

    Example:
        >>> from recipes.tasks import Multiclass
        >>> task = Multiclass(("cat", "dog"))
        >>> class_weights(task, np.array([0, 0, 0, 1]), None, None)[0].round(3).tolist()
        [0.667, 2.0]
    """
    if task.name == "multilabel":
        counts = task.counts(labels)
        return None, {"used": False, "imbalance": float(counts.max() / max(counts.min(), 1))}
    kinds = task.kinds(labels)
    imbalance = imbalance_ratio(kinds)
    used = imbalance >= IMBALANCED_FROM if wanted is None else wanted is not False
    if not used:
        return None, {"used": False, "imbalance": imbalance}
    weights = balanced_weights(kinds, len(task.classes)) if given is None else given
    by_class = dict(zip(task.classes, weights.tolist(), strict=True))
    said = {"used": True, "given": given is not None, "weights": by_class, "imbalance": imbalance}
    return weights, said
