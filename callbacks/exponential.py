"""Schemes that fall by a share of what is left."""

import math
from typing import final

from .base import LearningRateDecay, TensorFlowDecay, scheme
from .rules import Count, Positive


def _periods(step: int, decay_steps: int, staircase: bool) -> float:
    """Elapsed periods, whole ones only on a staircase; integer division is exact at its edges."""
    return step // decay_steps if staircase else step / decay_steps


@final
@scheme
class ExponentialDecay(TensorFlowDecay):
    """`learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        learning_rate: the rate at step 0.
        decay_steps: steps of one period.
        decay_rate: the factor of one period.
        staircase: whether the rate falls once a period, at its end.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.exponential_decay`.

    Example:
        >>> ExponentialDecay(1.0, 41, 0.5, staircase=True).value(41)
        0.5
    """

    decay_steps: Count
    decay_rate: Positive
    staircase: bool = False

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return self.base * self.decay_rate ** _periods(step, self.decay_steps, self.staircase)


@final
@scheme
class NaturalExpDecay(TensorFlowDecay):
    """`learning_rate * exp(-decay_rate * step / decay_steps)`.

    Args:
        learning_rate: the rate at step 0.
        decay_steps: steps of one period.
        decay_rate: the exponent of one period.
        staircase: whether the rate falls once a period, at its end.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.natural_exp_decay`.

    Example:
        >>> round(NaturalExpDecay(1.0, 10, 0.5).value(20), 6)
        0.367879
    """

    decay_steps: Count
    decay_rate: Positive
    staircase: bool = False

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        periods = _periods(step, self.decay_steps, self.staircase)
        return self.base * math.exp(-self.decay_rate * periods)


@final
@scheme
class InverseTimeDecay(TensorFlowDecay):
    """`learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        learning_rate: the rate at step 0.
        decay_steps: steps of one period.
        decay_rate: by how much one period adds to the divisor.
        staircase: whether the rate falls once a period, at its end.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.inverse_time_decay`.

    Example:
        >>> InverseTimeDecay(1.0, 10, 0.5).value(20)
        0.5
    """

    decay_steps: Count
    decay_rate: Positive
    staircase: bool = False

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        periods = _periods(step, self.decay_steps, self.staircase)
        return self.base / (1 + self.decay_rate * periods)


@final
@scheme
class ExponentialLR(LearningRateDecay):
    """`base * gamma ** step`.

    Args:
        gamma: the factor of one epoch.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.ExponentialLR`.

    Example:
        >>> ExponentialLR(0.5, learning_rate=1.0).value(3)
        0.125
    """

    gamma: Positive

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        return self.base * self.gamma**step
