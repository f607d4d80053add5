"""Probabilities that mean what they say: the temperature, and how far they are off."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

TEMPERATURES = (0.05, 20.0)
# Deviations of the prior below and above 1, see `benchmarks/temperature.py`.
SURER, LESS_SURE = 0.3, 1.0


def best_temperature(loss_at: Callable[[float], float], count: int, surer: float = SURER) -> float:
    """The temperature by which logits are divided so that the loss is smallest.

    It is drawn towards 1, as a prior on its logarithm does: from below by more than from above,
    since a few pictures that are all right would make any model certain, and wrong ones are
    evidence.

    Args:
        loss_at: the mean loss, in nats, at the logarithm of a temperature.
        count: of how many pictures it is the mean.
        surer: the prior's deviation below 1; above it is 1.

    Returns:
        Above 1 where the model was too sure, below 1 where it was not sure enough.

    Source:
        On calibration of modern neural networks, arXiv 1706.04599.
    """

    def objective(log_temperature: float) -> float:
        deviation = surer if log_temperature < 0 else LESS_SURE
        return loss_at(log_temperature) + (log_temperature / deviation) ** 2 / (2 * count)

    found = minimize_scalar(objective, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def softmax_loss(labels: np.ndarray, probabilities: np.ndarray, log_temperature: float) -> float:
    """The mean log loss of exclusive classes at a temperature, in nats.

    Args:
        labels: (n,), the true classes as integers.
        probabilities: (n, classes), at temperature 1.
        log_temperature: its logarithm.
    """
    logits = np.log(np.maximum(probabilities.astype("float64"), 1e-30)) / np.exp(log_temperature)
    chosen = logits[np.arange(len(labels)), labels]
    return float((np.logaddexp.reduce(logits, axis=1) - chosen).mean())


def sigmoid_loss(truth: np.ndarray, probabilities: np.ndarray, log_temperature: float) -> float:
    """The mean log loss of yes or no at a temperature, in nats.

    Args:
        truth: (n,), 0 or 1.
        probabilities: (n,), of 1, at temperature 1.
        log_temperature: its logarithm.

    Example:
        >>> round(sigmoid_loss(np.array([1.0]), np.array([0.5]), 0.0), 4)
        0.6931
    """
    logits = _logits(probabilities) / np.exp(log_temperature)
    return float((np.logaddexp(0, logits) - truth * logits).mean())


def tempered_sigmoid(probabilities: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """Probabilities of yes with their logits divided by temperatures.

    Example:
        >>> tempered_sigmoid(np.array([0.5, 0.8]), np.array([2.0, 2.0])).round(3).tolist()
        [0.5, 0.667]
    """
    return 1 / (1 + np.exp(-_logits(probabilities) / temperatures))


def _logits(probabilities: np.ndarray) -> np.ndarray:
    chances = np.clip(probabilities.astype("float64"), 1e-7, 1 - 1e-7)
    return np.log(chances / (1 - chances))


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: how far the likeliest class' probability is from being right.

    The pictures are sorted into bins of equal width by that probability; in each the mean
    probability is compared with the share that is right, weighted by the bin's pictures.

    Args:
        labels: (n,), the true classes as integers.
        probabilities: (n, classes).
        bins: between 0 and 1.

    Source:
        arXiv 1706.04599, equation 3.

    Example:
        >>> calibration_error(np.array([0, 1]), np.array([[0.8, 0.2], [0.8, 0.2]])).round(2).item()
        0.3
    """
    right = probabilities.argmax(axis=1) == labels
    return _gaps(right, probabilities.max(axis=1), bins)


def label_calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """The same of one label's probability: how far it is from the share that has the label.

    Args:
        truth: (n,), 0 or 1.
        probabilities: (n,), of 1.
        bins: between 0 and 1.

    Example:
        >>> label_calibration_error(np.array([1, 0]), np.array([0.5, 0.5])).item()
        0.0
    """
    return _gaps(truth, probabilities, bins)


def _gaps(right: np.ndarray, sure: np.ndarray, bins: int) -> float:
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - sure, minlength=bins)
    return np.abs(gaps).sum() / len(right)
