"""timm's family: schemes with a warm-up above or before them, and with noise."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import final

from .base import LearningRateDecay, scheme
from .forms import half_cosine, polynomial, restarts
from .noise import Noisy
from .rules import CountOrZero, Finite, NotNegative, Positive
from .spans import SHARES, Span, total


@dataclass(eq=False)
class TimmScheduler(Noisy, LearningRateDecay, ABC):
    """What timm's schemes share. At step 0 each has the base rate, or the start of its warm-up."""

    warmup_t: NotNegative = field(default=0, kw_only=True, metadata=SHARES)
    warmup_lr_init: NotNegative = field(default=0.0, kw_only=True)

    @property
    def after_warmup(self) -> bool:
        """Whether the scheme begins after its warm-up, rather than below it."""
        return True

    @property
    def top(self) -> float:
        """The rate to which the warm-up leads."""
        return self.base

    @abstractmethod
    def curve(self, step: float) -> float:
        """The rate without warm-up and noise."""

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        if step == 0:
            return self.warmup_lr_init if self.warmup_t else self.base
        if step < self.warmup_t:
            rate = polynomial(self.warmup_lr_init, self.top, step / self.warmup_t)
        else:
            rate = self.curve(step - self.warmup_t if self.after_warmup else step)
        return rate * (1 + self.noise(step))


class Lasting(TimmScheduler, ABC):
    """A scheme that has a length."""

    t_initial: float

    def over_span(self, span: Span) -> None:
        """Of a training it has what a warm-up before it leaves."""
        super().over_span(span)
        if self.after_warmup and "t_initial" in self._open and not self.missing:
            self.t_initial = max(self.t_initial - self.warmup_t, 1)
            self.check_lengths()


class Cycles(Lasting, ABC):
    """Cycles, each from the base rate down to `lr_min`, maybe longer and lower than the last.

    Each scheme has these parameters in the order that they have in timm.
    """

    lr_min: float
    cycle_mul: float
    cycle_decay: float
    cycle_limit: int
    warmup_prefix: bool

    @property
    def after_warmup(self) -> bool:
        """As `warmup_prefix` says."""
        return self.warmup_prefix

    @abstractmethod
    def height(self, fraction: float) -> float:
        """How high the curve is within a cycle, about 1 at its start and 0 at its end."""

    def curve(self, step: float) -> float:
        """The rate without warm-up and noise."""
        cycle, fraction = restarts(step, self.t_initial, self.cycle_mul, self.cycle_limit)
        if cycle >= self.cycle_limit:
            return self.lr_min
        top = self.base * self.cycle_decay**cycle
        return self.lr_min + (top - self.lr_min) * self.height(fraction)


@final
@scheme
class CosineLRScheduler(Cycles):
    """Half cosines from the base rate to `lr_min`, with a warm-up, k-decay and noise.

    Args:
        t_initial: length of the first cycle; by default that of the training, or what
            `warmup_prefix` leaves of it.
        lr_min: the rate at the end of each cycle, and after the last.
        cycle_mul: by how much each cycle is longer than the one before.
        cycle_decay: by how much each starts lower.
        cycle_limit: how many there are.
        warmup_prefix: whether the cycles begin after the warm-up; else they run on below it.
        k_decay: above 1, the rate stays up for longer.
        warmup_t: length of a straight line to the base rate; 0 has none, and a float below 1 is a
            share of the training.
        warmup_lr_init: where that line starts.
        noise_range_t: where the rate has noise; this and what follows is as in `NoisyLR`.
        noise_pct: its limit.
        noise_std: its standard deviation.
        noise_seed: its seed.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `timm.scheduler.CosineLRScheduler`; arXiv 1608.03983, 2004.05909.

    Example:
        >>> scheme = CosineLRScheduler(10, cycle_limit=2, cycle_decay=0.5, learning_rate=1.0)
        >>> scheme.value(5), scheme.value(10), scheme.value(15), scheme.value(20)
        (0.5, 0.5, 0.25, 0.0)
    """

    t_initial: Positive = total()
    lr_min: NotNegative = 0.0
    cycle_mul: Positive = 1.0
    cycle_decay: Finite = 1.0
    cycle_limit: CountOrZero = 1
    warmup_prefix: bool = field(default=False, kw_only=True)
    k_decay: NotNegative = field(default=1.0, kw_only=True)

    def height(self, fraction: float) -> float:
        """How high the curve is within a cycle."""
        return half_cosine(fraction**self.k_decay)


