"""The classifier on frozen features, solved rather than trained, and tried on what it has not seen.

Regularized logistic regression is a convex problem: it has one solution, which L-BFGS finds in
seconds where gradient steps take epochs. Cross-validation over the training part chooses the
penalty, and gives for each picture what a classifier says of it that did not learn from it.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from recipes.tasks import Task

FOLDS = 5
PENALTIES = tuple(10.0 ** np.arange(1.5, -3.5, -0.5))  # the strongest first: each starts the next
STEPS = 200
MOST = 4_096  # pictures by which the penalty is chosen
LARGE = 4_096 * 1_280  # values from which threads pay, and single precision
UNKNOWN_PENALTY = 0.03  # where no picture can be judged


@dataclass(frozen=True)
class Solution:
    """A classifier, and what it is expected to do.

    Attributes:
        kernel: (features, units), float32.
        bias: (units,), float32.
        penalty: of the squared weights, of features that vary by 1 on the mean over the channels;
            chosen by cross-validation.
        outputs: for each picture, of a classifier that learned from the other folds, (n, units);
            not a number where the picture was not judged: its class is in no other fold, or it is
            not among the 4,096 that are drawn of more.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float
    outputs: np.ndarray

    @property
    def judged(self) -> np.ndarray:
        """The rows of which a classifier spoke that had not learned from them, (k,)."""
        return np.flatnonzero(~np.isnan(self.outputs).any(axis=1))

    def put_into(self, layer) -> None:
        """Make a model's last layer, a dense one, this classifier."""
        layer.kernel.assign(self.kernel)
        layer.bias.assign(self.bias)


def solve(
    features: np.ndarray,
    labels: np.ndarray,
    task: Task,
    *,
    units: np.ndarray | None = None,
    class_weights: np.ndarray | None = None,
    penalty: float | None = None,
    seed: int = 0,
) -> Solution:
    """The classifier with the smallest penalized log loss.

    Args:
        features: of the training part's pictures, (n, channels); or of several views of each,
            (views, n, channels). A picture is judged by its first view.
        labels: as the task encodes them, (n, …).
        task: decides between softmax and sigmoid.
        units: a number for each picture, (n,): pictures with the same are in one fold.
        class_weights: one weight a class.
        penalty: where it is known; then nothing is cross-validated, and `outputs` is empty.
        seed: of the folds.

    Returns:
        The classifier. Its penalty has the smallest cross-validated log loss.

    Example:
        >>> from recipes.tasks import Multiclass
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(40) % 2
        >>> features = rng.normal(size=(40, 6)) + 3 * labels[:, None]
        >>> found = solve(features, labels, Multiclass(("a", "b")))
        >>> found.kernel.shape, bool((found.outputs.argmax(axis=1) == labels).mean() > 0.9)
        ((6, 2), True)
    """
    large = features.size > LARGE
    views = features.astype("float32" if large else "float64")
    views = views.reshape(-1, len(labels), features.shape[-1])
    # One scale for all channels: to give each its own makes much of those that hardly vary.
    mean, spread = views.mean(axis=(0, 1)), float(views.std(axis=(0, 1)).mean()) + 1e-12
    views -= mean
    views /= spread
    axes = None
    if views.shape[0] * len(labels) < views.shape[2]:
        # The solution lies in the span of the pictures: turned into it, the problem is smaller.
        flat = views.reshape(-1, views.shape[2])
        axes = np.linalg.svd(flat, full_matrices=False)[2].T
        views = views @ axes
    targets = _one_hot(labels, task)
    weights = np.ones(len(labels))
    if class_weights is not None:
        weights = class_weights[task.kinds(labels)]
    problem = _Problem(views, targets, weights, task.activation)
    outputs = np.empty((0, targets.shape[1]), "float32")
    with threadpool_limits(None if large else 1, "blas"):  # small products only wait for threads
        if penalty is None:
            penalty, outputs = _chosen(problem, labels, task, units, seed)
        kernel, bias = problem.solved(np.arange(len(labels)), [penalty])[0]
    kernel = (kernel if axes is None else axes @ kernel) / spread
    bias = bias - mean @ kernel
    return Solution(kernel.astype("float32"), bias.astype("float32"), penalty, outputs)


