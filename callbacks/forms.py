"""The forms that the schemes share, each a pure function of a fraction."""

import math
from collections.abc import Callable


def cosine(start: float, end: float, fraction: float) -> float:
    """From `start` at fraction 0 to `end` at 1 along half a cosine, and back again after it.

    Example:
        >>> cosine(1.0, 0.0, 0.5)
        0.5
    """
    return end + (start - end) * half_cosine(fraction)


def half_cosine(fraction: float) -> float:
    """`(1 + cos(pi * fraction)) / 2`: 1 at 0, 0 at 1, 1 at 2.

    Example:
        >>> half_cosine(0.0), half_cosine(1.0)
        (1.0, 0.0)
    """
    return (1 + math.cos(math.pi * fraction)) / 2


def polynomial(start: float, end: float, fraction: float, power: float = 1.0) -> float:
    """From `start` at fraction 0 to `end` at 1: `(start - end) * (1 - fraction)**power + end`.

    Example:
        >>> polynomial(1.0, 0.0, 0.25), polynomial(1.0, 0.0, 0.5, power=2)
        (0.75, 0.25)
    """
    return (start - end) * (1 - fraction) ** power + end


def share(step: float, total: float) -> float:
    """How much of the total has passed, up to 1; of a total of 0, nothing ever has.

    Example:
        >>> share(1, 4), share(9, 4), share(1, 0)
        (0.25, 1.0, 0.0)
    """
    return min(step / total, 1.0) if total else 0.0


def restarts(
    step: float, first: float, factor: float, limit: float = math.inf
) -> tuple[int, float]:
    """Which cycle a step lies in, and how far in it, where each is `factor` times the one before.

    Found by counting, not by a logarithm: a restart is never missed by rounding.

    Args:
        step: from 0 on.
        first: the length of the first cycle.
        factor: above 0.
        limit: how many cycles there are.

    Returns:
        The cycle from 0 on, and the fraction from 0 to below 1. After the last cycle, `limit` and
        any fraction.

    Raises:
        ValueError: the cycles become shorter, and all of them are over.

    Example:
        >>> restarts(5, first=5, factor=3), restarts(12, first=5, factor=1)
        ((1, 0.0), (2, 0.4))
    """
    if factor == 1:
        cycle = math.floor(step / first)
        return cycle, (step - cycle * first) / first
    if factor < 1 and step >= first / (1 - factor):
        if limit < math.inf:
            return int(limit), 0.0
        raise ValueError(f"Cycles each {factor:g} times as long end before step {step:g}.")
    left: float = step
    length: float = first
    cycle = 0
    while left >= length and cycle < limit:
        left -= length
        length *= factor
        cycle += 1
    return cycle, left / length


DECAYS: dict[str, Callable[[float], float]] = {
    "linear": lambda fraction: 1 - fraction,
    "cosine": half_cosine,
    "1-sqrt": lambda fraction: 1 - math.sqrt(fraction),
}
