"""Which way a metric gets better."""

from typing import Literal

import keras

WAYS: dict[str, Literal["min", "max"]] = {"down": "min", "up": "max"}
SHORT = {"acc": "accuracy"}  # what Keras writes into the logs as it was given


def direction_of(monitor: str, model: keras.Model | None = None) -> Literal["min", "max"]:
    """Whether less or more of a logged value is better.

    A loss goes down. Of any other metric Keras knows by its class: the model's own of that name is
    asked, then the one that Keras has under it.

    Args:
        monitor: the value's name in the logs, such as "val_loss" or "val_accuracy".
        model: compiled; without it only names are looked at.

    Raises:
        ValueError: it cannot be told.

    Example:
        >>> direction_of("val_loss"), direction_of("auc"), direction_of("val_mae")
        ('min', 'max', 'min')
    """
    name = monitor.removeprefix("val_")
    if name == "loss" or name.endswith("_loss"):
        return "min"
    metrics = [] if model is None else _parts(model.metrics)
    named = sorted(metrics, key=lambda metric: len(metric.name), reverse=True)
    own = [m for m in named if name == m.name or name.endswith(f"_{m.name}")]  # of which output
    for metric in [*own, _of_keras(name)]:
        way = WAYS.get(getattr(metric, "_direction", ""))
        if way is not None:
            return way
    raise ValueError(
        f'mode: which way {monitor!r} gets better cannot be told; give mode="min" or "max".'
    )


def _parts(metrics: list) -> list[keras.metrics.Metric]:
    """The metrics, and those that Keras has bundled into one."""
    found = []
    for metric in metrics:
        found += [metric, *_parts(getattr(metric, "metrics", None) or [])]
    return found


def _of_keras(name: str):
    """The metric that Keras has under a name, or None."""
    try:
        return keras.metrics.get(SHORT.get(name, name))
    except (ValueError, TypeError):
        return None
