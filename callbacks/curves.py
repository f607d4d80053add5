"""What a scheme is without a training: a rate for each step, from a base rate, over a length."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .spans import NOTE, Span, filled, require_count

if TYPE_CHECKING:
    from .leading import Leader
    from .watching import Watcher


class Curve(ABC):
    """The part of a scheme that is a function of the step."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    learning_rate: float | None
    per: Any
    smooth: bool
    missing: list[str]
    _open: dict[str, Any]
    _span: Span
    given: Span | None = None  # the length that `over` was told
    claimed_by: "Leader | None"
    led_by: "Leader | None"
    _taken: float | None
    _refusal: str | None

    @abstractmethod
    def _check(self, name: str, annotation: Any) -> None:
        """Refuse a parameter that its rule does not allow."""

    @abstractmethod
    def value(self, step: int) -> float:
        """The learning rate after `step` steps or epochs, in float64."""

    @property
    def base(self) -> float:
        """The rate that the scheme starts from.

        Raises:
            ValueError: it is the optimizer's, which has trained and may have another by now.
        """
        own = self.own_rate
        if own is not None:
            return own
        if self._refusal is not None:
            raise ValueError(self._refusal)
        return 1.0 if self._taken is None else self._taken

    @property
    def own_rate(self) -> float | None:
        """The rate that it was given to start from; None where that is the optimizer's."""
        return self.learning_rate

    def take_base(self, rate: float) -> None:
        """Start from this rate where the scheme was given none of its own."""
        self._taken, self._refusal = rate, None

    def refuse_base(self, reason: str) -> None:
        """Refuse where the scheme asks for the rate that it was not given."""
        self._taken, self._refusal = None, reason

    def keep_base(self) -> None:
        """Go on from the same rate; members may have served another scheme meanwhile."""
        if self._refusal is None:
            self.take_base(self.base)
        else:
            self.refuse_base(self._refusal)

    def forget(self) -> None:
        """Begin anew: drop what was taken from, and seen in, an earlier training."""
        for one in reversed(self.within):
            one.forget_itself()

    def forget_itself(self) -> None:
        """The same, but for what it is made of."""
        self._taken, self._refusal = None, None

    @property
    def drives_momentum(self) -> bool:
        """Whether the scheme changes the momentum (or beta_1) too."""
        return False

    def momentum(self, step: int) -> float | None:
        """The momentum that goes with the rate, where the scheme drives it."""
        return None

    def over(self, total: int, steps_per_epoch: int | None = None) -> Self:
        """Take the length of a training, as `fit` gives it; a `fit` that knows its own gives that.

        Args:
            total: steps, or epochs where the scheme counts those.
            steps_per_epoch: batches an epoch, where it needs them.

        Returns:
            The scheme.

        Raises:
            ValueError: they are no whole numbers from 1 up, or do not go with what it was given.

        Example:
            >>> import callbacks
            >>> callbacks.MultiStepLR([0.5, 0.75]).over(200).milestones
            [100, 150]
        """
        require_count("total", total)
        if steps_per_epoch is not None:
            require_count("steps_per_epoch", steps_per_epoch)
        span = Span(total, self.per, steps_per_epoch)
        self.over_span(span)
        self.given = span
        return self

    def check_lengths(self) -> None:
        """Refuse lengths that do not go together; called when they are known."""
        return

    def with_rate(self, rate: float) -> Self:
        """The same scheme from another rate."""
        return replace(self, **self._open, learning_rate=rate)

    def over_span(self, span: Span) -> None:
        """Take a length in whatever unit it is known in."""
        self._span = span
        self.missing = self._fill(span.count(self.per, whole=not self.smooth))
        if self.smooth and span.unit == "step" and span.steps_per_epoch is None:
            self.missing = [*self.missing, "the number of steps_per_epoch"]
        if not self.missing:
            self.check_lengths()

    def _fill(self, length: float | None) -> list[str]:
        """Give the parameters that wait for a length theirs, or name them."""
        for name, given in self._open.items():
            setattr(self, name, given if length is None else filled(given, length))
            if given is None and length is not None:
                self._check(name, next(f.type for f in fields(self) if f.name == name))
        return list(self._open) if length is None else []

    @property
    def clock(self) -> str:
        """What the scheme is led by: each "step" or each "epoch"."""
        return "step" if self.smooth else self.per

    @property
    def unit(self) -> str:
        """What `value` counts."""
        return self.per

    def time(self, step: int) -> float:
        """What `value` is given for a step of the clock."""
        if not self.smooth:
            return step
        assert self._span.steps_per_epoch is not None
        return step / self._span.steps_per_epoch

    def rate_at(self, step: int) -> float:
        """The rate for a step of the clock.

        Raises:
            ValueError: it is no finite number.
        """
        time: Any = self.time(step)
        try:
            rate = found = float(self.value(time))
        except (ArithmeticError, TypeError) as error:
            rate, found = math.nan, f"none ({error})"
        if not math.isfinite(rate):
            raise ValueError(
                f"{type(self).__name__}: the rate of {self.clock} {step} is {found}, which is no "
                "number to train with."
            )
        return rate

    def momentum_at(self, step: int) -> float | None:
        """The momentum for a step of the clock."""
        time: Any = self.time(step)
        return self.momentum(time)

    @property
    def takes_from_fit(self) -> bool:
        """Whether something of the curve depends on the length of a training."""
        return bool(self._open) or self.smooth

    @property
    def ends(self) -> float | None:
        """The step after which the rate stays, where that follows from what was given."""
        totals = [f.name for f in fields(self) if f.metadata.get(NOTE) == "total"]
        return None if self.takes_from_fit or not totals else getattr(self, totals[0])

    @property
    def members(self) -> Sequence[Any]:
        """The schemes it is made of."""
        return ()

    @property
    def within(self) -> list[Any]:
        """Itself, its members, and what they are made of."""
        return [self]

    @property
    def watchers(self) -> list["Watcher"]:
        """The schemes in this one that watch a metric."""
        return []

    def at_work(self, time: Any) -> Iterator[tuple["Watcher", Any]]:
        """The watchers that are at work at a time, each with the time of its own."""
        yield from ()

    def remember(self, epoch: int, led: str) -> None:
        """Take up what was restored from a file, as a training of a number begins with an epoch."""
        return
