"""How a number is led in training: from where, by what count of steps, and that nothing else is."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, final

from .optimizers import (
    Leading,
    Target,
    others_in_words,
    progress_of,
    steps_taken,
)
from .spans import Span

REHEARSED = 1000  # steps of a training that are looked at before it begins


class Curve(Leading, Protocol):
    """What a leader asks of a scheme; `callbacks.LearningRateDecay` says what each means."""

    @property
    def clock(self) -> str:
        """What it is led by, "step" or "epoch"."""

    @property
    def count_from(self) -> str | None:
        """Where its step 0 is: "optimizer", "fit", or as it is apt."""

    @property
    def takes_from_fit(self) -> bool:
        """Whether it is as long as `fit`, or shares its epochs."""

    def rate_at(self, step: int) -> float:
        """The rate after so many."""

    def momentum_at(self, step: int) -> float | None:
        """The momentum after so many."""

    def over_span(self, span: Span) -> Any:
        """Take the length of the training."""

    @property
    def given(self) -> Span | None:
        """The length that it was told before, for a training that does not know its own."""

    @property
    def within(self) -> Sequence[Any]:
        """Itself, and what it is made of."""

    @property
    def missing(self) -> list[str]:
        """The parameters for which that was not enough."""

    @property
    def ends(self) -> float | None:
        """The step after which the rate stays as it is, where it was given."""

    @property
    def drives_momentum(self) -> bool:
        """Whether there is one."""

    @property
    def own_rate(self) -> float | None:
        """The rate that it starts from; None where that is the optimizer's."""

    def take_base(self, rate: float) -> None:
        """Start from this rate."""

    def keep_base(self) -> None:
        """Go on from the same rate."""

    def refuse_base(self, reason: str) -> None:
        """Refuse where the rate that it starts from is asked for."""

    def remember(self, epoch: int, led: str) -> None:
        """Take up what was restored from a file."""


