"""Accuracy that counts each class alike, however few its pictures are."""

import warnings

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from recipes.tasks import Task


def balanced(labels: np.ndarray, said: np.ndarray) -> float:
    """Balanced accuracy; of several labels all must be right, and each set of them counts alike."""
    if labels.ndim == 2:
        right = (said == labels).all(axis=1)
        labels = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
        said = np.where(right, labels, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wrong answers are of no class
        return float(balanced_accuracy_score(labels, said))


def kinds_of(task: Task, labels: np.ndarray) -> np.ndarray:
    """Classes as integers, (n,); or several labels a picture, (n, labels)."""
    several = task.name == "multilabel" and task.units > 1
    return labels if several else task.kinds(labels)


def frozen_accuracy(task: Task, labels: np.ndarray, outputs: np.ndarray) -> float | None:
    """The balanced accuracy of a classifier in cross-validation.

    Args:
        task: what is told of each picture.
        labels: as the task encodes them, (n, …).
        outputs: `Solution.outputs`, (n, units), which are missing where a picture was not judged.

    Returns:
        None where no two kinds of pictures were judged.
    """
    rows = ~np.isnan(outputs).any(axis=1)
    kinds = kinds_of(task, labels[: len(outputs)][rows])
    if len(np.unique(kinds, axis=0)) < 2:
        return None
    return balanced(kinds, kinds_of(task, task.decide(outputs[rows])))
