"""A scheme's curve as a table, a picture, and a schedule for a compiled graph."""

import warnings
from abc import ABC
from collections.abc import Generator
from contextlib import contextmanager

import pandas as pd

from .curves import Curve
from .drawing import described, draw
from .serialization import is_saved
from .spans import Span, require_count
from .table import SchemeSchedule, TableSchedule

MANY = 100_000  # different rates, of which a configuration has megabytes


class Shown(Curve, ABC):
    """What can be shown of a scheme without a training."""

    @contextmanager
    def _spanning(self, length: int, unit: str, steps_per_epoch: int | None) -> Generator[None]:
        """For a while, over a length of one's own."""
        if steps_per_epoch is not None:
            require_count("steps_per_epoch", steps_per_epoch)
        before = self._span
        epoch = before.steps_per_epoch if steps_per_epoch is None else steps_per_epoch
        self.over_span(Span(length, unit, epoch))
        try:
            yield
        finally:
            self.over_span(before)

    def to_frame(self, steps: int, *, steps_per_epoch: int | None = None) -> pd.DataFrame:
        """The curve as a table. A length that the scheme was not given is `steps`.

        Args:
            steps: how many rows, from step 0.
            steps_per_epoch: batches an epoch, where steps and epochs come together.

        Raises:
            ValueError: a number is not whole, from 1 up; or steps_per_epoch is needed.

        Returns:
            Columns `step` or `epoch`, `learning_rate`, and `momentum` where the scheme drives it.
        """
        require_count("steps", steps)
        count = range(steps)
        with self._spanning(steps, self.unit, steps_per_epoch):
            table: dict = {self.unit: count, "learning_rate": [self.value(t) for t in count]}
            if self.drives_momentum:
                table["momentum"] = [self.momentum(t) for t in count]
        return pd.DataFrame(table)

    def plot(self, steps: int, ax=None, *, steps_per_epoch: int | None = None):
        """Draw the curve, with the momentum where the scheme drives it.

        Args:
            steps: how many steps or epochs.
            ax: matplotlib axes to draw on, so that several schemes share one; new ones by default.
            steps_per_epoch: batches an epoch, where steps and epochs come together.

        Returns:
            The axes.
        """
        return draw(self.to_frame(steps, steps_per_epoch=steps_per_epoch), described(self), ax)

    def rates(self, num_steps: int, steps_per_epoch: int | None = None) -> list[float]:
        """The rate of each step of a training, of steps also where the scheme counts epochs.

        Args:
            num_steps: how many.
            steps_per_epoch: batches an epoch; needed where the scheme counts epochs.

        Raises:
            ValueError: a number is not whole, from 1 up; or steps_per_epoch is needed; or a rate is
                no finite number.
        """
        require_count("num_steps", num_steps)
        if self.clock == "epoch" and steps_per_epoch is None:
            raise ValueError(
                f"steps_per_epoch: {type(self).__name__} counts epochs; how many steps make one?"
            )
        with self._spanning(num_steps, "step", steps_per_epoch):
            if self.clock == "step":
                return [self.rate_at(step) for step in range(num_steps)]
            assert steps_per_epoch is not None
            by_epoch = [self.rate_at(epoch) for epoch in range(-(-num_steps // steps_per_epoch))]
            return [by_epoch[step // steps_per_epoch] for step in range(num_steps)]

    def as_schedule(self, num_steps: int, *, steps_per_epoch: int | None = None):
        """The scheme's table as a Keras `LearningRateSchedule`, for `optimizer(learning_rate=…)`.

        It is exact at every step in every compiled graph, because it computes nothing there. What
        is saved is the scheme, from which the table is made again; of a scheme with a function that
        is not registered at Keras the table itself, with a warning where that is large.

        Args:
            num_steps: length of the table; later steps keep its last rate.
            steps_per_epoch: batches an epoch; needed where the scheme counts epochs.

        Raises:
            ValueError: `steps_per_epoch` is missing; the scheme has no rate to start from, or one
                that is no finite number; or it does what a schedule cannot: it drives the momentum,
                or watches a metric.

        Example:
            >>> import callbacks
            >>> schedule = callbacks.CosineDecay(0.1, decay_steps=2).as_schedule(3)
            >>> [round(float(schedule(step)), 3) for step in range(4)]
            [0.1, 0.05, 0.0, 0.0]
        """
        if is_saved(self):
            return SchemeSchedule(self, num_steps, steps_per_epoch)
        schedule = TableSchedule(self.table(num_steps, steps_per_epoch))
        different = len(schedule.get_config()["rates"])
        if different > MANY:
            warnings.warn(
                f"{type(self).__name__}: its function is not registered at Keras, so that a model "
                f"is saved with {different:,} rates in its configuration. With "
                "keras.saving.register_keras_serializable it is saved by name.",
                stacklevel=2,
            )
        return schedule

    def table(self, num_steps: int, steps_per_epoch: int | None = None) -> list[float]:
        """The rates of `as_schedule`; refuses what a schedule cannot do, as that does."""
        name = type(self).__name__
        if self.watchers:
            raise ValueError(f"{name} needs the metrics of each epoch: use it as a callback.")
        if self.drives_momentum:
            raise ValueError(
                f"{name} drives the momentum too, which a schedule cannot: use it as a callback, "
                "or pass cycle_momentum=False."
            )
        before = self._taken
        if self.own_rate is None:
            self.refuse_base(f"learning_rate: {name} as a schedule has none to take it from.")
        try:
            return self.rates(num_steps, steps_per_epoch)
        finally:
            if self.own_rate is None:
                self.forget() if before is None else self.take_base(before)