@final
class Leader:
    """A scheme that leads a number, for one call of `fit`.

    It keeps no count of its own: the steps are the optimizer's, read when an epoch begins.

    Args:
        scheme: what the number follows. Where it has no base of its own, it takes the number
            that was found when `fit` was called.
        target: what is led.
        params: what Keras tells callbacks of `fit`: "epochs" and "steps".

    Training goes on where the scheme led the same number of the same optimizer before, and that has
    taken steps; otherwise it begins anew. So does each scheme in it.

    Raises:
        ValueError: the number cannot be led.
    """

    def __init__(self, scheme: Curve, target: Target, params: Mapping):
        self.rate: float | None = None  # the one that was set last
        self.step = 0  # of the scheme's clock, for which it was
        self.epoch = 0
        self.target = target
        self._scheme, self._name, self._clock = scheme, type(scheme).__name__, scheme.clock
        self._epochs, self._steps = params.get("epochs"), params.get("steps")
        self._before = 0  # the scheme's step at which this epoch begins
        self._start: tuple | None = None  # how far the optimizer was when training began
        self._origin: int | None = None  # the optimizer's step that is the scheme's step 0
        self._unwatched = 0  # batches of this epoch at which the rate is still looked at
        self._check_reach()
        self._drives = scheme.drives_momentum
        target.check(self._drives)
        for one in scheme.within:
            one.claimed_by = self
        self._found = (target.read(), steps_taken(target.optimizer))

    def begin_epoch(self, epoch: int) -> None:
        """Read the optimizer's count; set the epoch's rate where epochs are counted."""
        self._check_alone()
        steps = steps_taken(self.target.optimizer)
        if self._origin is None:
            self._begin(epoch, steps)
        elif epoch == self.epoch:
            raise ValueError(f"callbacks: one {self._name} stands twice among those of this fit.")
        assert self._origin is not None
        self.epoch, self._before = epoch, steps - self._origin
        self._start = self._start or progress_of(self.target.optimizer)
        self._unwatched = 2 if self._clock == "step" else 1
        if self._clock == "epoch":
            self._set(epoch)

    def begin_batch(self, batch: int) -> None:
        """Set the step's rate where steps are counted; at first see that the last has stayed."""
        if self._unwatched:
            self._unwatched -= 1
            self._check_alone()
        if self._clock == "step":
            self._set(self._before + batch)

    def end_epoch(self) -> None:
        """See that the optimizer is used, and that nothing else has set the rate.

        Raises:
            ValueError: it has taken no step since training began; or something else has.
        """
        model, optimizer = self.target.model, self.target.optimizer
        if model.trainable_variables and progress_of(optimizer) == self._start:
            raise ValueError(
                f"optimizer: {self._name} led {optimizer.name!r}, which has taken no step: "
                f"something else trains the model. {others_in_words(model)}"
            )
        self._check_alone()

    def _begin(self, epoch: int, steps: int) -> None:
        """Take from the training what the scheme lacks, and look at its rates before they count."""
        self._check_shared()
        goes_on = self._take_over()
        self._take_base(goes_on)
        self._scheme.remember(epoch, self.target.name)
        span = self._span()
        self._scheme.over_span(self._scheme.given or span if span.length is None else span)
        if self._scheme.missing:
            raise ValueError(
                f"{self._name}: {' and '.join(self._scheme.missing)} cannot be taken from this "
                "fit, which does not know its steps. Give fit steps_per_epoch, or the scheme its "
                "numbers, as scheme.over(total, steps_per_epoch=…) does."
            )
        self._origin = self._origin_at(epoch, steps)
        self._rehearse(epoch, steps - self._origin, goes_on)

    def _check_shared(self) -> None:
        """See that no other leads this scheme, or a part of it, in the same training."""
        for one in self._scheme.within:
            if one.claimed_by is not self:
                two = f"{self.target.in_words()} and the {one.claimed_by.target.in_words()}"
                raise ValueError(
                    f"{self._name}: one {type(one).__name__} is to lead the {two}. It has one base "
                    "and one length: make a scheme for each."
                )

    def _take_over(self) -> bool:
        """Let what led something else last begin anew; return whether the whole goes on."""
        goes_on = False
        for one in reversed(self._scheme.within):
            goes_on = one.led_by is not None and one.led_by.goes_on(self.target)
            if one.led_by is not None and not goes_on:
                one.forget_itself()
            one.led_by = self
        return goes_on

    def _take_base(self, goes_on: bool) -> None:
        scheme, target = self._scheme, self.target
        if scheme.own_rate is not None or goes_on:
            scheme.keep_base()
        elif target.steps_at_call == 0:
            scheme.take_base(target.at_call)
        else:
            scheme.refuse_base(
                f"{self._name}: the optimizer has taken {target.steps_at_call} steps, so its "
                f"{target.in_words()} may not be the one to start from; give learning_rate."
            )

    def goes_on(self, target: Target) -> bool:
        """Whether a training that begins with this target continues this one."""
        same = target._optimizer is self.target._optimizer and target.name == self.target.name
        if not same:
            return False
        untouched = self.rate is not None and math.isclose(target.at_call, self.rate, rel_tol=1e-6)
        return target.steps_at_call > 0 or untouched

    def _span(self) -> Span:
        """How long the training is, in what the scheme is led by."""
        if self._clock == "epoch":
            return Span(self._epochs, "epoch", self._steps)
        if self._epochs is None or self._steps is None:
            return Span(None, "step", self._steps)
        return Span(self._epochs * self._steps, "step", self._steps)

    def _origin_at(self, epoch: int, steps: int) -> int:
        """The optimizer's step at which the scheme begins."""
        apt = "fit" if self._scheme.takes_from_fit else "optimizer"
        if self._clock == "epoch" or (self._scheme.count_from or apt) == "optimizer":
            return 0
        if epoch and self._steps is None:
            raise ValueError(
                f'{self._name}: count_from="fit" with an initial_epoch needs the steps of an '
                "epoch, which this fit does not know. Give fit steps_per_epoch."
            )
        return steps - epoch * (self._steps or 0)

    def _rehearse(self, epoch: int, done: int, goes_on: bool) -> None:
        """Look at the rates of the whole training, as far as it is known, before it begins."""
        if self._clock == "epoch":
            first, last = epoch, self._epochs or epoch + 1
        else:
            first, last = done, done + ((self._epochs or 0) - epoch) * (self._steps or 0)
        steps = range(first, max(last, first + 1))
        rates = [self._scheme.rate_at(step) for step in _sample(steps)]
        stays = first > 0 and not goes_on and len(set(rates)) == 1
        nothing = first > 0 and not any(rates) and not any(map(self._scheme.rate_at, steps))
        over = stays and self._scheme.ends is not None and first >= self._scheme.ends
        if not nothing and not (over and epoch == 0):
            return
        text = (
            f"{self._name}: {first} {self._clock}s are done before this fit, and then the scheme "
            f"stays at {rates[0]:g}. "
        )
        if self._clock == "step":
            text += 'count_from="fit" begins at its step 0.'
        if nothing and epoch == 0:
            raise ValueError(text)
        warnings.warn(text, stacklevel=2)

    def _set(self, step: int) -> None:
        self.rate, self.step = self._scheme.rate_at(step), step
        self.target.write(self.rate)
        momentum = self._scheme.momentum_at(step) if self._drives else None
        if momentum is not None:
            self.target.write_momentum(momentum)

    def _check_reach(self) -> None:
        steps = self.target.model.steps_per_execution or 1
        if self._clock == "step" and steps > 1:
            raise ValueError(
                f"{self._name}: with steps_per_execution = {steps} no callback reaches each step. "
                'Use optimizer(learning_rate=scheme.as_schedule(num_steps)), or per="epoch".'
            )

    def _check_alone(self) -> None:
        """See that the number is the one that was set last, or that was found at the beginning."""
        found, what = self.target.read(), self.target.in_words()
        if self.rate is None:
            expected, said = self._found[0], "found"
            restored = steps_taken(self.target.optimizer) != self._found[1]
        else:
            expected, said, restored = self.rate, "set", False
        if not restored and not math.isclose(found, expected, rel_tol=1e-3, abs_tol=1e-30):
            raise ValueError(
                f"{self._name} had {said} the {what} {expected:g}, and another callback "
                f"changed it to {found:g}. One callback can lead it: put a scheme into "
                "callbacks.ReduceLROnPlateau(scheduler=…), or multiply schemes."
            )


def _sample(steps: range) -> Iterable[int]:
    """Some of the steps, the first ones and the last among them."""
    if len(steps) <= REHEARSED:
        return steps
    return sorted({*steps[:10], *steps[:: len(steps) // REHEARSED], steps[-1]})
