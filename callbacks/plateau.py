"""The one scheme that needs the metric: cut the rate where it no longer improves."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, final

import pandas as pd

from .base import LearningRateDecay, scheme
from .compose import Composite
from .monitoring import direction_of
from .rules import CountOrZero, NotNegative, number

BETTER = {
    ("min", "rel"): lambda metric, best, threshold: metric < best * (1 - threshold),
    ("min", "abs"): lambda metric, best, threshold: metric < best - threshold,
    ("max", "rel"): lambda metric, best, threshold: metric > best * (1 + threshold),
    ("max", "abs"): lambda metric, best, threshold: metric > best + threshold,
}
WORST = {"min": math.inf, "max": -math.inf}


@final
@scheme
class ReduceLROnPlateau(Composite):
    """Multiply the rate by `factor` after more than `patience` epochs in which a metric stands.

    Over a scheme, a cut multiplies all its later rates. An epoch without the metric, as with
    `fit(validation_freq=2)`, is not counted.

    Args:
        monitor: the metric, by its name in the logs.
        mode: "min" where less is better, "max" where more is, or "auto": what the model's metric
            of that name says of itself, or Keras' own of that name.
        factor: of a cut, below 1.
        patience: epochs without improvement that are waited for.
        threshold: how much counts as an improvement.
        threshold_mode: "rel" takes it as a share of the best, "abs" as it is.
        cooldown: epochs after a cut in which none is counted.
        min_lr: no cut goes below it.
        eps: a cut that would change the rate by no more is left out.
        scheduler: the scheme whose rate is cut; a constant rate by default.
        learning_rate: base rate; the optimizer's by default.
        per: the unit of `scheduler`.

    Raises:
        ValueError: "auto" cannot tell which way is better; or no epoch has the metric.

    Source:
        `torch.optim.lr_scheduler.ReduceLROnPlateau`. (Keras' own fires an epoch earlier, has no
        `eps` and only an absolute threshold.)

    Example:
        >>> scheme = ReduceLROnPlateau(factor=0.5, patience=0, learning_rate=1.0)
        >>> scheme.replay([3.0, 2.0, 2.0, 1.0])["learning_rate"].tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    monitor: str = "val_loss"
    mode: Literal["auto", "min", "max"] = "auto"
    factor: Annotated[float, number("above 0 and below 1", lambda v: 0 < v < 1)] = 0.1
    patience: CountOrZero = 10
    threshold: NotNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: CountOrZero = 0
    min_lr: NotNegative = 0.0
    eps: NotNegative = 1e-8
    scheduler: LearningRateDecay | None = None

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

    def __post_init__(self):
        if self.scheduler is None:
            self.per = self.per or "epoch"
            LearningRateDecay.__post_init__(self)
        else:
            super().__post_init__()
        self.reset()

    def reset(self) -> None:
        """Forget what was seen, and the cuts."""
        self.best: float | None = None
        self.cut, self.num_bad, self.cooling = 1.0, 0, 0

    def forget(self) -> None:
        """Begin anew: no cuts, nothing seen."""
        super().forget()
        self.reset()

    def direction(self) -> Literal["min", "max"]:
        """Which way the metric gets better.

        Raises:
            ValueError: it is to be found out, and cannot be told.

        Example:
            >>> ReduceLROnPlateau(monitor="val_accuracy").direction()
            'max'
        """
        if self.mode != "auto":
            return self.mode
        return direction_of(self.monitor, None if self._leader is None else self.model)

    def value(self, step: int) -> float:
        """The rate after `step` steps, with the cuts that were made so far."""
        whole = self.base if self.scheduler is None else self.scheduler.value(step)
        return whole * self.cut

    def momentum(self, step: int) -> float | None:
        """The momentum of the scheme below."""
        return None if self.scheduler is None else self.scheduler.momentum(step)

    def observe(self, metric: float, rate: float) -> None:
        """See an epoch's metric, and cut where it is time.

        Args:
            metric: its value after the epoch.
            rate: the rate in effect.
        """
        direction = self.direction()
        best = WORST[direction] if self.best is None else self.best
        if BETTER[direction, self.threshold_mode](metric, best, self.threshold):
            self.best, self.num_bad = metric, 0
        else:
            self.num_bad += 1
        if self.cooling > 0:
            self.cooling -= 1
            self.num_bad = 0
        if self.num_bad > self.patience:
            reduced = max(rate * self.factor, self.min_lr)
            if rate - reduced > self.eps:
                self.cut *= reduced / rate
            self.cooling, self.num_bad = self.cooldown, 0

    def replay(self, metrics: Sequence[float], rates: Sequence[float] | None = None):
        """See recorded metrics again from the start, to go on from there after a restart.

        Args:
            metrics: one an epoch, as the history has them.
            rates: the rates that were in effect; needed where the scheme below counts steps.

        Returns:
            A table of `epoch` and `learning_rate`, one row more than metrics: the last rate is
            that of the next epoch.
        """
        if self.per == "step" and rates is None:
            raise ValueError("rates: the scheme counts steps; give the recorded rates too.")
        self.reset()
        self._leader = None  # the next training goes on from here, with whatever optimizer
        curve = []
        for epoch, metric in enumerate(metrics):
            curve.append(self.value(epoch) if rates is None else rates[epoch])
            self.observe(metric, curve[-1])
        curve.append(self.value(len(metrics)))
        return pd.DataFrame({"epoch": range(len(curve)), "learning_rate": curve})

    def on_train_begin(self, logs=None):
        """Begin to lead."""
        super().on_train_begin(logs)
        self._epochs, self._observed, self._told = 0, False, False

    def on_train_batch_end(self, batch, logs=None):
        """See after the first batch, when the metrics are made, that the direction can be told."""
        if not self._told:
            self.direction()
            self._told = True

    def on_epoch_end(self, epoch, logs: Any = None):
        """Log the rate in effect, then see the metric where the epoch has it."""
        super().on_epoch_end(epoch, logs)
        logs = logs or {}
        self._epochs += 1
        if self.monitor in logs:
            assert self.leader.rate is not None  # an epoch has begun
            self.observe(float(logs[self.monitor]), self.leader.rate)
            self._observed = True
            return
        validated = any(name.startswith("val_") for name in logs)
        if validated or not self.monitor.startswith("val_"):
            self._miss(f"the logs have {', '.join(sorted(logs))}")

    def on_train_end(self, logs=None):
        """See that there was something to see."""
        if self._epochs and not self._observed:
            self._miss(f"the logs have {', '.join(logs or {})} in all {self._epochs} epochs")

    def _miss(self, found: str) -> None:
        raise ValueError(f"monitor: ReduceLROnPlateau needs {self.monitor!r}; {found}.")
