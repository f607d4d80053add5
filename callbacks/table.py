"""A scheme's table inside the graph: rates are looked up there, and nothing is computed."""

from collections.abc import Sequence
from typing import Any, final

import keras
import numpy as np

from .serialization import deserialized, registered, serialized


class _Table(keras.optimizers.schedules.LearningRateSchedule):
    """Looks the rate of a step up."""

    def __init__(self, rates: Any):
        super().__init__()
        if not len(rates):
            raise ValueError("rates: the table is empty; num_steps is a whole number from 1 up.")
        self.rates = np.asarray(rates, "float64")
        self._table = self.rates.astype("float32")

    def __call__(self, step):
        """The rate of a step, a scalar of any integer or float type."""
        row = keras.ops.minimum(keras.ops.cast(step, "int32"), len(self._table) - 1)
        return keras.ops.take(keras.ops.convert_to_tensor(self._table), row)


@final
@registered
class TableSchedule(_Table):
    """A schedule that looks its rate up; after the last entry the rate stays.

    Args:
        rates: the rate of each step from 0 on.
        counts: for how many steps each holds; for one by default.

    Example:
        >>> schedule = TableSchedule([0.5, 0.25], counts=[3, 1])
        >>> [float(schedule(step)) for step in (0, 2, 3, 9)]
        [0.5, 0.5, 0.25, 0.25]
    """

    def __init__(self, rates: Sequence[float], counts: Sequence[int] | None = None):
        super().__init__(rates if counts is None else np.repeat(rates, counts))

    def get_config(self):
        """The table, in which rates that stay stand once."""
        begins = np.flatnonzero(np.diff(self.rates, prepend=np.nan))
        if len(begins) == len(self.rates):
            return {"rates": self.rates.tolist()}
        counts = np.diff(begins, append=len(self.rates))
        return {"rates": self.rates[begins].tolist(), "counts": counts.tolist()}


@final
@registered
class SchemeSchedule(_Table):
    """The table of a scheme, saved as the scheme: of a million steps a few lines are kept.

    Args:
        scheme: of `callbacks`, without a momentum or a plateau.
        num_steps: length of the table.
        steps_per_epoch: batches an epoch, where the scheme counts epochs.

    Raises:
        ValueError: as `scheme.as_schedule`, which is short for it.

    Example:
        >>> import callbacks
        >>> schedule = SchemeSchedule(callbacks.StepLR(1, learning_rate=0.5), 4, 2)
        >>> [round(float(schedule(step)), 3) for step in range(4)]
        [0.5, 0.5, 0.05, 0.05]
    """

    def __init__(self, scheme, num_steps: int, steps_per_epoch: int | None = None):
        super().__init__(scheme.table(num_steps, steps_per_epoch))
        self.scheme, self.num_steps, self.steps_per_epoch = scheme, num_steps, steps_per_epoch

    def get_config(self):
        """The scheme, and the length of its table."""
        return {
            "scheme": serialized(self.scheme),
            "num_steps": self.num_steps,
            "steps_per_epoch": self.steps_per_epoch,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        """The schedule that `get_config` described."""
        return cls(deserialized(config["scheme"]), config["num_steps"], config["steps_per_epoch"])
