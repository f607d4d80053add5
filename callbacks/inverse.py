"""Schemes that fall as a power of the time that has passed, and one that follows a sigmoid."""

import math
from dataclasses import field
from typing import final

import numpy as np

from .base import LearningRateDecay, scheme
from .forms import polynomial
from .rules import CountOrZero, Finite, NotNegative, Positive, Unit
from .spans import SHARES


@final
@scheme
class InverseSqrtSchedule(LearningRateDecay):
    """A straight line up to the base rate, then `base * sqrt(s / (t + s - w))`.

    Here w is `num_warmup_steps` and s is `timescale`: where they are equal, `base * sqrt(w / t)`.

    Args:
        num_warmup_steps: steps of the way up; a float below 1 is a share of the training.
        timescale: steps in which the rate falls to 0.7 of its height; `num_warmup_steps` by
            default, and 10000 where that is 0.
        warmup_init_lr: where the way up starts.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_inverse_sqrt_schedule`, there "inverse_sqrt"; fairseq's "inverse_sqrt",
        which has `warmup_init_lr`.

    Example:
        >>> scheme = InverseSqrtSchedule(100, learning_rate=1.0)
        >>> scheme.value(50), scheme.value(100), scheme.value(400)
        (0.5, 1.0, 0.5)
    """

    num_warmup_steps: NotNegative = field(metadata=SHARES)
    timescale: Positive | None = None
    warmup_init_lr: NotNegative = 0.0
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        warm = self.num_warmup_steps
        if step < warm:
            return polynomial(self.warmup_init_lr, self.base, step / max(1, warm))
        scale = self.timescale or warm or 10_000
        return self.base / math.sqrt((step + scale - warm) / scale)


@final
@scheme
class NoamDecay(LearningRateDecay):
    """`learning_rate * d_model**-0.5 * min(t**-0.5, t * warmup_steps**-1.5)`.

    Args:
        d_model: width of the model.
        warmup_steps: steps of the way up; a float below 1 is a share of the training.
        learning_rate: what the whole is scaled by. It is no rate of the optimizer's.
        per: "step" (default) or "epoch".

    Source:
        `paddle.optimizer.lr.NoamDecay`; "Attention is all you need", arXiv 1706.03762.

    Example:
        >>> scheme = NoamDecay(4, warmup_steps=100)
        >>> scheme.value(0), round(scheme.value(100), 6), round(scheme.value(400), 6)
        (0.0, 0.05, 0.025)
    """

    d_model: Positive
    warmup_steps: Positive = field(metadata=SHARES)
    # Never None, unlike above.
    learning_rate: NotNegative = field(default=1.0, kw_only=True)  # pyrefly: ignore[bad-override-mutable-attribute]
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        falling = step**-0.5 if step else 1.0
        return self.base * self.d_model**-0.5 * min(falling, step * self.warmup_steps**-1.5)


@final
@scheme
class InvDecay(LearningRateDecay):
    """`base * (1 + gamma * t) ** -power`.

    Args:
        gamma: how fast it falls.
        power: the exponent.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        Caffe's learning-rate policy "inv".

    Example:
        >>> InvDecay(0.5, power=2.0, learning_rate=1.0).value(2)
        0.25
    """

    gamma: NotNegative
    power: Finite
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return self.base * (1 + self.gamma * step) ** -self.power


@final
@scheme
class SigmoidDecay(LearningRateDecay):
    """`base / (1 + exp(-gamma * (t - stepsize)))`: it rises where gamma is above 0, else it falls.

    Args:
        gamma: how steep it is. Darknet's has the other sign: give its 0.1 as -0.1.
        stepsize: the step at which it is half of the base rate, or a share of the training, a float
            below 1. Darknet's `step`.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        Caffe's learning-rate policy "sigmoid", Darknet's "sigmoid".

    Example:
        >>> SigmoidDecay(-0.1, stepsize=50, learning_rate=1.0).value(50)
        0.5
    """

    gamma: Finite
    stepsize: Finite = field(metadata=SHARES)
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return self.base * (1 + math.tanh(self.gamma * (step - self.stepsize) / 2)) / 2


@final
@scheme
class RandomDecay(LearningRateDecay):
    """`base * u ** power`, with another u between 0 and 1 at each step.

    Args:
        power: above 1, small rates are drawn more often.
        seed: the same seed gives the same rate at the same step.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        Darknet's learning-rate policy "random", with a seeded draw.

    Example:
        >>> rates = [RandomDecay(power=4.0, learning_rate=1.0).value(step) for step in range(100)]
        >>> 0 < min(rates) < 0.01 < max(rates) < 1
        True
    """

    power: NotNegative
    seed: CountOrZero = 0
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return self.base * np.random.default_rng([self.seed, int(step)]).random() ** self.power
