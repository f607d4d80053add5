"""What each strategy is expected to bring: the classifier's errors that are gone, by measurement.

`benchmarks/strategies.py` makes the table, at 224 px, on folders of real pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Strategy: the share of the classifier's errors that it took away, by the kind of pictures
# (`kind_of`): like the pretraining data, between, far from it.
SHARES = {
    "small_similar": (0.0, 0.0, 0.0),
    "small_dissimilar": (0.09, 0.21, 0.15),
    "large_similar": (0.02, 0.26, 0.13),
}
FAR_FROM = 0.35  # mean divergence, in nats; drawings lie above it
WORTH = 0.001  # a gain in accuracy that is worth beginning where time is limited
EQUAL = 0.002  # two gains that cannot be told apart


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


def kind_of(divergence: float, dissimilar_from: float) -> int:
    """The column of `SHARES`.

    Args:
        divergence: of the pictures from the pretraining data, in nats.
        dissimilar_from: the divergence from which they count as unlike; half of it on, they are
            no longer as near as everyday photos.

    Example:
        >>> [kind_of(divergence, 0.13) for divergence in (0.05, 0.08, 0.2, 0.5)]
        [0, 1, 1, 2]
    """
    if divergence < dissimilar_from / 2:
        return 0
    return 1 if divergence < FAR_FROM else 2


def expectations(
    error: float,
    kind: int,
    seconds: Mapping[str, float] | None = None,
    table: Mapping[str, Sequence[float]] = SHARES,
) -> list[Expectation]:
    """What each strategy that starts from pretrained weights is expected to bring.

    Args:
        error: the share that the classifier alone gets wrong.
        kind: of the pictures, as `kind_of` says.
        seconds: the time that each strategy takes.
        table: as `SHARES`.

    Example:
        >>> [round(one.gain, 3) for one in expectations(0.5, kind=1)][0]
        0.0
    """
    return [
        Expectation(name, shares[kind] * error, (seconds or {}).get(name))
        for name, shares in table.items()
    ]


def best(
    found: Sequence[Expectation], time_left: float | None = None, solved: bool = False
) -> Expectation:
    """The strategy to take: the largest gain; of those as large, the one that takes the least time.

    Where the classifier alone is not enough, something is trained: what validation says is lost
    by that is not kept (`recipes.transfer.refine.blend`).

    Args:
        found: what `expectations` gave: the classifier alone, then the others, the cheapest first.
        time_left: seconds; what takes longer brings as much less.
        solved: whether the classifier alone gets nearly all right: then it is enough.
    """
    classifier, *others = found

    def gain(one: Expectation) -> float:
        if time_left is None or one.seconds is None or one.seconds <= time_left:
            return one.gain
        return one.gain * max(time_left, 0.0) / one.seconds

    most = max(gain(one) for one in others)
    if solved or (time_left is not None and most < WORTH):
        return classifier
    return next(one for one in others if gain(one) >= most - EQUAL)
