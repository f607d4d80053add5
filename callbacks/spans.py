"""What a scheme takes from `fit`: how long the training is, and how many steps make an epoch."""

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

NOTE, UNLESS = "taken from fit", "unless"
SHARES = {NOTE: "shares"}  # on a parameter in which a float below 1 is a share of the training


def total(default: Any = None, unless: Callable[[Any], Any] | None = None) -> Any:
    """A parameter of a scheme that is the length of the training where it is None.

    Args:
        default: None, or the length that a reference has.
        unless: whether the scheme has been given something else in its place.
    """
    return field(default=default, metadata={NOTE: "total", UNLESS: unless})


@final
@dataclass(frozen=True)
class Span:
    """The length of a training or of a part of it, as far as it is known.

    Args:
        length: in `unit`; None where it is not known.
        unit: "step" or "epoch".
        steps_per_epoch: None where it is not known.

    Example:
        >>> Span(90, "step", steps_per_epoch=40).count("epoch")
        3
        >>> Span(3, "epoch").count("step") is None
        True
    """

    length: float | None = None
    unit: str = "step"
    steps_per_epoch: int | None = None

    def count(self, unit: str, whole: bool = True) -> float | None:
        """The length in a unit; the last epoch counts if it is begun, or as a fraction."""
        if self.length is None or unit == self.unit:
            return self.length
        if self.steps_per_epoch is None:
            return None
        if unit == "step":
            return self.length * self.steps_per_epoch
        return (
            -(-self.length // self.steps_per_epoch) if whole else self.length / self.steps_per_epoch
        )


def is_share(value: Any) -> bool:
    """Whether a length is a share of a whole: a float between 0 and 1.

    Example:
        >>> is_share(0.5), is_share(1), is_share(1.0), is_share(None)
        (True, False, False, False)
    """
    if not isinstance(value, numbers.Real) or isinstance(value, numbers.Integral):
        return False
    return 0 < float(value) < 1


def is_open(value: Any, note: str | None) -> bool:
    """Whether a parameter waits for the length of a training.

    Args:
        value: the parameter.
        note: "total" or "shares", as `total` and `SHARES` have it; None for other parameters.

    Example:
        >>> is_open(None, "total"), is_open([0.5, 30], "shares"), is_open(0.5, None)
        (True, True, False)
    """
    if note == "total":
        return value is None
    if note == "shares":
        return any(map(is_share, value)) if isinstance(value, Sequence) else is_share(value)
    return False


def filled(value: Any, total: float) -> Any:
    """A parameter that waited, with a length: a share is at least one step.

    Example:
        >>> filled(None, 90), filled(0.1, 90), filled([0.5, 80], 90), filled(0.1, 3)
        (90, 9, [45, 80], 1)
    """
    if value is None:
        return total
    if isinstance(value, Sequence):
        return [filled(item, total) for item in value]
    return max(1, round(value * total)) if is_share(value) else value