@dataclass(frozen=True)
class _Problem:
    """Penalized logistic regression on rows of features.

    Attributes:
        views: (views, n, channels).
        targets: (n, units), 0 or 1.
        weights: (n,).
        activation: "softmax" or "sigmoid".
    """

    views: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    activation: str

    def solved(
        self, rows: np.ndarray, penalties: list[float]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Kernel and bias for each of the penalties, on some of the rows."""
        count, (channels, units) = len(self.views), (self.views.shape[2], self.targets.shape[1])
        x = self.views[:, rows].reshape(-1, channels)
        y = np.tile(self.targets[rows], (count, 1))
        w = np.tile(self.weights[rows], count)[:, None]
        w = w / w.sum()
        found, start = [], np.zeros((channels + 1) * units)
        for penalty in penalties:

            def cost(flat, penalty=penalty):
                kernel = flat[:-units].reshape(channels, units).astype(x.dtype, copy=False)
                logits = x @ kernel + flat[-units:]
                if self.activation == "softmax":
                    logs = log_softmax(logits, axis=1)
                    loss, wrong = -(w * y * logs).sum(), w * (np.exp(logs) - y)
                else:
                    loss = (w * (np.logaddexp(0, logits) - y * logits)).sum()
                    wrong = w * (expit(logits) - y)
                value = loss + penalty / 2 * (kernel**2).sum()
                slope = (x.T @ wrong + penalty * kernel).ravel()
                return value, np.concatenate([slope, wrong.sum(axis=0)])

            options = {"maxiter": STEPS, "ftol": 1e-9, "gtol": 1e-6}
            start = minimize(cost, start, jac=True, method="L-BFGS-B", options=options).x
            found.append((start[:-units].reshape(channels, units), start[-units:]))
        return found

    def known(self, learned: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Which of some rows can be judged: those all of whose classes were learned from."""
        targets, there = self.targets[held_out], self.targets[learned]
        known = (targets == 0) | (there.max(axis=0) == 1)
        if self.activation == "sigmoid":
            known &= (targets == 1) | (there.min(axis=0) == 0)
        return known.all(axis=1)

    def outputs(self, rows: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Probabilities for the first view of some of the rows."""
        logits = self.views[0, rows] @ kernel + bias
        found = softmax(logits, axis=1) if self.activation == "softmax" else expit(logits)
        return found.astype("float32")


def _chosen(
    problem: _Problem, labels: np.ndarray, task: Task, units: np.ndarray | None, seed: int
) -> tuple[float, np.ndarray]:
    """The penalty with the smallest cross-validated loss, and what was said of each picture."""
    outputs = np.full((len(PENALTIES), *problem.targets.shape), np.nan, "float32")
    units = np.arange(len(labels)) if units is None else units
    rows = _drawn(units, seed)
    for learned, held_out in _folds(labels[rows], task, units[rows], seed):
        learned, held_out = rows[learned], rows[held_out]
        held_out = held_out[problem.known(learned, held_out)]
        if not len(held_out):
            continue
        for place, (kernel, bias) in enumerate(problem.solved(learned, list(PENALTIES))):
            outputs[place, held_out] = problem.outputs(held_out, kernel, bias)
    tried = ~np.isnan(outputs[0]).any(axis=1)
    if not tried.any():
        return UNKNOWN_PENALTY, outputs[0]
    losses = [task.loss(labels[tried], said[tried]) for said in outputs]
    best = int(np.argmin(losses))
    return float(PENALTIES[best]), outputs[best]


def _drawn(units: np.ndarray, seed: int) -> np.ndarray:
    """The rows by which the penalty is chosen: all, or whole units of about `MOST`."""
    names, places, counts = np.unique(units, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    enough = np.searchsorted(np.cumsum(counts[order]), MOST) + 1
    return np.flatnonzero(np.isin(places, order[:enough]))


def _folds(
    labels: np.ndarray, task: Task, units: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to judge by; classes are spread evenly, units stay whole."""
    count = min(FOLDS, len(np.unique(units)))
    if count < 2:
        return
    options = {"n_splits": count, "shuffle": True, "random_state": seed}
    kinds = np.unique(task.kinds(labels), return_inverse=True)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class with fewer pictures than folds
        if np.bincount(kinds).max() < count:
            yield from GroupKFold(**options).split(labels, groups=units)
        else:
            yield from StratifiedGroupKFold(**options).split(labels, kinds, units)


def _one_hot(labels: np.ndarray, task: Task) -> np.ndarray:
    """The targets of each unit, (n, units)."""
    if task.activation == "softmax":
        return np.eye(task.units)[labels]
    return labels.reshape(len(labels), task.units).astype("float64")
