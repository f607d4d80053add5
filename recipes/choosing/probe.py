"""What frozen features can already do, stage by stage, without training the network.

Each stage's maps are averaged over the picture. Nearest neighbours say how much of the task is
solved; the H-score how far apart the classes lie against the spread within them. Each class counts
alike, however few its pictures are: accuracies are balanced, the mean over the classes of the
share that is right.
"""

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from recipes.backbones.base import Backbone
from recipes.pooling import pooled
from recipes.transfer.balance import balanced

NEIGHBOURS = 5


def pooled_stages(backbone: Backbone) -> list:
    """Of each stage the mean of its feature maps or of its patches, of the last what the classifier
    sees: a list of tensors (n, channels).
    """
    means = []
    for index in range(1, len(backbone.stages)):
        end = keras.ops.cast(backbone.boundary(index), "float32")
        patches = end[:, backbone.prefix :] if len(end.shape) == 3 else end
        means.append(keras.ops.mean(patches, axis=tuple(range(1, len(end.shape) - 1))))
    return [*means, pooled(backbone.model.output, backbone.pooling, backbone.prefix)]


def neighbour_accuracy(features: np.ndarray, labels: np.ndarray, k: int = NEIGHBOURS) -> float:
    """The balanced accuracy of the vote of each picture's nearest others (cosine, one left out).

    Args:
        features: (n, channels).
        labels: (n,), integers; or (n, labels), 0 or 1, of which all must be right.
        k: neighbours that vote, at most as many as the smallest class has others.

    Source:
        k-nearest-neighbour accuracy as a transferability score, arXiv 2503.18528.

    Example:
        >>> neighbour_accuracy(np.array([[1, 0], [2, 0.1], [0, 1], [0, 2]]), np.array([0, 0, 1, 1]))
        1.0
    """
    several = labels.ndim == 2
    smallest = len(labels) if several else np.bincount(labels).min()
    k = max(1, min(k, int(smallest) - 1))
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1)[:, :k]
    if several:
        return balanced(labels, labels[nearest].mean(axis=1) > 0.5)
    votes = np.zeros((len(labels), labels.max() + 1))
    weights = np.take_along_axis(similarity, nearest, axis=1)
    np.add.at(votes, (np.arange(len(labels))[:, None], labels[nearest]), 1 + 1e-6 * weights)
    return balanced(labels, votes.argmax(axis=1))


def strata(labels: np.ndarray) -> np.ndarray:
    """A number for each picture: its class, or of several labels the rarest; -1 where none is.

    Example:
        >>> strata(np.array([[1, 0], [1, 1], [0, 0]])).tolist()
        [0, 1, -1]
    """
    if labels.ndim == 1:
        return labels
    rarity = np.where(labels > 0, 1 / np.maximum(labels.sum(axis=0), 1), 0)
    return np.where(labels.any(axis=1), rarity.argmax(axis=1), -1)


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """How much of the features' covariance lies between the classes, shrunk for few pictures.

    Source:
        H-score, arXiv 2212.10082, with the shrinkage of Ledoit and Wolf.
    """
    from sklearn.covariance import ledoit_wolf

    if labels.ndim == 2:  # pictures with the same labels are of a kind
        labels = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    features = features - features.mean(axis=0)
    covariance, shrinkage = ledoit_wolf(features)
    means = np.stack([features[labels == name].mean(axis=0) for name in np.unique(labels)])
    between = means[np.unique(labels, return_inverse=True)[1]]
    explained = np.linalg.pinv(covariance, hermitian=True) @ (between.T @ between / len(labels))
    return float((1 - shrinkage) * np.trace(explained))


def measurable(labels: np.ndarray) -> np.ndarray:
    """Which pictures can be tried: of one label each, those of classes with two or more, (n,).

    Example:
        >>> measurable(np.array([0, 0, 1, 2, 2])).tolist()
        [True, True, False, True, True]
    """
    return np.ones(len(labels), bool) if labels.ndim == 2 else np.bincount(labels)[labels] > 1


def stages(
    backbone: Backbone, pooled: Sequence[np.ndarray], labels: np.ndarray
) -> pd.DataFrame | None:
    """What each stage's features can do.

    Args:
        backbone: whose stages they are.
        pooled: of each stage, (n, channels).
        labels: (n,), integers from 0; or (n, labels), 0 or 1.

    Returns:
        One row a stage, from the pictures to the classifier: `stage`, `neighbour_accuracy` and
        `h_score`. None where there are no two classes with two pictures each, or all pictures have
        the same labels.
    """
    rows = np.flatnonzero(measurable(labels))
    if len(np.unique(labels[rows], axis=0)) < 2:
        return None
    labels = labels[rows]
    if labels.ndim == 1:
        labels = np.unique(labels, return_inverse=True)[1]
    return pd.DataFrame(
        {
            "stage": [stage.name for stage in backbone.stages],
            "neighbour_accuracy": [neighbour_accuracy(values[rows], labels) for values in pooled],
            "h_score": [h_score(values[rows], labels) for values in pooled],
        }
    )


def drawn(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many places in turn from each group, as long as it has any, in order."""
    order = np.random.default_rng(seed).permutation(len(groups))
    turn = pd.Series(groups[order]).groupby(groups[order]).cumcount()
    return np.sort(order[np.argsort(turn, kind="stable")[:count]])
