"""From which probability a label counts: another one than a half only where pictures support it."""

from collections.abc import Callable

import numpy as np

HALF = 0.5
RESAMPLES = 100
MOST_CANDIDATES = 100

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]


def f1(truth: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """The F1 of each row of decisions.

    Args:
        truth: (n,), 0 or 1.
        taken: (rows, n), whether a picture counts as 1.

    Example:
        >>> f1(np.array([1, 1, 0]), np.array([[True, False, True]])).tolist()
        [0.5]
    """
    hits = (taken & (truth > 0)).sum(axis=1)
    return 2 * hits / np.maximum(taken.sum(axis=1) + truth.sum(), 1)


def balanced_accuracy(truth: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """The mean of both classes' recall, for each row of decisions.

    Example:
        >>> balanced_accuracy(np.array([1, 1, 0]), np.array([[True, False, False]])).tolist()
        [0.75]
    """
    positive = truth > 0
    hit = (taken & positive).sum(axis=1) / max(positive.sum(), 1)
    missed = (~taken & ~positive).sum(axis=1) / max((~positive).sum(), 1)
    return (hit + missed) / 2


def best_threshold(truth: np.ndarray, chances: np.ndarray, score: Score) -> float:
    """The probability of the best score, or a half where the pictures cannot tell.

    The best of each of 100 resamples is judged on the pictures that the resample left out. Their
    median is taken where it gains on a half by more than the gain varies.

    Args:
        truth: (n,), 0 or 1.
        chances: (n,), of 1, of pictures that were not trained on.
        score: `f1` or `balanced_accuracy`.

    Example:
        >>> truth = np.repeat([0, 1], 40)
        >>> round(best_threshold(truth, np.where(truth, 0.4, 0.2), f1), 6)
        0.3
        >>> best_threshold(truth[38:42], np.array([0.2, 0.2, 0.4, 0.2]), f1)
        0.5
    """
    values = np.unique(np.quantile(chances, np.linspace(0, 1, MOST_CANDIDATES), method="nearest"))
    candidates = np.append((values[1:] + values[:-1]) / 2, HALF)
    candidates = candidates[np.argsort(np.abs(candidates - HALF), kind="stable")]
    rng = np.random.default_rng(0)
    found, gains = [], []
    for _ in range(RESAMPLES):
        rows = rng.integers(len(truth), size=len(truth))
        others = np.setdiff1d(np.arange(len(truth)), rows)
        if len(np.unique(truth[rows])) < 2 or len(np.unique(truth[others])) < 2:
            continue
        scores = score(truth[rows], chances[rows] >= candidates[:, None])
        best = candidates[np.argmax(scores >= scores.max() - 1e-12)]  # the nearest to a half
        both = score(truth[others], chances[others] >= np.array([[best], [HALF]]))
        found.append(best)
        gains.append(both[0] - both[1])
    if not found or np.mean(gains) <= np.std(gains):
        return HALF
    return float(np.median(found))
