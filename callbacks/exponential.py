"""Schemes that fall by a share of what is left."""

import math
from dataclasses import field
from typing import final

from .base import LearningRateDecay, TensorFlowDecay, scheme
from .rules import Finite, Positive, Unit
from .spans import SHARES


def _periods(step: float, decay_steps: float, staircase: bool) -> float:
    """Elapsed periods, whole ones only on a staircase."""
    return math.floor(step / decay_steps) if staircase else step / decay_steps


def _require_a_power(scheme) -> None:
    """Only whole powers of a negative rate are numbers."""
    fits = scheme.decay_rate >= 0 or scheme.staircase
    scheme._require("decay_rate", fits, "from 0 up, and staircase is not True")


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

    decay_steps: Positive
    decay_rate: Finite
    staircase: bool = False

    def __post_init__(self):
        super().__post_init__()
        _require_a_power(self)

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
        decay_rate: the exponent of one period; below 0 the rate grows.
        staircase: whether the rate falls once a period, at its end.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.natural_exp_decay`.

    Example:
        >>> round(NaturalExpDecay(1.0, 10, 0.5).value(20), 6)
        0.367879
    """

    decay_steps: Positive
    decay_rate: Finite
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

    decay_steps: Positive
    decay_rate: Finite
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

    gamma: Finite

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        return self.base * self.gamma**step


@final
@scheme
class ExponentialTransition(LearningRateDecay):
    """`base * decay_rate ** ((step - transition_begin) / transition_steps)`, down to `end_value`.

    Args:
        transition_steps: steps of one period; with 0 or less, or a `decay_rate` of 0, the rate is
            constant.
        decay_rate: the factor of one period.
        transition_begin: the step until which the rate stays; a float below 1 is a share of the
            training.
        staircase: whether the rate falls once a period, at its end.
        end_value: the least rate; the greatest where `decay_rate` is 1 or more. None has none.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `optax.exponential_decay`; MXNet's `FactorScheduler` is the same with `transition_begin=1`
        and `staircase=True`.

    Example:
        >>> scheme = ExponentialTransition(10, 0.5, 20, end_value=0.3, learning_rate=1.0)
        >>> scheme.value(20), scheme.value(30), scheme.value(40)
        (1.0, 0.5, 0.3)
    """

    transition_steps: Finite
    decay_rate: Finite
    transition_begin: Finite = field(default=0, metadata=SHARES)
    staircase: bool = False
    end_value: Finite | None = None
    per: Unit = field(default="step", kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        _require_a_power(self)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        if self.transition_steps <= 0 or self.decay_rate == 0:
            return self.base
        passed = max(0, step - max(0, self.transition_begin))
        rate = self.base * self.decay_rate ** _periods(
            passed, self.transition_steps, self.staircase
        )
        if self.end_value is None:
            return rate
        return (max if self.decay_rate < 1 else min)(rate, self.end_value)
