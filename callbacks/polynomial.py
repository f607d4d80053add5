"""Schemes along a power of the time that is left."""

import math
from typing import Annotated, final

from .base import LearningRateDecay, TensorFlowDecay, scheme
from .forms import polynomial, share
from .rules import CountOrZero, Finite, NotNegative, Positive, Share, number
from .spans import total


@final
@scheme
class PolynomialDecay(TensorFlowDecay):
    """`(learning_rate - end) * (1 - step / decay_steps) ** power + end`.

    Args:
        learning_rate: the rate at step 0.
        decay_steps: steps to the end rate; those of the training by default.
        end_learning_rate: the rate there, and after it unless `cycle`.
        power: 1 is a straight line, 0 stays at `learning_rate`.
        cycle: whether the rate jumps up again after the end: `decay_steps` becomes its least
            multiple that is not below the step.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.polynomial_decay`.

    Example:
        >>> PolynomialDecay(1.0, 7, 0.1, cycle=True).value(21)
        0.1
    """

    decay_steps: Positive = total()
    end_learning_rate: Finite = 0.0001
    power: NotNegative = 1.0
    cycle: bool = False

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        total = self.decay_steps
        if self.cycle:
            total *= max(1, math.ceil(step / total))
        fraction = min(step, total) / total
        return polynomial(self.base, self.end_learning_rate, fraction, self.power)


@final
@scheme
class PolynomialLR(LearningRateDecay):
    """`base * (1 - step / total_iters) ** power`, then 0.

    Args:
        total_iters: epochs to zero, None for those of the training; with 0 the rate stays, as in
            PyTorch.
        power: 1 is a straight line, 0 stays at the base rate.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.PolynomialLR`.

    Example:
        >>> PolynomialLR(4, power=2.0, learning_rate=1.0).value(2)
        0.25
    """

    total_iters: CountOrZero = total(5)
    power: NotNegative = 1.0

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        fraction = share(step, self.total_iters)
        return polynomial(self.base, 0.0, fraction, self.power)


@final
@scheme
class LinearLR(LearningRateDecay):
    """From `base * start_factor` to `base * end_factor` in a straight line, then constant.

    Args:
        start_factor: above 0, up to 1.
        end_factor: from 0 to 1.
        total_iters: epochs to the end, None for those of the training; with 0 the rate stays at
            the start, as in PyTorch.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.LinearLR`.

    Example:
        >>> LinearLR(0.5, 1.0, total_iters=2, learning_rate=1.0).value(1)
        0.75
    """

    start_factor: Annotated[float, number("above 0, up to 1", lambda v: 0 < v <= 1)] = 1 / 3
    end_factor: Share = 1.0
    total_iters: CountOrZero = total(5)

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        fraction = share(step, self.total_iters)
        return self.base * polynomial(self.start_factor, self.end_factor, fraction)