@final
@scheme
class TanhLRScheduler(Cycles):
    """Falls along a hyperbolic tangent: stays up, falls, and stays down.

    Args:
        t_initial: length of the first cycle; by default that of the training, or what
            `warmup_prefix` leaves of it.
        lb: the tangent's argument at the start of a cycle, below `ub`.
        ub: its argument at the end.
        lr_min: the rate to which each cycle falls, and after the last.
        cycle_mul: by how much each cycle is longer than the one before.
        cycle_decay: by how much each starts lower.
        cycle_limit: how many there are.
        warmup_prefix: whether the cycles begin after the warm-up; else they run on below it.
        warmup_t: length of a straight line to the first rate of the scheme; 0 has none, and a float
            below 1 is a share of the training.
        warmup_lr_init: where that line starts.
        noise_range_t: where the rate has noise; this and what follows is as in `NoisyLR`.
        noise_pct: its limit.
        noise_std: its standard deviation.
        noise_seed: its seed.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `timm.scheduler.TanhLRScheduler`; arXiv 1806.01593.

    Example:
        >>> scheme = TanhLRScheduler(10, lb=-3.0, ub=3.0, learning_rate=1.0)
        >>> scheme.value(0), scheme.value(5), scheme.value(10)
        (1.0, 0.5, 0.0)
    """

    t_initial: Positive = total()
    lb: Finite = -7.0
    ub: Finite = 3.0
    lr_min: NotNegative = 0.0
    cycle_mul: Positive = 1.0
    cycle_decay: Finite = 1.0
    cycle_limit: CountOrZero = 1
    warmup_prefix: bool = field(default=False, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        self._require("lb", self.lb < self.ub, f"below ub = {self.ub!r}")

    @property
    def top(self) -> float:
        """The base rate, or where the curve then is."""
        return self.base if self.warmup_prefix else self.curve(self.warmup_t)

    def height(self, fraction: float) -> float:
        """How high the curve is within a cycle."""
        return (1 - math.tanh(self.lb * (1 - fraction) + self.ub * fraction)) / 2


@final
@scheme
class PolyLRScheduler(Cycles):
    """Powers of the time that is left in a cycle, with a warm-up, k-decay and noise.

    Args:
        t_initial: length of the first cycle; by default that of the training, or what
            `warmup_prefix` leaves of it.
        power: 1 is a straight line; below 1 the rate stays up for longer.
        lr_min: the rate at the end of each cycle, and after the last.
        cycle_mul: by how much each cycle is longer than the one before.
        cycle_decay: by how much each starts lower.
        cycle_limit: how many there are.
        warmup_prefix: whether the cycles begin after the warm-up; else they run on below it.
        k_decay: above 1, the rate stays up for longer.
        warmup_t: length of a straight line to the base rate; 0 has none, and a float below 1 is a
            share of the training.
        warmup_lr_init: where that line starts.
        noise_range_t: where the rate has noise; this and what follows is as in `NoisyLR`.
        noise_pct: its limit.
        noise_std: its standard deviation.
        noise_seed: its seed.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `timm.scheduler.PolyLRScheduler`; arXiv 2004.05909.

    Example:
        >>> PolyLRScheduler(4, power=2.0, learning_rate=1.0).value(2)
        0.25
    """

    t_initial: Positive = total()
    power: Finite = 0.5
    lr_min: NotNegative = 0.0
    cycle_mul: Positive = 1.0
    cycle_decay: Finite = 1.0
    cycle_limit: CountOrZero = 1
    warmup_prefix: bool = field(default=False, kw_only=True)
    k_decay: NotNegative = field(default=1.0, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        fits = self.power >= 0 or self.k_decay > 0
        self._require("power", fits, "from 0 up, which k_decay = 0 needs")

    def height(self, fraction: float) -> float:
        """How high the curve is within a cycle."""
        return (1 - fraction**self.k_decay) ** self.power
