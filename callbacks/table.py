"""A scheme's table inside the graph: rates are looked up there, and nothing is computed."""

from collections.abc import Sequence
from typing import final

import keras

from .serialization import registered


@final
@registered
class TableSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that looks its rate up; after the last entry the rate stays.

    Args:
        rates: the rate of each step from 0 on.

    Example:
        >>> float(TableSchedule([0.5, 0.25])(7))
        0.25
    """

    def __init__(self, rates: Sequence[float]):
        super().__init__()
        if not len(rates):
            raise ValueError("rates: the table is empty; num_steps is a whole number from 1 up.")
        self.rates = [float(rate) for rate in rates]

    def __call__(self, step):
        """The rate of a step, a scalar of any integer or float type."""
        row = keras.ops.minimum(keras.ops.cast(step, "int32"), len(self.rates) - 1)
        return keras.ops.take(keras.ops.convert_to_tensor(self.rates, "float32"), row)

    def get_config(self):
        """The table."""
        return {"rates": self.rates}
