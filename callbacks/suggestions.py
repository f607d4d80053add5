"""Ways to read a learning rate off a range test: ours, and the four of fastai."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

WARM_UP = 10  # steps after which the running mean holds enough losses to have a slope
FALL = 3.5  # by so many standard deviations a fall of the running mean is more than noise
FASTAI = 0.98  # the share that the running mean keeps there


def smoothed(losses: Any, share: float) -> np.ndarray:
    """The running mean of losses, of which each step keeps a share, without the start's bias.

    Example:
        >>> smoothed([1.0, 0.0], 0.5).round(3).tolist()
        [1.0, 0.333]
    """
    running, means = 0.0, []
    for count, loss in enumerate(losses, start=1):
        running = share * running + (1 - share) * loss
        means.append(running / (1 - share**count))
    return np.array(means)


def descent(rates: np.ndarray, losses: np.ndarray, share: float) -> float:
    """The rate at which the loss falls most steeply in the logarithm of the rate.

    That is told by the running mean, which is `share / (1 - share)` steps behind the loss: the rate
    is the one so many steps before its steepest fall. Only where it has fallen further than noise
    would let it.

    Args:
        rates: of the steps.
        losses: of the steps, unsmoothed.
        share: that the running mean keeps at each step.

    Raises:
        ValueError: there are too few steps, the loss never fell, or no further than by its noise.
    """
    means = smoothed(losses, share)
    finite = np.isfinite(means)
    rates, losses, means = rates[finite], losses[finite], means[finite]
    if not len(finite):
        raise ValueError("The range test has no steps yet; run fit with it first.")
    if len(means) < 2 * WARM_UP:
        raise ValueError(
            f"The range test has fewer than {2 * WARM_UP} steps with a finite loss: {len(means)}. "
            "Take more num_steps, or a smaller min_learning_rate."
        )
    last = int(means.argmin())
    if last < WARM_UP + 2:
        raise ValueError("The loss never fell; begin with a smaller min_learning_rate.")
    steps = slice(WARM_UP, last + 1)
    noise = _deviation(losses[: last + 1]) * math.hypot(
        *(_spread(n, share) for n in (WARM_UP, last))
    )
    fall = means[WARM_UP] - means[last]
    if fall <= FALL * noise:
        raise ValueError(
            f"No signal: the loss fell by {fall:.3g}, which its noise alone can do ({noise:.3g} is "
            "a standard deviation). Take more num_steps or a larger batch."
        )
    slopes = np.gradient(means[steps], np.log(rates[steps]))
    fallen = means[steps] < means[WARM_UP] - min(FALL / 2 * noise, fall / 10)
    steepest = WARM_UP + int(np.where(fallen, slopes, math.inf).argmin())
    return float(rates[max(steepest - round(share / (1 - share)), 0)])


def _deviation(losses: np.ndarray) -> float:
    """The standard deviation of single losses, told by their jumps, so that a fall is left out."""
    return 1.4826 * float(np.median(np.abs(np.diff(losses)))) / math.sqrt(2)


def _spread(step: int, share: float) -> float:
    """The standard deviation of the running mean at a step, where that of a loss is 1."""
    kept = share ** (step + 1)
    return math.sqrt((1 - share) / (1 + share) * (1 + kept) / (1 - kept))


def minimum(rates: np.ndarray, losses: np.ndarray) -> float:
    """A tenth of the rate at which the loss is least.

    Source:
        `fastai.callback.schedule.minimum`.
    """
    return float(rates[losses.argmin()]) / 10


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate at which the loss falls most steeply from one step to the next.

    Source:
        `fastai.callback.schedule.steep`.
    """
    return float(rates[(np.diff(losses) / np.diff(np.log(rates))).argmin()])


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate at two thirds of the longest sequence of falling losses.

    Source:
        `fastai.callback.schedule.valley`.
    """
    lengths, start, end = [1] * len(losses), 0, 0
    for index in range(1, len(losses)):
        for before in range(index):
            if losses[index] < losses[before]:
                lengths[index] = max(lengths[index], lengths[before] + 1)
            if lengths[end] < lengths[index]:
                start, end = index - lengths[index], index
    section = (end - start) / 3
    return float(rates[start + int(section) + int(section / 2)])


def slide(rates: np.ndarray, losses: np.ndarray, apart: int = 15, near: float = 0.005) -> float:
    """The rate left of the last two slopes, so many steps apart, that are nearly the same.

    Source:
        `fastai.callback.schedule.slide`.
    """
    slopes = np.gradient(losses)
    right, left = len(losses) - 1, len(losses) - 1 - apart
    found = rates[left]
    while left >= 0 and abs(slopes[right] - slopes[left]) > near:
        found, right, left = rates[left], right - 1, left - 1
    return float(found)


OF_FASTAI: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "minimum": minimum,
    "steep": steep,
    "valley": valley,
    "slide": slide,
}


def of_fastai(name: str, rates: np.ndarray, losses: np.ndarray) -> float:
    """One of fastai's suggestions from a test of as many steps, as its `lr_find` trims it.

    Args:
        name: "minimum", "steep", "valley" or "slide".
        rates: of the steps.
        losses: of the steps, unsmoothed.

    Raises:
        ValueError: there are too few steps.

    Source:
        `fastai.callback.schedule.Learner.lr_find`.
    """
    kept = slice(len(losses) // 10, -5)
    rates, means = rates[kept], smoothed(losses, FASTAI)[kept]
    wrong = np.flatnonzero(np.isnan(means))
    if len(wrong):
        rates, means = rates[: wrong[0]], means[: wrong[0]]
    if len(means) < 2 * WARM_UP:
        raise ValueError(f"The range test has too few steps for {name}; take more num_steps.")
    return OF_FASTAI[name](rates, means)


def table_of(rates: Sequence[float], losses: Sequence[float], share: float) -> pd.DataFrame:
    """One row a step: `learning_rate`, `loss`, `smoothed_loss`."""
    return pd.DataFrame(
        {
            "learning_rate": list(rates)[: len(losses)],
            "loss": list(losses),
            "smoothed_loss": smoothed(losses, share),
        }
    )
