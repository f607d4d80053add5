"""Schemes that go from one given rate to the next, and cycles that are given one by one."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import field
from itertools import accumulate
from operator import mul
from typing import Annotated, Literal, final

from .base import LearningRateDecay, scheme
from .forms import cosine, polynomial, share
from .rules import CountOrZero, Finite, NotNegative, Rule, Unit, listed
from .spans import SHARES

WAYS = {"cos": cosine, "cosine": cosine, "linear": polynomial}


@final
@scheme
class SWALR(LearningRateDecay):
    """From the base rate to `swa_lr` in `anneal_epochs`, then constant, for averaged weights.

    Args:
        swa_lr: the rate to which it goes, above or below the base rate.
        anneal_epochs: epochs until then; with 0 it is there at once.
        anneal_strategy: "cos" or "linear".
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.swa_utils.SWALR`; arXiv 1803.05407.

    Example:
        >>> scheme = SWALR(0.5, anneal_epochs=10, learning_rate=1.0)
        >>> scheme.value(0), scheme.value(5), scheme.value(10), scheme.value(99)
        (1.0, 0.75, 0.5, 0.5)
    """

    swa_lr: NotNegative
    anneal_epochs: CountOrZero = 10
    anneal_strategy: Literal["cos", "linear"] = "cos"

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        done = share(step, self.anneal_epochs) if self.anneal_epochs else 1.0
        return WAYS[self.anneal_strategy](self.base, self.swa_lr, done)


def _step_of(key):
    """A step; JSON has the keys of a dictionary as texts. What is no number stays as it is."""
    try:
        step = float(key)
    except (TypeError, ValueError):
        return key
    return int(step) if step.is_integer() else step


SCALES = Rule(
    lambda v: (
        isinstance(v, Mapping)
        and listed("", lambda steps: min(steps, default=0) >= 0).fits(list(v))
        and listed("", lambda scales: min(scales, default=0) >= 0).fits(list(v.values()))
    ),
    "a dictionary of steps and scales, all from 0 up",
)


@final
@scheme
class PiecewiseInterpolate(LearningRateDecay):
    """From the base rate to the next height, from that to the next, and so on.

    Args:
        interpolate_type: "linear" or "cosine", the way between two heights.
        boundaries_and_scales: steps, and by what each height is multiplied until then; floats below
            1 are shares of the training. None is a constant rate.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `optax.schedules.piecewise_interpolate_schedule`; so are its `linear_onecycle_schedule` and
        `cosine_onecycle_schedule`.

    Example:
        >>> scheme = PiecewiseInterpolate("linear", {4: 0.5, 8: 0.5}, learning_rate=1.0)
        >>> scheme.value(2), scheme.value(4), scheme.value(6), scheme.value(9)
        (0.75, 0.5, 0.375, 0.25)
    """

    interpolate_type: Literal["linear", "cosine"]
    boundaries_and_scales: Annotated[Mapping[float, float], SCALES] | None = field(
        default=None, metadata=SHARES
    )
    per: Unit = field(default="step", kw_only=True)

    def __post_init__(self):
        given = self.boundaries_and_scales
        if isinstance(given, Mapping):
            self.boundaries_and_scales = {_step_of(step): scale for step, scale in given.items()}
        super().__post_init__()

    def check_lengths(self) -> None:
        """Each boundary is a step of its own; note the heights there."""
        known = self.boundaries_and_scales or {}
        fits = len(known) == len(self._open.get("boundaries_and_scales", known))
        self._require("boundaries_and_scales", fits, "a dictionary of different steps")
        pairs = sorted(known.items())
        self._steps = [0, *(step for step, _ in pairs)]
        self._factors = list(accumulate((scale for _, scale in pairs), mul, initial=1.0))

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        after = bisect_right(self._steps, step)
        if after == len(self._steps):
            return self.base * self._factors[-1]
        begin, end = self._steps[after - 1 : after + 1]
        first, then = self._factors[after - 1 : after + 1]
        fraction = (step - begin) / max(end - begin, 1)
        return self.base * WAYS[self.interpolate_type](first, then, fraction)


@final
@scheme
class CosineRestartLR(LearningRateDecay):
    """Half cosines of given lengths and heights; after the last one the rate stays where it is.

    Args:
        periods: length of each.
        restart_weights: the start of each as a share of the base rate.
        eta_min: the rate at their ends; this or `eta_min_ratio`.
        eta_min_ratio: the same as a share of the base rate.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `mmengine.optim.CosineRestartLR` (`CosineRestartParamScheduler`).

    Example:
        >>> scheme = CosineRestartLR([10, 20], [1, 0.5], eta_min=0.0, learning_rate=1.0)
        >>> [scheme.value(epoch) for epoch in (0, 5, 10, 20)]
        [1.0, 0.5, 0.5, 0.25]
    """

    periods: Annotated[
        Sequence[int],
        listed("that are whole, from 1 up", lambda v: v and all(p >= 1 and p % 1 == 0 for p in v)),
    ]
    restart_weights: Annotated[Sequence[float], listed("", lambda v: len(v) > 0)] = (1,)
    eta_min: Finite | None = None
    eta_min_ratio: Finite | None = None

    def __post_init__(self):
        super().__post_init__()
        fits = len(self.restart_weights) == len(self.periods)
        self._require("restart_weights", fits, "as long as periods")
        one = (self.eta_min is None) != (self.eta_min_ratio is None)
        self._require("eta_min", one, "given or left out where eta_min_ratio is not")

    @property
    def ends(self) -> float:
        """The end of the last."""
        return sum(self.periods)

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        ends = list(accumulate(self.periods))
        place = min(step, ends[-1] - 1)
        cycle = bisect_right(ends, place)
        least = self.base * (self.eta_min_ratio or 0.0) if self.eta_min is None else self.eta_min
        done = (place - (ends[cycle] - self.periods[cycle])) / self.periods[cycle]
        return cosine(self.base * self.restart_weights[cycle], least, done)
