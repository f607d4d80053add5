"""Schemes that stay on a rate and then jump to the next."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, final

from .base import LearningRateDecay, scheme
from .rules import Count, CountOrZero, Finite, Numbers, Share, Unit, listed
from .spans import SHARES, total


@final
@scheme
class PiecewiseConstantDecay(LearningRateDecay):
    """`values[i]` up to and including `boundaries[i]`, the last value after the last boundary.

    Args:
        boundaries: steps, ascending; floats below 1 are shares of the training.
        values: one rate more than boundaries.
        learning_rate: not used; the values are the rates.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.piecewise_constant_decay`: a boundary belongs to the piece before it.

    Example:
        >>> scheme = PiecewiseConstantDecay([10, 20], [0.1, 0.05, 0.01])
        >>> scheme.value(10), scheme.value(11), scheme.value(99)
        (0.1, 0.05, 0.01)
    """

    boundaries: Numbers = field(metadata=SHARES)
    values: Numbers
    per: Unit = field(default="step", kw_only=True)

    def check_lengths(self) -> None:
        """Boundaries ascend, and have values."""
        ascending = list(self.boundaries) == sorted(set(self.boundaries))
        self._require("boundaries", ascending, "ascending")
        fits = len(self.values) == len(self.boundaries) + 1
        self._require("values", fits, "one longer than boundaries")

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return self.values[bisect_left(self.boundaries, step)]


@final
@scheme
class StepLR(LearningRateDecay):
    """`base * gamma ** (step // step_size)`.

    Args:
        step_size: epochs between two cuts.
        gamma: the factor of a cut.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.StepLR`.

    Example:
        >>> StepLR(30, gamma=0.5, learning_rate=1.0).value(60)
        0.25
    """

    step_size: Count
    gamma: Finite = 0.1

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        return self.base * self.gamma ** (step // self.step_size)


@final
@scheme
class MultiStepLR(LearningRateDecay):
    """`base * gamma ** (milestones reached)`; a milestone that is named twice cuts twice.

    Args:
        milestones: epochs of the cuts, in any order; floats below 1 are shares of the training, and
            so is a 1.0 among them.
        gamma: the factor of a cut.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.MultiStepLR`.

    Example:
        >>> MultiStepLR([30, 80], gamma=0.5, learning_rate=1.0).value(80)
        0.25
    """

    milestones: Annotated[
        Sequence[float], listed("from 0 up", lambda v: min(v, default=0) >= 0)
    ] = field(metadata=SHARES)
    gamma: Finite = 0.1

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        return self.base * self.gamma ** sum(m <= step for m in self.milestones)


@final
@scheme
class ConstantLR(LearningRateDecay):
    """`base * factor` for `total_iters` epochs, then `base`.

    Args:
        factor: from 0 to 1.
        total_iters: epochs for which it holds; with 0 it holds for good, as in PyTorch.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.ConstantLR`.

    Example:
        >>> scheme = ConstantLR(0.5, total_iters=4, learning_rate=1.0)
        >>> scheme.value(3), scheme.value(4)
        (0.5, 1.0)
    """

    factor: Share = 1 / 3
    total_iters: CountOrZero = total(5)

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        holds = step < self.total_iters or self.total_iters == 0
        return self.base * (self.factor if holds else 1)


@final
@scheme
class ConstantSchedule(LearningRateDecay):
    """The base rate.

    Args:
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_constant_schedule`, there "constant"; `optax.constant_schedule`.

    Example:
        >>> ConstantSchedule(learning_rate=0.5).value(99)
        0.5
    """

    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return self.base
