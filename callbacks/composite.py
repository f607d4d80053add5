"""What schemes of schemes share: one clock, one length, one base rate, and what they watch."""

import math
from abc import ABC
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .base import LearningRateDecay
from .memory import memories_in
from .rules import Unit
from .spans import Span, filled, is_share

if TYPE_CHECKING:
    from .watching import Watcher


ROUNDING = 1e-9  # 1.1 epochs of 10 steps are 11 steps


@dataclass(eq=False)
class Composite(LearningRateDecay, ABC):
    """What schemes of schemes share: one base rate, one clock, momentum where a member has one.

    Members may count different things. The whole is then led by steps, and so are its own numbers,
    of which an epoch makes `steps_per_epoch`.
    """

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
        name = "scheduler" if hasattr(self, "scheduler") else "schedulers"
        kind = LearningRateDecay if name == "scheduler" else list | tuple
        given = isinstance(getattr(self, name), kind)
        given = given and all(isinstance(one, LearningRateDecay) for one in self.members)
        self._require(name, given and len(self.members) > 0, "a scheme of callbacks, or several")
        self.per = self.per or self.members[0].per
        self._ticks: Sequence[int] = ()
        self._same = True  # whether each member is given the step as it is
        super().__post_init__()
        self._check_repeated()
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

    def _check_repeated(self) -> None:
        """Refuse one object at two places that would each give it something else."""
        parts = self.within[1:]
        of_its_own = any(one.members and one.learning_rate is not None for one in parts)
        for one in parts:
            differs = one.takes_from_fit or one.watchers or (of_its_own and one.own_rate is None)
            if differs and sum(other is one for other in parts) > 1:
                raise ValueError(
                    f"{type(self).__name__}: one {type(one).__name__} stands in it twice, and "
                    "takes its length, base or memory from its place. Make one for each."
                )

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
        return self._mixed or inside or bool(self._open) or any(map(is_share, self.marks))

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
        self.missing = self._fill(span.count(self.per or self.clock))
        if shares and total is None:
            self.missing.append("the length of the training")
        if self._mixed and epoch is None:
            self.missing.append("the number of steps_per_epoch")
        if not self.missing:
            factor = (epoch or 1) if self.clock != self.per else 1
            self._ticks = [
                filled(mark, total or 0) if is_share(mark) else math.ceil(mark * factor - ROUNDING)
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

    def forget_itself(self) -> None:
        """Begin anew; members go on with its own rate, where it has one."""
        super().forget_itself()
        if self.own_rate is not None:
            self.take_base(self.own_rate)

    @property
    def drives_momentum(self) -> bool:
        """Whether a member does."""
        return any(member.drives_momentum for member in self.members)

    @property
    def ends(self) -> float | None:
        """The step after which each member then at work stays."""
        if self.takes_from_fit:
            return None
        far: Any = 2**62
        ends = [(far - place, member.ends) for member, place in self.working(far)]
        known = [begin + end for begin, end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    def with_rate(self, rate: float) -> Self:
        """The same scheme from another rate, which is that of the scheme in it if that has one."""
        inside = getattr(self, "scheduler", None)
        if inside is None or inside.own_rate is None:
            return super().with_rate(rate)
        return replace(self, **self._open, scheduler=inside.with_rate(rate))

    @property
    def within(self) -> list[Any]:
        """Itself, its members, and what they are made of."""
        return [self, *(one for member in self.members for one in member.within)]

    @property
    def watchers(self) -> list["Watcher"]:
        """Those among the members."""
        return [watcher for member in self.members for watcher in member.watchers]

    def at_work(self, time: Any) -> Iterator[tuple["Watcher", Any]]:
        """Those of the members that are at work."""
        for member, step in self.working(time):
            yield from member.at_work(self.reading(member, step))

    def remember(self, epoch: int, led: str) -> None:
        """Take up what was restored from a file, or recalled, as a training begins."""
        if self.restored is not None:
            self._take_up(self.watchers, self.restored, epoch)
        for one in self.within:
            if one.recalled is not None:
                found = one.recalled.get(led, [])
                if len(found) != 1:
                    raise ValueError(
                        f"path: the file holds {len(found)} memories of a plateau that led {led!r}."
                    )
                # Saved of the whole, or of the part that recalls it alone.
                part = one if len(found[0]) == len(one.watchers) else self
                self._take_up(part.watchers, found[0])
        for one in self.within:
            one.restored = one.recalled = None

    def _take_up(self, watchers: Sequence["Watcher"], memory: dict, epoch: float = math.inf):
        """Let watchers go on; see what was measured in an epoch that is over now."""
        for place, watcher in enumerate(watchers):
            if str(place) in memory:
                watched, metric, rate, *known = memory[str(place)].tolist()
                watcher.recall_memory(known)
                if 0 <= watched < epoch:
                    watcher.observe(metric, rate)

    def recall(self, path: str | Path) -> None:
        """Go on with what a plateau had seen when a model was saved while it led.

        A `BackupAndRestore` does so by itself. After `keras.models.load_model` the file that was
        loaded is named here, to the plateau or to the scheme that it is in.

        Args:
            path: of a `.keras` or `.weights.h5` file, with the optimizer.

        Raises:
            ValueError: the file has no memory of a plateau; or, when training begins, none of one
                that led the same number.
        """
        self.recalled = memories_in(path)
