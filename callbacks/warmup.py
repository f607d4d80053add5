"""A rise up to a scheme's first rate."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal, final

from .base import LearningRateDecay, scheme
from .composite import Composite
from .forms import polynomial
from .rules import NotNegative, Positive, Rule, whole
from .spans import is_share

# The shapes, from `start` at 0 to 1 at 1.
SHAPES: dict[str, Callable[[float, float, float], float]] = {
    "linear": lambda start, x, power: polynomial(start, 1.0, x),
    "constant": lambda start, x, power: start,
    "power": lambda start, x, power: start + (1 - start) * x**power,
    "cosine": lambda start, x, power: start + (1 - start) * (1 - math.cos(math.pi * x)) / 2,
}
WHOLE = whole("from 1 up", lambda v: v >= 1)
Length = Annotated[
    float,
    Rule(
        lambda v: is_share(v) or WHOLE.fits(v),
        "a whole number from 1 up, or a share below 1",
    ),
]


@final
@scheme
class Warmup(Composite):
    """A rise up to the first rate of a scheme, then the scheme from its step 0.

    Args:
        scheduler: the scheme.
        steps: how many steps or epochs the rise takes; a float below 1 is a share of the training.
        start: where it starts, as a share of the scheme's first rate; above 1 it falls.
        begin: where it starts, as a rate; instead of `start`.
        shape: of the rise at a share x of it: "linear"; "constant", which stays at the start;
            "power", as `x ** power`; or "cosine", half of one.
        power: see `shape`.
        overlay: whether the scheme runs below the rise, and is at its step `steps` when that ends,
            as in timm, MXNet and Darknet; by default it begins then.
        warmup_target: the rate to rise to, from the scheme's `learning_rate`; the scheme begins
            there, as Keras' `CosineDecay` with the same parameter does.
        learning_rate: base rate of a scheme that has none; the optimizer's by default.
        per: the unit of `steps`; the scheme's by default. Where they differ, steps are counted.

    Source:
        Gradual warm-up, arXiv 1706.02677. Shapes of MXNet, Darknet and Transformers. (In mmengine a
        rise is a factor of the scheme below: `LinearLR(0.1) * CosineAnnealingLR(30)`.)

    Example:
        >>> from callbacks import ExponentialLR
        >>> scheme = Warmup(ExponentialLR(0.5, learning_rate=1.0), steps=4)
        >>> [scheme.value(epoch) for epoch in (0, 1, 4, 5)]
        [0.0, 0.25, 1.0, 0.5]
    """

    scheduler: LearningRateDecay
    steps: Length
    start: NotNegative = 0.0
    begin: NotNegative | None = None
    shape: Literal["linear", "constant", "power", "cosine"] = "linear"
    power: Positive = 2.0
    overlay: bool = False
    warmup_target: Positive | None = None

    def __post_init__(self):
        self._below = self.scheduler
        if self.warmup_target is not None and isinstance(self.scheduler, LearningRateDecay):
            fits = self.begin is None and self.scheduler.own_rate is not None
            self._require("warmup_target", fits, "for schemes without a rate, nor beside begin")
            self._below = self.scheduler.with_rate(self.warmup_target)
        super().__post_init__()

    @property
    def own_rate(self) -> float | None:
        """Its own, or the scheme's."""
        return self._below.own_rate if self.learning_rate is None else self.learning_rate

    @property
    def members(self) -> Sequence[LearningRateDecay]:
        """The scheme."""
        return [self._below]

    @property
    def marks(self) -> Sequence[float]:
        """Where the rise ends."""
        return [self.steps]

    def parts(self, total: float | None) -> Sequence[float | None]:
        """What the rise leaves, or all."""
        return [total if total is None or self.overlay else max(total - self._ticks[0], 1)]

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        (end,) = self._ticks
        if step >= end:
            return self._below.value(self.reading(self._below, self._place(step)))
        top = self._below.value(self.reading(self._below, 0))
        if self.warmup_target is not None:
            return self._between(self.scheduler.base, top, step / end)
        if self.begin is not None:
            return self._between(self.begin, top, step / end)
        return top * SHAPES[self.shape](self.start, step / end, self.power)

    def _between(self, low: float, top: float, share: float) -> float:
        return low + (top - low) * SHAPES[self.shape](0.0, share, self.power)

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps; before the scheme starts, its first."""
        return self._below.momentum(self.reading(self._below, max(self._place(step), 0)))

    def working(self, step: int) -> Iterable[tuple[LearningRateDecay, int]]:
        """The scheme, once it runs."""
        return [(self._below, self._place(step))] if self._place(step) >= 0 else []

    def _place(self, step: int) -> int:
        return step if self.overlay else step - self._ticks[0]
