"""The metric that a search compares settings by, and whether less or more of it is better."""

import re

import keras
import keras_tuner
from keras_tuner.engine import metrics_tracking

DIRECTIONS = ("min", "max")
# What is averaged or summed may be anything.
_OPEN = ("mean", "sum", "metric")
# This library's own, and the names of Keras' metrics in the logs that are not those of a class.
_NAMED = {"calibrated_loss": "min", "logcosh": "min", "fbeta_score": "max"}


def direction_of(name: str) -> str | None:
    """Whether a metric is minimized or maximized, by its name in the logs; None where that is open.

    It is keras-tuner's answer, save where Keras' metric of that name has its own: keras-tuner takes
    what it has not listed (F1, R², correlations) for a loss.

    Example:
        >>> [direction_of(name) for name in ("val_mae", "val_auc_1", "val_f1_score", "val_mine")]
        ['min', 'max', 'max', None]
    """
    plain = re.sub(r"^val_|_\d+$", "", name)
    if plain in _NAMED:
        return _NAMED[plain]
    if plain.lower() in _OPEN:
        return None
    try:
        told = metrics_tracking.infer_metric_direction(plain)
    except TypeError:  # a metric that cannot be made without arguments
        return None
    own = getattr(_metric(plain), "_direction", None)
    return {"up": "max", "down": "min", None: told}[own]


def checked(objective: str | keras_tuner.Objective) -> keras_tuner.Objective:
    """An objective with its direction.

    Args:
        objective: a metric's name in the logs, or one with its direction.

    Raises:
        ValueError: it is neither, or its direction cannot be told from its name.

    Example:
        >>> checked("val_mae").direction
        'min'
        >>> checked("val_mine")
        Traceback (most recent call last):
        ValueError: objective: whether less or more of 'val_mine' is better cannot be told from its
        name. Say it: keras_tuner.Objective('val_mine', "max"), or "min".
    """
    if type(objective) is keras_tuner.Objective:
        if objective.direction not in DIRECTIONS:
            raise ValueError(
                f'objective: the direction {objective.direction!r} is not "min" or "max".'
            )
        return objective
    if not isinstance(objective, str) or not objective:
        raise ValueError(
            f"objective: {objective!r} is not a metric's name or a keras_tuner.Objective."
        )
    direction = direction_of(objective)
    if direction is None:
        raise ValueError(
            f"objective: whether less or more of {objective!r} is better cannot be told from its "
            f'name. Say it: keras_tuner.Objective({objective!r}, "max"), or "min".'
        )
    return keras_tuner.Objective(objective, direction)


def _metric(name: str) -> object:
    try:
        return keras.metrics.get(name)
    except (TypeError, ValueError):
        return None
