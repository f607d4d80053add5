"""Noise on a rate, as timm has it, number by number."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias, final

import numpy as np

from .base import LearningRateDecay, scheme
from .composite import Composite
from .rules import CountOrZero, NotNegative, Positive, Rule, listed, number
from .spans import SHARES

BEGIN = number("", lambda step: True)
BOTH = listed("", lambda steps: len(steps) == 2)
Range: TypeAlias = Annotated[
    float | Sequence[float],
    Rule(
        lambda value: BEGIN.fits(value) or BOTH.fits(value),
        "a step, or the first one and the one after the last",
    ),
]


@dataclass(eq=False)
class Noisy:
    """The parameters of the noise, and the noise."""

    noise_range_t: Range | None = field(default=None, kw_only=True, metadata=SHARES)
    noise_pct: Positive = field(default=0.67, kw_only=True)
    noise_std: NotNegative = field(default=1.0, kw_only=True)
    noise_seed: CountOrZero = field(default=42, kw_only=True)

    def noise(self, step: float) -> float:
        """The share by which the rate is raised (or lowered) at a step."""
        if self.noise_range_t is None:
            return 0.0
        given = self.noise_range_t
        begin, end = given if isinstance(given, Sequence) else (given, math.inf)
        if not begin <= step < end:
            return 0.0
        draws = (draw * self.noise_std for draw in normals(self.noise_seed + int(step)))
        return next(draw for draw in draws if abs(draw) < self.noise_pct)


@final
@scheme
class NoisyLR(Noisy, Composite):
    """A scheme with noise: `rate * (1 + n)`, where n is normal and smaller than `noise_pct`.

    Args:
        scheduler: the scheme.
        noise_range_t: the step (or epoch, as `per` says) from which on there is noise, or that one
            and the one at which it ends; floats below 1 are shares of the training. None has no
            noise.
        noise_pct: a draw that is not below this is drawn again.
        noise_std: the standard deviation of the draws.
        noise_seed: the same seed gives the same noise at the same step.
        learning_rate: base rate of a scheme that has none; the optimizer's by default.
        per: the scheme's unit.

    Source:
        `timm.scheduler.scheduler.Scheduler`, with the numbers that PyTorch's generator draws there.

    Example:
        >>> from callbacks import StepLR
        >>> scheme = NoisyLR(StepLR(30, learning_rate=1.0), noise_range_t=(1, 3), noise_std=0.1)
        >>> [round(scheme.value(epoch), 4) for epoch in range(4)]
        [1.0, 0.9352, 1.0059, 1.0]
    """

    scheduler: LearningRateDecay

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
        time = step if self.clock == self.per else step // (self._span.steps_per_epoch or 1)
        return self.scheduler.value(self.reading(self.scheduler, step)) * (1 + self.noise(time))

    def momentum(self, step: int) -> float | None:
        """The scheme's momentum, without noise."""
        return self.scheduler.momentum(self.reading(self.scheduler, step))


def normals(seed: int) -> Iterator[float]:
    """What `torch.randn(1)` gives after `manual_seed(seed)`, once, twice, and so on.

    Both have the Mersenne twister with the old seeding, and the Box-Muller transform, which gives
    two numbers at a time.

    Example:
        >>> draws = normals(0)
        >>> round(next(draws), 4), round(next(draws), 4)
        (1.541, -0.2934)
    """
    twister = np.random.RandomState(seed % 2**32)  # a Generator seeds otherwise
    while True:
        words = [int(word) for word in twister.randint(0, 2**32, 4, dtype=np.uint32)]
        angle, height = (_uniform(*pair) for pair in (words[:2], words[2:]))
        radius = math.sqrt(-2 * math.log1p(-height))
        yield float(np.float32(radius * math.cos(2 * math.pi * angle)))
        yield float(np.float32(radius * math.sin(2 * math.pi * angle)))


def _uniform(high: int, low: int) -> float:
    """Two words of 32 bits as a number from 0 to below 1, with 53 bits of them."""
    return ((high << 32 | low) % 2**53) * 2.0**-53
