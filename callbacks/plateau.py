"""The schemes that need the metric: cut the rate where it no longer improves; or be greedy."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, final

from .base import scheme
from .rules import Count, CountOrZero, NotNegative, Positive, number
from .watching import BETTER, WORST, Watcher


@final
@scheme
class ReduceLROnPlateau(Watcher):
    """Multiply the rate by `factor` after more than `patience` epochs in which a metric stands.

    Over a scheme, a cut multiplies all its later rates. An epoch without the metric, as with
    `fit(validation_freq=2)`, is not counted.

    What it has seen is saved with the optimizer, in `.keras` and `.weights.h5` files: a
    `keras.callbacks.BackupAndRestore` restores it; after `load_model` there is `recall(path)`.

    Args:
        monitor: the metric, by its name in the logs.
        mode: "min" where less is better, "max" where more is, or "auto": what the model's metric
            of that name says of itself, or Keras' own of that name.
        factor: of a cut, below 1; with 0 it is one to `min_lr`.
        patience: epochs without improvement that are waited for.
        threshold: how much counts as an improvement.
        threshold_mode: "rel" takes it as a share of the best, "abs" as it is.
        cooldown: epochs after a cut in which none is counted.
        min_lr: no cut goes below it.
        eps: a cut that would change the rate by no more is left out.
        scheduler: the scheme whose rate is cut; a constant rate by default.
        min_delta: Keras' name of an absolute `threshold`, instead of it.
        verbose: 1 or True prints a line at each cut.
        learning_rate: base rate; the optimizer's by default.
        per: the unit of `scheduler`.

    Raises:
        ValueError: "auto" cannot tell which way is better; or no epoch has the metric.

    Source:
        `torch.optim.lr_scheduler.ReduceLROnPlateau`. (Keras' own fires an epoch earlier, has no
        `eps` and only an absolute threshold, `min_delta`.)

    Example:
        >>> scheme = ReduceLROnPlateau(factor=0.5, patience=0, learning_rate=1.0)
        >>> scheme.replay([3.0, 2.0, 2.0, 1.0])["learning_rate"].tolist()
        [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    factor: Annotated[float, number("from 0 to below 1", lambda v: 0 <= v < 1)] = 0.1
    patience: CountOrZero = 10
    threshold: NotNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: CountOrZero = 0
    min_lr: NotNegative = 0.0
    eps: NotNegative = 1e-8
    min_delta: NotNegative | None = None

    def reset(self) -> None:
        """Forget what was seen, and the cuts."""
        self.best: float | None = None
        self.cut, self.num_bad, self.cooling = 1.0, 0, 0

    def memory(self) -> list[float]:
        """The best value, the cut, and the counts."""
        best = math.nan if self.best is None else self.best
        return [best, self.cut, self.num_bad, self.cooling]

    def recall_memory(self, memory: Sequence[float]) -> None:
        """Go on from there."""
        best, self.cut = (float(value) for value in memory[:2])
        self.best = None if math.isnan(best) else best
        self.num_bad, self.cooling = (int(value) for value in memory[2:])

    def value(self, step: int) -> float:
        """The rate after `step` steps, with the cuts that were made so far."""
        return self.whole(step) * self.cut

    def observe(self, metric: float, rate: float) -> bool:
        """See an epoch's metric, and cut where it is time.

        Args:
            metric: its value after the epoch.
            rate: the rate in effect.

        Returns:
            Whether it was.
        """
        direction, cut = self.direction(), self.cut
        best = WORST[direction] if self.best is None else self.best
        if self._is_better(direction, metric, best):
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
        return self.cut != cut

    def _is_better(self, direction: str, metric: float, best: float) -> bool:
        if self.min_delta is not None:
            return BETTER[direction, "abs"](metric, best, self.min_delta)
        return BETTER[direction, self.threshold_mode](metric, best, self.threshold)


@final
@scheme
class GreedyLR(Watcher):
    """Divide the rate by `factor` while a metric gets better, and multiply it by it while not.

    Args:
        monitor: the metric, by its name in the logs.
        mode: "min" where less is better, "max" where more is, or "auto": what the model's metric
            of that name says of itself, or Keras' own of that name.
        factor: of a change, below 1.
        patience: epochs in a row that are better, or not, before a change.
        threshold: how much counts as better.
        threshold_mode: "rel" takes it as a share of the best, "abs" as it is.
        cooldown: epochs after a fall in which none is counted.
        warmup: epochs after a rise in which none is counted.
        min_lr: no fall goes below it.
        max_lr: no rise goes above it.
        eps: a change by no more is left out.
        window_size: the metric is the mean of its last so many values; 1 takes it as it is.
        reset_start: after so many falls in a row that end at `min_lr` all begins anew.
        scheduler: the scheme whose rate is changed; a constant rate by default.
        verbose: 1 or True prints a line at each change.
        learning_rate: base rate; the optimizer's by default.
        per: the unit of `scheduler`.

    Source:
        Transformers' `GreedyLR` (`smooth=True` is `window_size=50`); arXiv 2512.14527.

    Example:
        >>> scheme = GreedyLR(factor=0.5, patience=0, mode="min", learning_rate=0.25)
        >>> scheme.replay([3.0, 2.0, 2.0])["learning_rate"].tolist()
        [0.25, 0.5, 1.0, 0.5]
    """

    factor: Annotated[float, number("above 0 and below 1", lambda v: 0 < v < 1)] = 0.95
    patience: CountOrZero = 10
    threshold: NotNegative = 1e-6
    threshold_mode: Literal["rel", "abs"] = "abs"
    cooldown: CountOrZero = 0
    warmup: CountOrZero = 0
    min_lr: NotNegative = 1e-3
    max_lr: Positive = 1.0
    eps: NotNegative = 1e-8
    window_size: Count = 1
    reset_start: Count = 500

    def reset(self) -> None:
        """Forget what was seen, and the changes."""
        self.best: float | None = None
        self.cut, self.num_bad, self.num_good, self.waiting = 1.0, 0, 0, 0
        self.left = self.reset_start
        self.window: list[float] = []

    def memory(self) -> list[float]:
        """The best value, the factor, the counts, and the last values."""
        best = math.nan if self.best is None else self.best
        counts = [self.num_bad, self.num_good, self.waiting, self.left]
        return [best, self.cut, *counts, *self.window]

    def recall_memory(self, memory: Sequence[float]) -> None:
        """Go on from there."""
        best, self.cut = (float(value) for value in memory[:2])
        self.best = None if math.isnan(best) else best
        self.num_bad, self.num_good, self.waiting, self.left = (int(v) for v in memory[2:6])
        self.window = [float(value) for value in memory[6:]]

    def value(self, step: int) -> float:
        """The rate after `step` steps, with the changes that were made so far."""
        return self.whole(step) * self.cut

    def observe(self, metric: float, rate: float) -> bool:
        """See an epoch's metric, and change the rate where it is time.

        Args:
            metric: its value after the epoch.
            rate: the rate in effect.

        Returns:
            Whether it was.
        """
        self.window = [*self.window, metric][-self.window_size :]
        metric, cut = sum(self.window) / len(self.window), self.cut
        if self.waiting:
            self.waiting -= 1
            self.num_bad = self.num_good = 0
            return False
        direction = self.direction()
        best = WORST[direction] if self.best is None else self.best
        if BETTER[direction, self.threshold_mode](metric, best, self.threshold):
            self.best, self.num_bad, self.num_good = metric, 0, self.num_good + 1
        else:
            self.num_bad, self.num_good = self.num_bad + 1, 0
        if self.num_good > self.patience:
            risen = min(rate / self.factor, self.max_lr)
            self.cut *= risen / rate if risen - rate > self.eps else 1.0
            self.waiting, self.num_good, self.left = self.warmup, 0, self.reset_start
        elif self.num_bad > self.patience:
            self._fall(rate)
        return self.cut != cut

    def _fall(self, rate: float) -> None:
        fallen = max(rate * self.factor, self.min_lr)
        if rate - fallen > self.eps:
            self.cut *= fallen / rate
            rate = fallen
        if rate <= self.min_lr * (1 + 1e-12):  # the product with the base may be rounded
            self.left -= 1
            if self.left <= 0:
                self.reset()
        self.waiting, self.num_bad = self.cooldown, 0
