"""What schemes of schemes share: one clock, one length, one base rate, and what they watch."""

from abc import ABC
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import LearningRateDecay
from .memory import memory_in
from .rules import Unit
from .spans import Span, filled, is_share

if TYPE_CHECKING:
    from .watching import Watcher


@dataclass(eq=False)
class Composite(LearningRateDecay, ABC):
    """What schemes of schemes share: one base rate, one clock, momentum where a member has one.

    Members may count different things. The whole is then led by steps, and so are its own numbers,
    of which an epoch makes `steps_per_epoch`.
    """

    # Of the epoch in training: the last batch, and what was measured.
    _last, _logs, _recalled = -1, {}, False
    # None until it is made: then the unit is the first member's.
    per: Unit | None = field(default=None, kw_only=True)  # pyrefly: ignore[bad-override]

    @property
    def members(self) -> Sequence[LearningRateDecay]:
        """The schemes it is made of."""
        return self.schedulers

    @property
    def marks(self) -> Sequence[float]:
        """Its own numbers of steps or epochs, ascending."""
        return ()

    def parts(self, total: float | None) -> Sequence[float | None]:
        """How long each member works in a whole of this length, as far as that is known."""
        return [total] * len(self.members)

    def working(self, step: int) -> Iterable[tuple[LearningRateDecay, int]]:
        """The members at work at a step, each with the step of its own."""
        return [(member, step) for member in self.members]

    def __post_init__(self):
        given = all(isinstance(member, LearningRateDecay) for member in self.members)
        name = "scheduler" if hasattr(self, "scheduler") else "schedulers"
        self._require(name, given and len(self.members) > 0, "a scheme of callbacks, or several")
        self.per = self.per or self.members[0].per
        self._ticks: Sequence[int] = ()
        self._same = True  # whether each member is given the step as it is
        super().__post_init__()
        for member in self.members:
            if self.optimizer is None:
                self.optimizer = member.optimizer
            if member.optimizer not in (None, self.optimizer):
                raise ValueError(
                    f"optimizer: {type(self).__name__} leads one, and its members name several."
                )
        self.over_span(Span(unit=self.unit))
        if self.own_rate is not None:
            self.take_base(self.own_rate)

    @property
    def clock(self) -> str:
        """Steps where anything in it counts them, or changes within an epoch."""
        stepwise = any(member.clock == "step" for member in self.members)
        return "step" if self.smooth or self.per == "step" or stepwise else "epoch"

    @property
    def unit(self) -> str:
        """What `value` counts: the clock's."""
        return self.clock

    def time(self, step: int) -> float:
        """As it is."""
        return step

    @property
    def takes_from_fit(self) -> bool:
        """Whether something of the curve depends on the length of a training."""
        inside = any(member.takes_from_fit for member in self.members)
        return self._mixed or inside or any(map(is_share, self.marks))

    @property
    def _mixed(self) -> bool:
        """Whether steps and epochs come together."""
        return self.clock != self.per or any(m.clock != self.clock for m in self.members)

    def over_span(self, span: Span) -> None:
        """Take a length, and give the members theirs."""
        self._span, epoch = span, span.steps_per_epoch
        total = span.count(self.clock)
        self._same = all(m.clock == self.clock == m.unit for m in self.members)
        shares = any(map(is_share, self.marks))
        self.missing = []
        if shares and total is None:
            self.missing.append("the length of the training")
        if self._mixed and epoch is None:
            self.missing.append("the number of steps_per_epoch")
        if not self.missing:
            factor = (epoch or 1) if self.clock != self.per else 1
            self._ticks = [
                filled(mark, total or 0) if is_share(mark) else round(mark * factor)
                for mark in self.marks
            ]
            ascending = [0, *self._ticks] == sorted({0, *self._ticks})
            self._require_marks(ascending)
        lengths = [None] * len(self.members) if self.missing else self.parts(total)
        for member, length in zip(self.members, lengths, strict=True):
            member.over_span(Span(length, self.clock, epoch))
            self.missing += [text for text in member.missing if text not in self.missing]

    def _require_marks(self, ascending: bool) -> None:
        """Refuse marks that do not follow each other."""

    def reading(self, member: LearningRateDecay, step: int) -> Any:
        """What a member's `value` is given at its step of this clock."""
        if self._same:
            return step
        if self.clock == "step" and member.clock == "epoch":
            epoch = self._span.steps_per_epoch
            assert epoch is not None
            return step / epoch if self.smooth else step // epoch
        return member.time(step)

    def take_base(self, rate: float) -> None:
        """Start from this rate, as do the members that have none of their own."""
        super().take_base(rate)
        for member in self.members:
            if member.learning_rate is None:
                member.take_base(rate)

    def refuse_base(self, reason: str) -> None:
        """Refuse where a member asks for the rate that it was not given."""
        super().refuse_base(reason)
        for member in self.members:
            if member.learning_rate is None:
                member.refuse_base(reason)

    def forget(self) -> None:
        """Begin anew, as do the members."""
        super().forget()
        for member in self.members:
            member.forget()
        if self.own_rate is not None:
            self.take_base(self.own_rate)

    @property
    def drives_momentum(self) -> bool:
        """Whether a member does."""
        return any(member.drives_momentum for member in self.members)

    @property
    def watchers(self) -> list["Watcher"]:
        """Those among the members."""
        return [watcher for member in self.members for watcher in member.watchers]

    def at_work(self, time: Any) -> Iterator[tuple["Watcher", Any]]:
        """Those of the members that are at work."""
        for member, step in self.working(time):
            yield from member.at_work(self.reading(member, step))

    def on_epoch_begin(self, epoch, logs=None):
        """As ever; nothing is measured yet."""
        super().on_epoch_begin(epoch, logs)
        self._last, self._logs = -1, {}

    def on_train_batch_end(self, batch, logs=None):
        """See after the first batch, when the metrics are made, that each can be judged."""
        if self._last < 0:
            for watcher in self.watchers:
                watcher.begin_judging()
        self._last, self._logs = batch, logs or {}

    def on_test_end(self, logs=None):
        """Note what the validation gave."""
        self._logs = {**self._logs, **{f"val_{name}": v for name, v in (logs or {}).items()}}

    def on_epoch_end(self, epoch, logs=None):
        """As ever; everything measured has been seen."""
        super().on_epoch_end(epoch, logs)
        self._logs = {}

    def unseen(self) -> dict[int, tuple[int, float, float]]:
        """What an epoch has measured that is over, before the watchers have seen it.

        A callback that stands before this one saves then.

        Returns:
            Watchers, by their place, and for each the epoch, its metric and its rate.
        """
        steps = (self.params or {}).get("steps")
        if not self._logs or self._last + 1 != (steps or self._last + 1):
            return {}
        places = {id(watcher): place for place, watcher in enumerate(self.watchers)}
        return {
            places[id(watcher)]: (
                self.leader.epoch,
                float(self._logs[watcher.monitor]),
                watcher.value(time),
            )
            for watcher, time in self.at_work(self.leader.step)
            if watcher.monitor in self._logs
        }

    def remember(self, epoch: int) -> None:
        """Take up what was restored from a file, as a training begins with this epoch."""
        for place, watcher in enumerate(self.watchers):
            if self.restored is not None and str(place) in self.restored:
                watched, metric, rate, *known = self.restored[str(place)].tolist()
                watcher.recall_memory(known)
                if watched >= 0 and (watched < epoch or self._recalled):
                    watcher.observe(metric, rate)
        self.restored, self._recalled = None, False

    def recall(self, path: str | Path) -> None:
        """Go on with what a plateau had seen when a model was saved while it led.

        A `BackupAndRestore` does so by itself. After `keras.models.load_model` the file that was
        loaded is named here.

        Args:
            path: of a `.keras` or `.weights.h5` file, with the optimizer.

        Raises:
            ValueError: the file has no memory of a plateau.
        """
        self.restored, self._recalled = memory_in(path, "learning_rate"), True
