"""Schemes along a cosine."""

import math
from dataclasses import field
from typing import final

import numpy as np

from .base import LearningRateDecay, TensorFlowDecay, scheme
from .forms import cosine, half_cosine, polynomial, restarts, share
from .rules import Count, CountOrZero, Finite, NotNegative, Positive
from .spans import SHARES, Span, total


@final
@scheme
class CosineDecay(TensorFlowDecay):
    """From `learning_rate` to `alpha * learning_rate` along half a cosine, then constant.

    Args:
        learning_rate: the rate at step 0.
        decay_steps: steps of the cosine, which begins after the warm-up; by default those of the
            training that the warm-up leaves.
        alpha: the end as a share of the rate that the cosine begins with.
        exponent: of the cosine; above 1 the rate falls sooner.
        warmup_target: the rate to which a straight line leads from `learning_rate` first, and from
            which the cosine begins. Without it there is no warm-up.
        warmup_steps: steps of the warm-up; a float below 1 is a share of the training.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.cosine_decay`; the warm-up of `keras.optimizers.schedules.CosineDecay`;
        the exponent of `optax.cosine_decay_schedule`; SGDR, arXiv 1608.03983.

    Example:
        >>> CosineDecay(1.0, 100, alpha=0.5).value(50)
        0.75
        >>> scheme = CosineDecay(0.0, 100, warmup_target=1.0, warmup_steps=10)
        >>> scheme.value(5), scheme.value(10), scheme.value(60)
        (0.5, 1.0, 0.5)
    """

    decay_steps: Positive = total()
    alpha: Finite = 0.0
    exponent: NotNegative = 1.0
    warmup_target: NotNegative | None = None
    warmup_steps: NotNegative = field(default=0, metadata=SHARES)

    def over_span(self, span: Span) -> None:
        """Of a training's steps the cosine has those that the warm-up leaves."""
        super().over_span(span)
        if "decay_steps" in self._open and self.decay_steps and self.warmup_target is not None:
            self.decay_steps = max(self.decay_steps - self.warmup_steps, 1)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        warm, top = 0, self.base
        if self.warmup_target is not None:
            warm, top = self.warmup_steps, self.warmup_target
        if step < warm:
            return polynomial(self.base, top, step / warm)
        height = half_cosine(share(step - warm, self.decay_steps)) ** self.exponent
        return top * ((1 - self.alpha) * height + self.alpha)


@final
@scheme
class CosineDecayRestarts(TensorFlowDecay):
    """Half cosines one after another; at each restart the rate jumps up again.

    Args:
        learning_rate: the rate at step 0.
        first_decay_steps: steps to the first restart.
        t_mul: by how much each period is longer than the one before. Below 1 they end, and
            `first_decay_steps / (1 - t_mul)` steps are all there is.
        m_mul: by how much each start is lower; `alpha` is not scaled by it.
        alpha: the least rate as a share of `learning_rate`.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.cosine_decay_restarts`, with restarts exactly where they belong (its
        logarithm misses some, such as step 5 with `first_decay_steps=5, t_mul=3`).

    Example:
        >>> scheme = CosineDecayRestarts(1.0, 10, t_mul=2.0, m_mul=0.5)
        >>> scheme.value(0), scheme.value(10), scheme.value(30)
        (1.0, 0.5, 0.25)
    """

    first_decay_steps: Positive
    t_mul: Positive = 2.0
    m_mul: Finite = 1.0
    alpha: Finite = 0.0

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        cycle, fraction = restarts(step, self.first_decay_steps, self.t_mul)
        height = (1 - self.alpha) * self.m_mul**cycle
        return self.base * (height * half_cosine(fraction) + self.alpha)


