"""What frozen features can already do, stage by stage, without training the network.

Each stage's maps are averaged over the picture. Nearest neighbours and a linear classifier, both
cross-validated on the training part, say how much of the task is solved; the H-score how far apart
the classes lie against the spread within them. Each class counts alike, however few its pictures
are: accuracies are balanced, the mean over the classes of the share that is right.
"""

import warnings

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recipes.backbones.base import Backbone
from recipes.transfer.features import outputs_of

NEIGHBOURS = 5
FOLDS = 4
SAMPLE = 1_000


def pooled_stages(
    backbone: Backbone, pixels: np.ndarray, *, verbose: bool = True
) -> list[np.ndarray]:
    """The mean of each stage's feature maps, a list of (n, channels)."""
    ends = [backbone.boundary(i) for i in range(1, len(backbone.stages))]
    pooled = [keras.ops.mean(end, axis=(1, 2)) for end in [*ends, backbone.model.output]]
    widths = [int(tensor.shape[-1]) for tensor in pooled]
    model = keras.Model(backbone.model.input, keras.ops.concatenate(pooled, axis=-1))
    values = outputs_of(model, pixels, label="Probing the features", verbose=verbose)
    return np.split(values, np.cumsum(widths)[:-1], axis=1)


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
        return _balanced(labels, labels[nearest].mean(axis=1) > 0.5)
    votes = np.zeros((len(labels), labels.max() + 1))
    weights = np.take_along_axis(similarity, nearest, axis=1)
    np.add.at(votes, (np.arange(len(labels))[:, None], labels[nearest]), 1 + 1e-6 * weights)
    return _balanced(labels, votes.argmax(axis=1))


def linear_accuracy(features: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """The balanced, cross-validated accuracy of logistic regression on standardized features.

    Each class weighs alike, as it does in a training on uneven classes. The folds are stratified.

    Args:
        features: (n, channels).
        labels: (n,), integers; or (n, labels), 0 or 1, of which all must be right.
        seed: of the folds.
    """
    linear = LogisticRegression(C=0.01, max_iter=200)
    several = labels.ndim == 2
    linear = OneVsRestClassifier(linear) if several else linear.set_params(class_weight="balanced")
    groups = strata(labels)
    count = min(FOLDS, int(np.unique(groups, return_counts=True)[1].max()))
    if count < 2:  # each picture has labels of its own
        folds = KFold(min(FOLDS, len(labels)), shuffle=True, random_state=seed).split(features)
    else:
        folds = StratifiedKFold(count, shuffle=True, random_state=seed).split(features, groups)
    classifier = make_pipeline(StandardScaler(), linear)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged, or a class with fewer pictures than folds
        return _balanced(labels, cross_val_predict(classifier, features, labels, cv=list(folds)))


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


def _balanced(labels: np.ndarray, said: np.ndarray) -> float:
    """Balanced accuracy; of several labels all must be right, and each set of them counts alike."""
    if labels.ndim == 2:
        right = (said == labels).all(axis=1)
        labels = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
        said = np.where(right, labels, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wrong answers are of no class
        return float(balanced_accuracy_score(labels, said))


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


def probe(
    backbone: Backbone,
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    verbose: bool = True,
) -> pd.DataFrame | None:
    """Measure what each stage's features can do.

    Args:
        backbone: with its pretrained weights.
        pixels: the training part, (n, H, W, 3), 0 to 255.
        labels: (n,), integers from 0; or (n, labels), 0 or 1.
        sample: pictures to use at the most, as many of each class as there are.
        seed: of their draw and of the folds.
        verbose: whether progress is shown.

    Returns:
        One row a stage, from the pictures to the classifier: `stage`, `neighbour_accuracy`,
        `linear_accuracy` (of the last stage; missing before it) and `h_score`. None where there
        are no two classes with two pictures each, or all pictures have the same labels.
    """
    rows = np.flatnonzero(measurable(labels))
    if len(np.unique(labels[rows], axis=0)) < 2:
        return None
    rows = rows[_drawn(strata(labels[rows]), sample, seed)]
    labels = labels[rows]
    if labels.ndim == 1:
        labels = np.unique(labels, return_inverse=True)[1]
    stages = pooled_stages(backbone, pixels[rows], verbose=verbose)
    last = len(stages) - 1
    return pd.DataFrame(
        {
            "stage": [stage.name for stage in backbone.stages],
            "neighbour_accuracy": [neighbour_accuracy(values, labels) for values in stages],
            "linear_accuracy": [
                linear_accuracy(values, labels, seed) if index == last else np.nan
                for index, values in enumerate(stages)
            ],
            "h_score": [h_score(values, labels) for values in stages],
        }
    )


def _drawn(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many places in turn from each group, as long as it has any, in order."""
    order = np.random.default_rng(seed).permutation(len(groups))
    turn = pd.Series(groups[order]).groupby(groups[order]).cumcount()
    return np.sort(order[np.argsort(turn, kind="stable")[:count]])
