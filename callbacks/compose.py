"""Schemes made of functions and of other schemes."""

from abc import ABC
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from .base import LearningRateDecay, scheme
from .forms import polynomial
from .rules import Count, OfStep, Share, Unit


@final
@scheme
class LambdaLR(LearningRateDecay):
    """`base * lr_lambda(step)`.

    Args:
        lr_lambda: the step to a factor. To be saved with the scheme, it must be registered with
            `keras.saving.register_keras_serializable`.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.LambdaLR`.

    Example:
        >>> LambdaLR(lambda epoch: 0.5**epoch, learning_rate=1.0).value(2)
        0.25
    """

    lr_lambda: OfStep

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        return self.base * self.lr_lambda(step)


@final
@scheme
class MultiplicativeLR(LearningRateDecay):
    """`base * lr_lambda(1) * … * lr_lambda(step)`.

    Args:
        lr_lambda: the step to the factor by which it changes the rate; called once a step.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.MultiplicativeLR`.

    Example:
        >>> MultiplicativeLR(lambda epoch: 0.5, learning_rate=1.0).value(3)
        0.125
    """

    lr_lambda: OfStep

    def __post_init__(self):
        super().__post_init__()
        self._products = [1.0]

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        for known in range(len(self._products), step + 1):
            self._products.append(self._products[-1] * self.lr_lambda(known))
        return self.base * self._products[step]


@dataclass(eq=False)
class Composite(LearningRateDecay, ABC):
    """What schemes of schemes share: one unit, one base rate, momentum where a member has one."""

    # None until it is made: then the unit is the members'.
    per: Unit | None = field(default=None, kw_only=True)  # pyrefly: ignore[bad-override]

    @property
    def members(self) -> Sequence[LearningRateDecay]:
        """The schemes it is made of."""
        return self.schedulers

    def __post_init__(self):
        given = all(isinstance(member, LearningRateDecay) for member in self.members)
        name = "scheduler" if hasattr(self, "scheduler") else "schedulers"
        self._require(name, given and len(self.members) > 0, "a scheme of callbacks, or several")
        self.per = self.per or self.members[0].per
        super().__post_init__()
        for member in self.members:
            if self.optimizer is None:
                self.optimizer = member.optimizer
            if member.optimizer not in (None, self.optimizer):
                raise ValueError(
                    f"optimizer: {type(self).__name__} leads one, and its members name several."
                )
            if member.per != self.per:
                raise ValueError(
                    f"{type(self).__name__}: {type(member).__name__} counts {member.per}s, the "
                    f'whole counts {self.per}s. Give each per="{self.per}".'
                )
        if self.own_rate is not None:
            self.take_base(self.own_rate)

    def take_base(self, rate: float) -> None:
        """Start from this rate, as do the members that have none of their own."""
        super().take_base(rate)
        for member in self.members:
            if member.learning_rate is None:
                member.take_base(rate)

    def forget(self) -> None:
        """Begin anew, as do the members."""
        super().forget()
        for member in self.members:
            member.forget()
        if self.own_rate is not None:
            self.take_base(self.own_rate)

    @property
    def drives_momentum(self) -> bool:
        """Whether a member does."""
        return any(member.drives_momentum for member in self.members)


@final
@scheme
class SequentialLR(Composite):
    """One scheme after another; each starts from its base rate, at its own step 0.

    Args:
        schedulers: the schemes, in order.
        milestones: the steps at which the second, third, … takes over, ascending.
        learning_rate: base rate of the members that have none; the optimizer's by default.
        per: the members' unit.

    Source:
        `torch.optim.lr_scheduler.SequentialLR`.

    Example:
        >>> from callbacks import ConstantLR, ExponentialLR
        >>> scheme = SequentialLR([ConstantLR(0.1), ExponentialLR(0.5)], [2], learning_rate=1.0)
        >>> [scheme.value(epoch) for epoch in range(4)]
        [0.1, 0.1, 1.0, 0.5]
    """

    schedulers: Sequence[LearningRateDecay]
    milestones: Sequence[int]

    def __post_init__(self):
        super().__post_init__()
        fits = len(self.milestones) == len(self.schedulers) - 1
        self._require("milestones", fits, "one shorter than schedulers")
        ascending = [0, *self.milestones] == sorted({0, *self.milestones})
        self._require("milestones", ascending, "ascending from 1 up")

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        member, start = self._at(step)
        return member.value(step - start)

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps, while a member at work drives it."""
        member, start = self._at(step)
        return member.momentum(step - start)

    def _at(self, step: int) -> tuple[LearningRateDecay, int]:
        index = bisect_right(self.milestones, step)
        return self.schedulers[index], [0, *self.milestones][index]


@final
@scheme
class ChainedScheduler(Composite):
    """The product of the members' factors, `value / base` each; `a * b` is short for it.

    Args:
        schedulers: the schemes.
        learning_rate: the rate that is multiplied; the optimizer's by default.
        per: the members' unit.

    Source:
        `torch.optim.lr_scheduler.ChainedScheduler`, where each member multiplies the rate. Its
        members that set the rate outright (LambdaLR, CyclicLR, OneCycleLR,
        CosineAnnealingWarmRestarts) overwrite there what came before them, and CosineAnnealingLR
        with an `eta_min` depends on the past; here every member is a factor.

    Example:
        >>> from callbacks import ExponentialLR, StepLR
        >>> chain = StepLR(2, gamma=0.5, learning_rate=1.0) * ExponentialLR(0.5)
        >>> [chain.value(epoch) for epoch in range(3)]
        [1.0, 0.5, 0.125]
    """

    schedulers: Sequence[LearningRateDecay]

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        rate = self.base
        for member in self.schedulers:
            rate *= member.value(step) / member.base if member.base else 0.0
        return rate

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps, of the last member that drives it."""
        driving = [member for member in self.schedulers if member.drives_momentum]
        return driving[-1].momentum(step) if driving else None


@final
@scheme
class Warmup(Composite):
    """A straight line up to the first rate of a scheme, then the scheme from its step 0.

    Args:
        scheduler: the scheme.
        steps: how many steps or epochs the line takes.
        start: where the line starts, as a share of the scheme's first rate.
        learning_rate: base rate of a scheme that has none; the optimizer's by default.
        per: the scheme's unit.

    Source:
        Gradual warm-up, arXiv 1706.02677.

    Example:
        >>> from callbacks import ExponentialLR
        >>> scheme = Warmup(ExponentialLR(0.5, learning_rate=1.0), steps=4)
        >>> [scheme.value(epoch) for epoch in (0, 1, 4, 5)]
        [0.0, 0.25, 1.0, 0.5]
    """

    scheduler: LearningRateDecay
    steps: Count
    start: Share = 0.0

    @property
    def own_rate(self) -> float | None:
        """Its own, or the scheme's."""
        return self.scheduler.own_rate if self.learning_rate is None else self.learning_rate

    @property
    def members(self) -> Sequence[LearningRateDecay]:
        """The scheme."""
        return [self.scheduler]

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        if step >= self.steps:
            return self.scheduler.value(step - self.steps)
        return self.scheduler.value(0) * polynomial(self.start, 1.0, step / self.steps)

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps; before the scheme starts, its first."""
        return self.scheduler.momentum(max(step - self.steps, 0))
