"""What every learning-rate decay scheme shares: it is a callback with one pure method."""

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import keras
import numpy as np
import pandas as pd

from .lookup import unknown
from .rules import CHOICES, RULES

PACKAGE = "learning_rate_decay"


def scheme(cls):
    """Class decorator: annotations become parameters, and Keras can serialize the class."""
    cls = dataclass(eq=False)(cls)
    return keras.saving.register_keras_serializable(PACKAGE)(cls)


@dataclass(eq=False)
class LearningRateDecay(keras.callbacks.Callback, ABC):
    """A learning-rate decay scheme, as a callback for `fit`.

    A scheme is its `value(step)`. It keeps no counter: the step is the optimizer's own count of
    iterations (`per="step"`) or `fit`'s epoch (`per="epoch"`), so an interrupted training that is
    restored goes on in its place. With gradient accumulation every batch counts as a step.

    Args:
        learning_rate: the base rate. None takes the one that the optimizer was made with, and
            outside of training 1.0, so that the curve shows factors.
        per: what is counted, "step" (batches) or "epoch".

    Raises:
        ValueError: a parameter is out of its range, at construction; or training begins with an
            optimizer whose rate cannot be led.

    Example:
        >>> import callbacks
        >>> scheme = callbacks.StepLR(30, gamma=0.1, learning_rate=0.1)
        >>> [round(scheme.value(epoch), 6) for epoch in (0, 29, 30, 60)]
        [0.1, 0.1, 0.01, 0.001]
    """

    learning_rate: float | None = field(default=None, kw_only=True)
    per: str = field(default="epoch", kw_only=True)

    def __post_init__(self):
        keras.callbacks.Callback.__init__(self)
        self._taken = None
        self._last = None
        self._first = 0
        for parameter in fields(self):
            self._check(parameter.name, optional=parameter.default is None)

    def _check(self, name: str, optional: bool) -> None:
        value = getattr(self, name)
        if value is None and optional:
            return
        if name in RULES:
            fits, text = RULES[name]
            self._require(name, fits(value), text)
        elif name in CHOICES and value not in CHOICES[name]:
            raise unknown(name, value, CHOICES[name])

    def _require(self, name: str, fits: bool, text: str) -> None:
        """Refuse the parameter of this name unless it fits."""
        if not fits:
            raise ValueError(
                f"{type(self).__name__}: {name} = {getattr(self, name)!r} is not {text}."
            )

    @abstractmethod
    def value(self, step: int) -> float:
        """The learning rate after `step` steps or epochs, in float64."""

    @property
    def base(self) -> float:
        """The rate that the scheme starts from."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 1.0 if self._taken is None else self._taken

    def take_base(self, rate: float) -> None:
        """Start from this rate where the scheme was given none of its own."""
        self._taken = rate

    @property
    def drives_momentum(self) -> bool:
        """Whether the scheme changes the momentum (or beta_1) too."""
        return False

    def momentum(self, step: int) -> float | None:
        """The momentum that goes with the rate, where the scheme drives it."""
        return None

    def to_frame(self, steps: int) -> pd.DataFrame:
        """The curve as a table.

        Args:
            steps: how many rows, from step 0.

        Returns:
            Columns `step` or `epoch`, `learning_rate`, and `momentum` where the scheme drives it.
        """
        count = range(steps)
        table = {self.per: count, "learning_rate": [self.value(step) for step in count]}
        if self.drives_momentum:
            table["momentum"] = [self.momentum(step) for step in count]
        return pd.DataFrame(table)

    def plot(self, steps: int, ax=None):
        """Draw the curve.

        Args:
            steps: how many steps or epochs.
            ax: matplotlib axes to draw on, so that several schemes share one; new ones by default.

        Returns:
            The axes.
        """
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.figure(figsize=(6, 3), layout="constrained").gca()
        table = self.to_frame(steps)
        ax.plot(table[self.per], table["learning_rate"], label=type(self).__name__)
        ax.set(xlabel=self.per, ylabel="learning rate")
        ax.legend()
        return ax

    def as_schedule(self, num_steps: int, *, steps_per_epoch: int | None = None):
        """The scheme's table as a Keras `LearningRateSchedule`, for `optimizer(learning_rate=…)`.

        It is exact at every step in every compiled graph, because it computes nothing there.

        Args:
            num_steps: length of the table; later steps keep its last rate.
            steps_per_epoch: batches an epoch; needed where the scheme counts epochs.

        Raises:
            ValueError: the scheme counts epochs and `steps_per_epoch` is missing.

        Example:
            >>> import callbacks
            >>> schedule = callbacks.CosineDecay(0.1, decay_steps=2).as_schedule(3)
            >>> [round(float(schedule(step)), 3) for step in range(4)]
            [0.1, 0.05, 0.0, 0.0]
        """
        if self.per == "step":
            return TableSchedule([self.value(step) for step in range(num_steps)])
        if steps_per_epoch is None:
            raise ValueError(
                f"steps_per_epoch: {type(self).__name__} counts epochs; how many steps make one?"
            )
        epochs = -(-num_steps // steps_per_epoch)
        rates = [self.value(epoch) for epoch in range(epochs)]
        return TableSchedule(np.repeat(rates, steps_per_epoch)[:num_steps].tolist())

    def get_config(self) -> dict:
        """The parameters by name, nested schemes and registered functions serialized."""
        names = (parameter.name for parameter in fields(self))
        return {name: _serialized(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config: dict) -> "LearningRateDecay":
        """The scheme that `get_config` described."""
        return cls(**{name: _deserialized(value) for name, value in config.items()})

    def __mul__(self, other: "LearningRateDecay"):
        """The product of two schemes' factors: `ChainedScheduler([a, b])`."""
        from .compose import ChainedScheduler

        if not isinstance(other, LearningRateDecay):
            return NotImplemented
        rate = other.learning_rate if self.learning_rate is None else self.learning_rate
        return ChainedScheduler([self, other], learning_rate=rate)

    # --- in training ---

    def on_train_begin(self, logs=None):
        """Check that the optimizer's rate can be led, and take the base rate from it."""
        optimizer = self.model.optimizer
        self._last = None
        if self.per == "step" and (self.model.steps_per_execution or 1) > 1:
            raise ValueError(
                f"{type(self).__name__}: with steps_per_execution = "
                f"{self.model.steps_per_execution} no callback reaches each step. Use "
                'optimizer(learning_rate=scheme.as_schedule(num_steps)), or per="epoch".'
            )
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        try:
            optimizer.learning_rate = rate
        except TypeError:
            raise ValueError(
                f"{type(self).__name__}: the optimizer was made with a LearningRateSchedule, so "
                "no callback can set its rate. Make it with a number, or drop this callback."
            ) from None
        if self.learning_rate is None and self._taken is None:
            if _steps_taken(optimizer) > 0:
                raise ValueError(
                    f"{type(self).__name__}: the optimizer has taken {_steps_taken(optimizer)} "
                    "steps, so its rate may not be the one to start from; give learning_rate."
                )
            self.take_base(rate)
        if self.drives_momentum:
            _momentum_variable(optimizer, type(self).__name__)

    def on_epoch_begin(self, epoch, logs=None):
        """Read the optimizer's count; set the epoch's rate where epochs are counted."""
        if self._last is not None:
            found = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            if not math.isclose(found, self._last, rel_tol=1e-3, abs_tol=1e-30):
                raise ValueError(
                    f"{type(self).__name__} had set the learning rate {self._last:g}, and another "
                    f"callback changed it to {found:g}. One callback can lead the rate: put a "
                    "scheme into callbacks.ReduceLROnPlateau(scheduler=…), or multiply schemes."
                )
        self._first = _steps_taken(self.model.optimizer)
        if self.per == "epoch":
            self._apply(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        """Set the step's rate where steps are counted."""
        if self.per == "step":
            self._apply(self._first + batch)

    def on_epoch_end(self, epoch, logs=None):
        """Put the rate in effect into the logs, as `learning_rate`."""
        if logs is not None and self._last is not None:
            logs["learning_rate"] = self._last

    def _apply(self, step: int) -> None:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()  # during an epoch the trainer holds the state elsewhere
        self._last = float(self.value(step))
        self.model.optimizer.learning_rate = self._last
        momentum = self.momentum(step)
        if momentum is not None:
            _momentum_variable(self.model.optimizer, type(self).__name__).assign(momentum)


@dataclass(eq=False)
class TensorFlowDecay(LearningRateDecay, ABC):
    """A scheme of TensorFlow's family: it counts steps and is given its rate."""

    learning_rate: float = field()  # without the default that it has above
    per: str = field(default="step", kw_only=True)


@keras.saving.register_keras_serializable(PACKAGE)
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


def _steps_taken(optimizer) -> int:
    """The optimizer's count of batches, which `iterations` divides where gradients accumulate."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    counts = [v for v in inner.variables if v.name == "iteration"]
    return int(keras.ops.convert_to_numpy(counts[0] if counts else inner.iterations))


def _momentum_variable(optimizer, scheme_name: str):
    """The variable that holds an optimizer's momentum or beta_1."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    for name in ("momentum_variable", "beta_1"):
        value = getattr(optimizer, name, None)
        if isinstance(value, keras.Variable):
            return value
    raise ValueError(
        f"{scheme_name} drives the momentum, but {type(optimizer).__name__} holds it as a constant "
        "that a compiled step never reads again. Train with callbacks.CyclicMomentumSGD or "
        "callbacks.CyclicMomentumAdam, or pass cycle_momentum=False."
    )


def _serialized(value):
    if isinstance(value, list | tuple):
        return [_serialized(item) for item in value]
    plain = value is None or isinstance(value, str | numbers.Number | dict)
    return value if plain else keras.saving.serialize_keras_object(value)


def _deserialized(value):
    if isinstance(value, list):
        return [_deserialized(item) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value
