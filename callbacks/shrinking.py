"""fairseq's cycles, each lower than the one before."""

import math
from dataclasses import field
from typing import final

from .base import LearningRateDecay, scheme
from .forms import cosine, polynomial, restarts
from .rules import Finite, NotNegative, Positive, Unit
from .spans import SHARES, total


@final
@scheme
class TriangularLRSchedule(LearningRateDecay):
    """Up from the base rate to `max_lr` and down again in straight lines, each cycle lower.

    Args:
        max_lr: the upper rate of the first cycle, above the base rate.
        lr_period_updates: steps of a cycle; each half has the whole ones of its half.
        lr_shrink: the factor of the upper rate from one cycle to the next.
        shrink_min: whether the lower rate shrinks too.
        learning_rate: base rate, the lower one; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `fairseq.optim.lr_scheduler.triangular_lr_scheduler`, there "triangular"; arXiv 1506.01186.

    Example:
        >>> scheme = TriangularLRSchedule(1.0, 10, lr_shrink=0.5, learning_rate=0.0)
        >>> scheme.value(0), scheme.value(5), scheme.value(10), scheme.value(15)
        (0.0, 1.0, 0.0, 0.5)
    """

    max_lr: NotNegative
    lr_period_updates: Positive = 5000
    lr_shrink: Finite = 0.1
    shrink_min: bool = False
    per: Unit = field(default="step", kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        self._require("lr_period_updates", self.lr_period_updates >= 2, "from 2 up")

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        half = self.lr_period_updates // 2
        cycle = math.floor(step / (2 * half))
        shrink = self.lr_shrink**cycle
        low = self.base * shrink if self.shrink_min else self.base
        return polynomial(self.max_lr * shrink, low, abs(step / half - 2 * cycle - 1))


@final
@scheme
class CosineLRSchedule(LearningRateDecay):
    """A warm-up, then half cosines, each longer than the one before, and shrunk at both ends.

    Args:
        warmup_updates: steps of a straight line up to the base rate; a float below 1 is a share of
            the training.
        warmup_init_lr: where that starts; `min_lr` by default.
        min_lr: the rate at the end of the first cycle.
        t_mult: by how much each cycle is longer than the one before.
        lr_period_updates: steps of the first cycle; by default what `max_update` leaves.
        lr_shrink: the factor of both rates from one cycle to the next.
        max_update: steps of the training, without `lr_period_updates`; `fit` knows them.
        learning_rate: base rate, the upper one; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `fairseq.optim.lr_scheduler.cosine_lr_scheduler`, there "cosine"; arXiv 1608.03983.

    Example:
        >>> scheme = CosineLRSchedule(lr_period_updates=10, lr_shrink=0.5, learning_rate=1.0)
        >>> scheme.value(0), scheme.value(5), scheme.value(10), scheme.value(15)
        (1.0, 0.5, 0.5, 0.25)
    """

    warmup_updates: NotNegative = field(default=0, metadata=SHARES)
    warmup_init_lr: NotNegative | None = None
    min_lr: NotNegative = 0.0
    t_mult: Positive = 1.0
    lr_period_updates: Positive | None = None
    lr_shrink: Finite = 0.1
    max_update: Positive = total(unless=lambda s: s.lr_period_updates is not None)
    per: Unit = field(default="step", kw_only=True)

    def check_lengths(self) -> None:
        """There are steps to fall in."""
        fits = self.lr_period_updates is not None or (self.max_update or 0) > self.warmup_updates
        self._require("lr_period_updates", fits, "given, and max_update leaves no steps for it")

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        warm = self.warmup_updates
        if step < warm:
            start = self.min_lr if self.warmup_init_lr is None else self.warmup_init_lr
            return polynomial(start, self.base, step / warm)
        period = self.lr_period_updates or (self.max_update or 0) - warm
        cycle, fraction = restarts(step - warm, period, self.t_mult)
        return self.lr_shrink**cycle * cosine(self.base, self.min_lr, fraction)
