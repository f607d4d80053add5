"""What each strategy is expected to bring: the classifier's errors that are gone, by measurement.

`benchmarks/strategies.py` makes the table, at 224 px, on folders of real pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Strategy: the share of the classifier's errors that it took away, where the pictures were like
# the pretraining data, and where they were unlike. So far of five cells, with one seed each.
SHARES = {
    "small_similar": (0.0, 0.0),
    "small_dissimilar": (0.06, 0.13),
    "large_similar": (0.06, 0.18),
}
WORTH = 0.005  # a gain in accuracy that is worth training for
EQUAL = 0.005  # two gains that cannot be told apart


@dataclass(frozen=True)
class Expectation:
    """What a strategy is expected to bring.

    Attributes:
        strategy: its name.
        gain: in accuracy, over the classifier alone.
        seconds: that it takes; None where that was not estimated.
    """

    strategy: str
    gain: float
    seconds: float | None = None


def expectations(
    error: float,
    unlike: bool,
    seconds: Mapping[str, float] | None = None,
    table: Mapping[str, tuple[float, float]] = SHARES,
) -> list[Expectation]:
    """What each strategy that starts from pretrained weights is expected to bring.

    Args:
        error: the share that the classifier alone gets wrong.
        unlike: whether the pictures are unlike the pretraining data.
        seconds: the time that each strategy takes.
        table: as `SHARES`.

    Example:
        >>> [round(one.gain, 3) for one in expectations(0.5, unlike=True)][0]
        0.0
    """
    return [
        Expectation(name, shares[unlike] * error, (seconds or {}).get(name))
        for name, shares in table.items()
    ]


def best(found: list[Expectation], time_left: float | None = None) -> Expectation:
    """The largest gain that is worth its time; of those as large, the one that takes the least.

    Args:
        found: what `expectations` gave, the cheapest first.
        time_left: seconds; what takes longer brings as much less. The cheapest is always possible.
    """

    def gain(one: Expectation) -> float:
        if time_left is None or one.seconds is None or one.seconds <= time_left:
            return one.gain
        return one.gain * max(time_left, 0.0) / one.seconds

    most = max(gain(one) for one in found)
    if most < WORTH:
        return found[0]
    return next(one for one in found if gain(one) >= most - EQUAL)
