"""What a scheme takes from `fit`: how long the training is, and how many steps make an epoch."""

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from .rules import Count, rule_of

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
        several = isinstance(value, Sequence | Mapping)
        return any(map(is_share, value)) if several else is_share(value)
    return False


def filled(value: Any, total: float) -> Any:
    """A parameter that waited, with a length: a share is at least one step.

    Beside shares, 1.0 is the whole, and 1 a step.

    Example:
        >>> filled(None, 90), filled(0.1, 90), filled([0.5, 80], 90), filled(0.1, 3)
        (90, 9, [45, 80], 1)
        >>> filled([0.5, 1.0, 1], 90), filled({0.5: 0.1}, 90)
        ([45, 90, 1], {45: 0.1})
    """
    if value is None:
        return total
    if isinstance(value, Mapping):
        return dict(zip(filled(list(value), total), value.values(), strict=True))
    if isinstance(value, Sequence):
        whole = any(map(is_share, value))
        return [total if whole and _is_whole(item) else filled(item, total) for item in value]
    return max(1, round(value * total)) if is_share(value) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value == 1.0


def require_count(name: str, value: Any) -> None:
    """Refuse what is no number of steps or epochs.

    Raises:
        ValueError: it is not a whole number from 1 up.

    Example:
        >>> require_count("steps", 3)
    """
    rule = rule_of(Count)
    assert rule is not None
    if not rule.fits(value):
        raise ValueError(f"{name}: {value!r} is not {rule.text}.")
