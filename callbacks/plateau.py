"""The one scheme that needs the metric: cut the rate where it no longer improves."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, final

import pandas as pd

from .base import LearningRateDecay, scheme
from .compose import Composite
from .rules import CountOrZero, NotNegative, number

BETTER = {
    ("min", "rel"): lambda metric, best, threshold: metric < best * (1 - threshold),
    ("min", "abs"): lambda metric, best, threshold: metric < best - threshold,
    ("max", "rel"): lambda metric, best, threshold: metric > best * (1 + threshold),
    ("max", "abs"): lambda metric, best, threshold: metric > best + threshold,
}


@final
@scheme
class ReduceLROnPlateau(Composite):
    """Multiply the rate by `factor` after more than `patience` epochs in which a metric stands.

    Over a scheme, a cut multiplies all its later rates.

    Args:
        monitor: the metric, by its name in the logs.
        mode: "min" where less is better, or "max".
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

    Source:
        `torch.optim.lr_scheduler.ReduceLROnPlateau`. (Keras' own fires an epoch earlier, has no
        `eps` and only an absolute threshold.)

    Example:
        >>> scheme = ReduceLROnPlateau(factor=0.5, patience=0, learning_rate=1.0)
        >>> scheme.replay([3.0, 2.0, 2.0, 1.0])["learning_rate"].tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    monitor: str = "val_loss"
    mode: Literal["min", "max"] = "min"
    factor: Annotated[float, number("above 0 and below 1", lambda v: 0 < v < 1)] = 0.1
    patience: CountOrZero = 10
    threshold: NotNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: CountOrZero = 0
    min_lr: NotNegative = 0.0
    eps: NotNegative = 1e-8
    scheduler: LearningRateDecay | None = None

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
        self.best = math.inf if self.mode == "min" else -math.inf
        self.cut, self.num_bad, self.cooling = 1.0, 0, 0

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
        if BETTER[self.mode, self.threshold_mode](metric, self.best, self.threshold):
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
        curve = []
        for epoch, metric in enumerate(metrics):
            curve.append(self.value(epoch) if rates is None else rates[epoch])
            self.observe(metric, curve[-1])
        curve.append(self.value(len(metrics)))
        return pd.DataFrame({"epoch": range(len(curve)), "learning_rate": curve})

    def on_epoch_end(self, epoch, logs: Any = None):
        """Log the rate in effect, then see the metric."""
        super().on_epoch_end(epoch, logs)
        if self.monitor not in (logs or {}):
            raise ValueError(
                f"monitor: ReduceLROnPlateau needs {self.monitor!r}, the logs have "
                f"{', '.join(sorted(logs or {}))}."
            )
        assert self._leader.rate is not None  # an epoch has begun
        self.observe(float(logs[self.monitor]), self._leader.rate)