@final
@scheme
class LinearCosineDecay(TensorFlowDecay):
    """`learning_rate * ((alpha + 1 - u) * (1 + cos(2 pi num_periods u)) / 2 + beta)`.

    Here u is the share of `decay_steps` that has passed. The curve starts at
    `learning_rate * (1 + alpha + beta)`.

    Args:
        learning_rate: the rate that is scaled.
        decay_steps: steps to the end; those of the training by default.
        num_periods: cosine periods until then.
        alpha: is added to the line.
        beta: is added to the product.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.linear_cosine_decay`; arXiv 1709.07417.

    Example:
        >>> LinearCosineDecay(1.0, 100, beta=0.0).value(50)
        0.25
    """

    decay_steps: Positive = total()
    num_periods: Finite = 0.5
    alpha: Finite = 0.0
    beta: Finite = 0.001

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return _linear_cosine(self, step)


@final
@scheme
class NoisyLinearCosineDecay(TensorFlowDecay):
    """Linear cosine decay whose line has Gaussian noise, of a variance that falls.

    The variance at step t is `initial_variance / (1 + min(t, decay_steps)) ** variance_decay`. The
    rate can become negative where the noise is large, as in the reference.

    Args:
        learning_rate: the rate that is scaled.
        decay_steps: steps to the end; those of the training by default.
        initial_variance: of the noise at step 0.
        variance_decay: how fast the variance falls.
        num_periods: cosine periods until the end.
        alpha: is added to the line.
        beta: is added to the product.
        seed: the same seed gives the same noise at the same step.
        per: "step" (default) or "epoch".

    Source:
        `tf.compat.v1.train.noisy_linear_cosine_decay`, with a seeded draw.

    Example:
        >>> quiet = NoisyLinearCosineDecay(1.0, 100, initial_variance=0.0)
        >>> quiet.value(30) == LinearCosineDecay(1.0, 100).value(30)
        True
    """

    decay_steps: Positive = total()
    initial_variance: NotNegative = 1.0
    variance_decay: Finite = 0.55
    num_periods: Finite = 0.5
    alpha: Finite = 0.0
    beta: Finite = 0.001
    seed: CountOrZero = 0

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        done = min(step, self.decay_steps)
        deviation = math.sqrt(self.initial_variance / (1 + done) ** self.variance_decay)
        noise = np.random.default_rng([self.seed, int(step)]).standard_normal()
        return _linear_cosine(self, step, deviation * noise)


def _linear_cosine(scheme, step: int, noise: float = 0.0) -> float:
    fraction = share(step, scheme.decay_steps)
    line = scheme.alpha + (1 - fraction) + noise
    return scheme.base * (line * half_cosine(2 * scheme.num_periods * fraction) + scheme.beta)


@final
@scheme
class CosineAnnealingLR(LearningRateDecay):
    """From the base rate to `eta_min` along half a cosine of `T_max` epochs, and back up after it.

    Args:
        T_max: epochs to the least rate; those of the training by default.
        eta_min: the least rate.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.CosineAnnealingLR`.

    Example:
        >>> scheme = CosineAnnealingLR(20, eta_min=0.5, learning_rate=1.0)
        >>> scheme.value(20), scheme.value(40)
        (0.5, 1.0)
    """

    T_max: Count = total()
    eta_min: Finite = 0.0

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        return cosine(self.base, self.eta_min, step % (2 * self.T_max) / self.T_max)


@final
@scheme
class CosineAnnealingWarmRestarts(LearningRateDecay):
    """From the base rate to `eta_min` along half a cosine, again and again from the top.

    Args:
        T_0: epochs to the first restart.
        T_mult: by how many times each period is longer than the one before.
        eta_min: the least rate.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`; SGDR, arXiv 1608.03983.

    Example:
        >>> scheme = CosineAnnealingWarmRestarts(20, T_mult=2, learning_rate=1.0)
        >>> scheme.value(10), scheme.value(20), scheme.value(40)
        (0.5, 1.0, 0.5)
    """

    T_0: Count
    T_mult: Count = 1
    eta_min: Finite = 0.0

    def value(self, step: int) -> float:
        """The rate after `step` epochs."""
        _, fraction = restarts(step, self.T_0, self.T_mult)
        return cosine(self.base, self.eta_min, fraction)
