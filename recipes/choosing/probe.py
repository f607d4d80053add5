"""What frozen features can already do, stage by stage, without training the network.

Each stage's maps are averaged over the picture. Nearest neighbours and a linear classifier, both
cross-validated on the training part, say how much of the task is solved; the H-score how far apart
the classes lie against the spread within them.
"""

import warnings

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
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
    """The share of pictures whose nearest others are mostly of their class (cosine, one left out).

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
    k = k if several else max(1, min(k, int(np.bincount(labels).min()) - 1))
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1)[:, :k]
    if several:
        return float(((labels[nearest].mean(axis=1) > 0.5) == labels).all(axis=1).mean())
    votes = np.zeros((len(labels), labels.max() + 1))
    weights = np.take_along_axis(similarity, nearest, axis=1)
    np.add.at(votes, (np.arange(len(labels))[:, None], labels[nearest]), 1 + 1e-6 * weights)
    return float((votes.argmax(axis=1) == labels).mean())


def linear_accuracy(features: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """The cross-validated accuracy of logistic regression on standardized features.

    Args:
        features: (n, channels).
        labels: (n,), integers; or (n, labels), 0 or 1, of which all must be right.
        seed: of the folds.
    """
    linear = LogisticRegression(C=0.01, max_iter=200)
    if labels.ndim == 2:
        linear, folds = OneVsRestClassifier(linear), KFold(FOLDS, shuffle=True, random_state=seed)
    else:
        count = max(2, min(FOLDS, int(np.bincount(labels).min())))
        folds = StratifiedKFold(count, shuffle=True, random_state=seed)
    classifier = make_pipeline(StandardScaler(), linear)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged, or a class with one picture
        return float(cross_val_score(classifier, features, labels, cv=folds).mean())


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


def probe(
    backbone: Backbone,
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    verbose: bool = True,
) -> pd.DataFrame:
    """Measure what each stage's features can do.

    Args:
        backbone: with its pretrained weights.
        pixels: the training part, (n, H, W, 3), 0 to 255.
        labels: (n,), integers from 0; or (n, labels), 0 or 1.
        sample: pictures to use at the most.
        seed: of their draw and of the folds.
        verbose: whether progress is shown.

    Returns:
        One row a stage, from the pictures to the classifier: `stage`, `neighbour_accuracy`,
        `linear_accuracy` (of the last stage; missing before it) and `h_score`.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(pixels))[:sample])
    labels = labels[rows]
    if labels.ndim == 1:  # a picture that is alone in its class has no neighbour
        kept = np.isin(labels, np.flatnonzero(np.bincount(labels) > 1))
        rows, labels = rows[kept], np.unique(labels[kept], return_inverse=True)[1]
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
