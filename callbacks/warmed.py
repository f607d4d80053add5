"""Transformers' family: schemes in steps that begin with a straight line from 0."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import final

from .base import LearningRateDecay, scheme
from .forms import half_cosine, polynomial
from .rules import Finite, NotNegative, Unit
from .spans import SHARES, total


@dataclass(eq=False)
class Warmed(LearningRateDecay, ABC):
    """What the family shares: the line, and then a factor of the base rate."""

    num_warmup_steps: NotNegative = field(metadata=SHARES)
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        if step < self.num_warmup_steps:
            return self.base * self.rise(step)
        return self.base * self.factor(step)

    def rise(self, step: int) -> float:
        """The factor in the warm-up."""
        return step / max(1, self.num_warmup_steps)

    @abstractmethod
    def factor(self, step: int) -> float:
        """The factor after the warm-up, of steps from the start of the training."""


@dataclass(eq=False)
class WarmedUntil(Warmed, ABC):
    """A scheme that knows the end."""

    num_training_steps: NotNegative = total()

    def progress(self, step: float) -> float:
        """The share of the steps after the warm-up; above 1 after the end."""
        after = self.num_training_steps - self.num_warmup_steps
        return (step - self.num_warmup_steps) / max(1, after)


@final
@scheme
class LinearScheduleWithWarmup(WarmedUntil):
    """A straight line up to the base rate, and one down to 0.

    Args:
        num_warmup_steps: steps of the way up; a float below 1 is a share of the training.
        num_training_steps: steps of both; those of the training by default.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_linear_schedule_with_warmup`, there "linear".

    Example:
        >>> scheme = LinearScheduleWithWarmup(10, 30, learning_rate=1.0)
        >>> [scheme.value(step) for step in (0, 5, 10, 20, 30)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def factor(self, step: int) -> float:
        """The factor after the warm-up."""
        after = self.num_training_steps - self.num_warmup_steps
        return max(0.0, (self.num_training_steps - step) / max(1, after))


@final
@scheme
class CosineScheduleWithWarmup(WarmedUntil):
    """A straight line up to the base rate, then a cosine, which goes on as such after the end.

    Args:
        num_warmup_steps: steps of the way up; a float below 1 is a share of the training.
        num_training_steps: steps of both; those of the training by default.
        num_cycles: waves of the cosine; a half goes down once.
        min_lr: the least rate. This or `min_lr_rate`.
        min_lr_rate: the least rate as a share of the base rate; 0 by default.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_cosine_schedule_with_warmup`, there "cosine", and
        `get_cosine_with_min_lr_schedule_with_warmup`, there "cosine_with_min_lr".

    Example:
        >>> scheme = CosineScheduleWithWarmup(10, 30, min_lr_rate=0.5, learning_rate=1.0)
        >>> [scheme.value(step) for step in (5, 10, 20, 30)]
        [0.5, 1.0, 0.75, 0.5]
    """

    num_cycles: Finite = 0.5
    min_lr: Finite | None = None
    min_lr_rate: Finite | None = None

    def __post_init__(self):
        super().__post_init__()
        _require_one_least(self)

    def factor(self, step: int) -> float:
        """The factor after the warm-up."""
        return _cosine_above(_least(self), 2 * self.num_cycles * self.progress(step))


@final
@scheme
class CosineWithMinLRScheduleWithWarmupLRRate(WarmedUntil):
    """The same one step earlier: the first step has a rate already, and the last one the least.

    Args:
        num_warmup_steps: steps of the way up; a float below 1 is a share of the training.
        num_training_steps: steps of both; those of the training by default.
        num_cycles: waves of the cosine; a half goes down once.
        min_lr: the least rate. This or `min_lr_rate`.
        min_lr_rate: the least rate as a share of the base rate; 0 by default.
        warmup_lr_rate: where the way up starts, as a share of the base rate; the rate of its first
            step is `1 / num_warmup_steps` of it by default.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.optimization.get_cosine_with_min_lr_schedule_with_warmup_lr_rate`, there
        "cosine_warmup_with_min_lr".

    Example:
        >>> scheme = CosineWithMinLRScheduleWithWarmupLRRate(4, 14, learning_rate=1.0)
        >>> [round(scheme.value(step), 6) for step in (0, 3, 8, 13)]
        [0.25, 1.0, 0.5, 0.0]
    """

    num_cycles: Finite = 0.5
    min_lr: Finite | None = None
    min_lr_rate: Finite | None = None
    warmup_lr_rate: Finite | None = None

    def __post_init__(self):
        super().__post_init__()
        _require_one_least(self)

    def rise(self, step: int) -> float:
        """The factor in the warm-up."""
        if self.warmup_lr_rate is None:
            return (step + 1) / max(1, self.num_warmup_steps)
        return polynomial(self.warmup_lr_rate, 1.0, step / max(1, self.num_warmup_steps - 1))

    def factor(self, step: int) -> float:
        """The factor after the warm-up."""
        return _cosine_above(_least(self), 2 * self.num_cycles * self.progress(step + 1))


@final
@scheme
class CosineWithHardRestartsScheduleWithWarmup(WarmedUntil):
    """A straight line up to the base rate, then half cosines one after another, then 0.

    Args:
        num_warmup_steps: steps of the way up; a float below 1 is a share of the training.
        num_training_steps: steps of all; those of the training by default.
        num_cycles: how many half cosines; of 2.5, the last ends half-way.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_cosine_with_hard_restarts_schedule_with_warmup`, there
        "cosine_with_restarts".

    Example:
        >>> scheme = CosineWithHardRestartsScheduleWithWarmup(0, 20, 2, learning_rate=1.0)
        >>> [scheme.value(step) for step in (0, 5, 10, 15, 20)]
        [1.0, 0.5, 1.0, 0.5, 0.0]
    """

    num_cycles: Finite = 1

    def factor(self, step: int) -> float:
        """The factor after the warm-up."""
        progress = self.progress(step)
        return 0.0 if progress >= 1 else half_cosine(self.num_cycles * progress % 1)


@final
@scheme
class PolynomialDecayScheduleWithWarmup(WarmedUntil):
    """A straight line up to the base rate, then a power of the time that is left, to `lr_end`.

    Args:
        num_warmup_steps: steps of the way up; a float below 1 is a share of the training.
        num_training_steps: steps of both; those of the training by default.
        lr_end: the rate at the end, and after it.
        power: 1 is a straight line.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_polynomial_decay_schedule_with_warmup`, there "polynomial".

    Example:
        >>> scheme = PolynomialDecayScheduleWithWarmup(0, 4, 0.0, power=2.0, learning_rate=1.0)
        >>> scheme.value(2)
        0.25
    """

    lr_end: Finite = 1e-7
    power: NotNegative = 1.0

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        if step < self.num_warmup_steps:
            return self.base * self.rise(step)
        return polynomial(self.base, self.lr_end, self.factor(step), self.power)

    def factor(self, step: int) -> float:
        """The share of the way down that is done."""
        after = self.num_training_steps - self.num_warmup_steps
        return min((step - self.num_warmup_steps) / after, 1.0) if after > 0 else 1.0


@final
@scheme
class ConstantScheduleWithWarmup(Warmed):
    """A straight line up to the base rate, then that.

    Args:
        num_warmup_steps: steps of the way up; a float below 1 is a share of the training.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_constant_schedule_with_warmup`, there "constant_with_warmup".

    Example:
        >>> scheme = ConstantScheduleWithWarmup(10, learning_rate=1.0)
        >>> scheme.value(5), scheme.value(10), scheme.value(99)
        (0.5, 1.0, 1.0)
    """

    def factor(self, step: int) -> float:
        """The factor after the warm-up."""
        return 1.0


def _require_one_least(scheme) -> None:
    one = scheme.min_lr is None or scheme.min_lr_rate is None
    scheme._require("min_lr", one, "given alone, and there is a min_lr_rate")


def _least(scheme) -> float:
    """The least rate as a share of the base rate."""
    if scheme.min_lr is not None:
        return scheme.min_lr / scheme.base if scheme.base else 0.0
    return scheme.min_lr_rate or 0.0


def _cosine_above(least: float, fraction: float) -> float:
    return max(0.0, half_cosine(fraction) * (1 - least) + least)
