"""What schemes that watch a metric share: when they see it, and that there is one to see."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import keras
import pandas as pd

from .base import LearningRateDecay
from .composite import Composite
from .monitoring import direction_of
from .rules import Rule

BETTER = {
    ("min", "rel"): lambda metric, best, threshold: metric < best * (1 - threshold),
    ("min", "abs"): lambda metric, best, threshold: metric < best - threshold,
    ("max", "rel"): lambda metric, best, threshold: metric > best * (1 + threshold),
    ("max", "abs"): lambda metric, best, threshold: metric > best + threshold,
}
WORST = {"min": math.inf, "max": -math.inf}
Metric = Annotated[str, Rule(lambda v: isinstance(v, str), "the name of a metric in the logs")]
Lines = Annotated[int, Rule(lambda v: isinstance(v, int) and v >= 0, "0, 1, False or True")]


@dataclass(eq=False)
class Watcher(Composite, ABC):
    """A scheme whose rate follows a metric: a factor, the `cut`, of the rate of one below it.

    In a scheme of schemes it sees the metric in the epochs in which it is at work.
    """

    monitor: Metric = "val_loss"
    mode: Literal["auto", "min", "max"] = "auto"

    scheduler: LearningRateDecay | None = field(default=None, kw_only=True)
    verbose: Lines = field(default=0, kw_only=True)

    def __post_init__(self):
        self._watched: keras.Model | None = None
        self._epochs, self._observed, self._judged = 0, False, True
        if self.scheduler is None:
            self.per, self._ticks, self._same = self.per or "epoch", (), True
            LearningRateDecay.__post_init__(self)
            self._require("smooth", not self.smooth, "possible without a scheduler to be smooth")
        else:
            super().__post_init__()
        self.reset()

    @property
    def own_rate(self) -> float | None:
        """Its own, or that of the scheme below."""
        if self.learning_rate is None and self.scheduler is not None:
            return self.scheduler.own_rate
        return self.learning_rate

    @property
    def members(self) -> Sequence[LearningRateDecay]:
        """The scheme below, if any."""
        return [] if self.scheduler is None else [self.scheduler]

    @property
    def watchers(self) -> list["Watcher"]:
        """Itself, and those below."""
        return [self, *super().watchers]

    @abstractmethod
    def reset(self) -> None:
        """Forget what was seen, and the cuts."""

    @abstractmethod
    def observe(self, metric: float, rate: float) -> bool:
        """See an epoch's metric, and change the cut where it is time.

        Args:
            metric: its value after the epoch.
            rate: the rate that was in effect.

        Returns:
            Whether it has changed.
        """

    @abstractmethod
    def memory(self) -> list[float]:
        """What it has seen, as numbers that a file holds."""

    @abstractmethod
    def recall_memory(self, memory: Sequence[float]) -> None:
        """Go on from there."""

    def forget_itself(self) -> None:
        """Begin anew: no cuts, nothing seen."""
        super().forget_itself()
        self.reset()

    def direction(self) -> Literal["min", "max"]:
        """Which way the metric gets better, by `mode`, or as Keras tells it of the metric.

        Raises:
            ValueError: it cannot be told.

        Example:
            >>> import callbacks
            >>> callbacks.ReduceLROnPlateau(monitor="val_accuracy").direction()
            'max'
        """
        return direction_of(self.monitor, self._watched) if self.mode == "auto" else self.mode

    def whole(self, step: int) -> float:
        """The rate without the cuts."""
        if self.scheduler is None:
            return self.base
        return self.scheduler.value(self.reading(self.scheduler, step))

    def momentum(self, step: int) -> float | None:
        """The momentum of the scheme below."""
        if self.scheduler is None:
            return None
        return self.scheduler.momentum(self.reading(self.scheduler, step))

    def replay(self, metrics: Sequence[float], rates: Sequence[float] | None = None):
        """See recorded metrics again from the start, to go on from there after a restart.

        Args:
            metrics: one an epoch, as the history has them.
            rates: the rates that were in effect; needed where the scheme below counts steps.

        Returns:
            A table of `epoch` and `learning_rate`, one row more than metrics: the last rate is
            that of the next epoch.
        """
        if self.clock == "step" and rates is None:
            raise ValueError("rates: the scheme counts steps; give the recorded rates too.")
        self.reset()
        self.led_by = None  # the next training goes on from here, with whatever optimizer
        curve = []
        for epoch, metric in enumerate(metrics):
            curve.append(self.value(epoch) if rates is None else rates[epoch])
            self.observe(metric, curve[-1])
        curve.append(self.value(len(metrics)))
        return pd.DataFrame({"epoch": range(len(curve)), "learning_rate": curve})

    def begin_watch(self, model: keras.Model) -> None:
        """A training begins."""
        self._watched, self._epochs, self._observed, self._judged = model, 0, False, False

    def begin_judging(self) -> None:
        """See that the direction can be told, once in a training."""
        if not self._judged:
            self.direction()
            self._judged = True

    def at_work(self, time: Any) -> Iterator[tuple["Watcher", Any]]:
        """Those below, and itself."""
        yield from super().at_work(time)
        yield self, time

    def see(self, logs: dict, time: Any, epoch: int) -> None:
        """See the metric where the epoch has it."""
        self._epochs += 1
        if self.monitor in logs:
            self._observed = True
            rate = self.value(time)
            if self.observe(float(logs[self.monitor]), rate) and self.verbose:
                changed = "reducing" if self.value(time) < rate else "raising"
                name = type(self).__name__
                print(
                    f"\nEpoch {epoch + 1}: {name} {changed} learning rate to {self.value(time):g}."
                )
            return
        validated = any(name.startswith("val_") for name in logs)
        if validated or not self.monitor.startswith("val_"):
            self._miss(f"the logs have {', '.join(sorted(logs))}")

    def end_watch(self, logs: dict) -> None:
        """See that there was something to see."""
        if self._epochs and not self._observed:
            self._miss(f"the logs have {', '.join(logs)} in all {self._epochs} epochs")

    def _miss(self, found: str) -> None:
        raise ValueError(f"monitor: {type(self).__name__} needs {self.monitor!r}; {found}.")
