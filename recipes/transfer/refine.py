"""What follows a training: probabilities that mean what they say."""

import numpy as np
from scipy.optimize import minimize_scalar

from recipes.transfer.features import Boundary

TEMPERATURES = (0.05, 20.0)


def calibrated_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Log loss at the best temperature: it does not blame a model for being too sure.

    Args:
        labels: (n,), the true classes as integers.
        probabilities: (n, classes).

    Returns:
        In nats; not a number where a probability is not.

    Example:
        >>> sure, labels = np.array([[1 - 1e-9, 1e-9]] * 400), np.array([0, 0, 0, 1] * 100)
        >>> round(calibrated_loss(labels, sure), 2)  # the entropy of three in four
        0.56
    """
    if not np.isfinite(probabilities).all():
        return float("nan")
    return _loss_at(labels, probabilities, np.log(temperature_of(labels, probabilities)))


def temperature_of(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature by which logits are divided so that probabilities mean what they say.

    It is drawn a little towards 1, as a prior of deviation 1 on its logarithm does, so that a few
    pictures that are all right do not make the model certain.

    Args:
        labels: (n,), the true classes as integers.
        probabilities: (n, classes), of pictures that were not trained on.

    Returns:
        Above 1 where the model was too sure, below 1 where it was not sure enough.

    Source:
        On calibration of modern neural networks, arXiv 1706.04599.

    Example:
        >>> sure, labels = np.array([[0.99, 0.01]] * 400), np.array([0, 0, 0, 1] * 100)
        >>> round(temperature_of(labels, sure))  # right in 3 of 4: log 99 / log 3 = 4.18
        4
    """

    def objective(log_temperature: float) -> float:
        loss = _loss_at(labels, probabilities, log_temperature)
        return loss + log_temperature**2 / (2 * len(labels))

    found = minimize_scalar(objective, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def _loss_at(labels: np.ndarray, probabilities: np.ndarray, log_temperature: float) -> float:
    logits = np.log(np.maximum(probabilities.astype("float64"), 1e-30)) / np.exp(log_temperature)
    chosen = logits[np.arange(len(labels)), labels]
    return float((np.logaddexp.reduce(logits, axis=1) - chosen).mean())


def calibrate(cut: Boundary) -> float:
    """Build the validation part's temperature into a trained model's last layer.

    Which class is likeliest stays as it is for every picture.

    Args:
        cut: the model, and where its frozen layers end.

    Returns:
        The temperature.
    """
    model = cut.transfer.model
    probabilities = cut.outputs("validation", model.output, "Calibrating")
    temperature = temperature_of(cut.data["validation"].labels, probabilities)
    for variable in (model.layers[-1].kernel, model.layers[-1].bias):
        variable.assign(variable / temperature)
    return temperature


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
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - sure, minlength=bins)
    return np.abs(gaps).sum() / len(labels)
