"""Schemes made of functions and of other schemes."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import final

from .base import LearningRateDecay, scheme
from .composite import Composite
from .rules import Numbers, OfStep


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
        whole = int(step)  # a smooth one is asked for fractions of an epoch
        for known in range(len(self._products), whole + 1):
            self._products.append(self._products[-1] * self.lr_lambda(known))
        return self.base * self._products[whole]


@final
@scheme
class SequentialLR(Composite):
    """One scheme after another; each starts from its base rate, at its own step 0.

    Args:
        schedulers: the schemes, in order.
        milestones: the steps at which the second, third, … takes over, ascending; floats below 1
            are shares of the training.
        learning_rate: base rate of the members that have none; the optimizer's by default.
        per: the milestones' unit; the first member's by default.

    Source:
        `torch.optim.lr_scheduler.SequentialLR`.

    Example:
        >>> from callbacks import ConstantLR, ExponentialLR
        >>> scheme = SequentialLR([ConstantLR(0.1), ExponentialLR(0.5)], [2], learning_rate=1.0)
        >>> [scheme.value(epoch) for epoch in range(4)]
        [0.1, 0.1, 1.0, 0.5]
    """

    schedulers: Sequence[LearningRateDecay]
    milestones: Numbers

    @property
    def marks(self) -> Sequence[float]:
        """The milestones."""
        return self.milestones

    def _require_marks(self, ascending: bool) -> None:
        fits = len(self.milestones) == len(self.schedulers) - 1
        self._require("milestones", fits, "one shorter than schedulers")
        self._require("milestones", ascending, "ascending from 1 up, or shares below 1")

    def parts(self, total: float | None) -> Sequence[float | None]:
        """From milestone to milestone, and what is left."""
        marks = [0, *self._ticks]
        left = None if total is None else max(total - marks[-1], 1)
        return [*(end - start for start, end in pairwise(marks)), left][: len(self.schedulers)]

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        ((member, start),) = self.working(step)
        return member.value(self.reading(member, start))

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps, while a member at work drives it."""
        ((member, start),) = self.working(step)
        return member.momentum(self.reading(member, start))

    def working(self, step: int) -> Iterable[tuple[LearningRateDecay, int]]:
        """The member whose turn it is, from its own step 0."""
        index = bisect_right(self._ticks, step)
        return [(self.schedulers[index], step - [0, *self._ticks][index])]


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
        setting = None if self._refusal is None else self._setting()
        rate = self.base if setting is None else 1.0
        for member in self.schedulers:
            whole = member.value(self.reading(member, step))
            if member is setting:
                rate *= whole
            else:
                rate *= whole / member.base if member.base else 0.0
        return rate

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps, of the last member that drives it."""
        driving = [member for member in self.schedulers if member.drives_momentum]
        return driving[-1].momentum(self.reading(driving[-1], step)) if driving else None

    def _setting(self) -> LearningRateDecay:
        """A member whose rates are its own: with it the product needs no base, which cancels."""
        own = [m for m in self.schedulers if m.own_rate is None and not _asks_for_base(m)]
        if not own:
            raise ValueError(self._refusal)
        for member in self.schedulers:
            if member.own_rate is None and member is not own[0]:
                member.take_base(1.0)
        return own[0]


def _asks_for_base(member: LearningRateDecay) -> bool:
    try:
        member.value(0)
    except ValueError:
        return True
    return False
