"""What every learning-rate decay scheme shares: it is a callback with one pure method."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

import keras
import numpy as np
import pandas as pd

from .leading import Leader
from .lookup import unknown
from .registry import get
from .rules import Led, NotNegative, Unit, rule_of, words_of
from .serialization import deserialized, registered, serialized
from .table import TableSchedule

Class = TypeVar("Class", bound=type)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def scheme(cls: Class) -> Class:
    """Class decorator: annotations become parameters, and Keras can serialize the class."""
    return registered(dataclass(eq=False)(cls))


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
        optimizer: the one to lead, where a model has several: the optimizer itself, or its name as
            an attribute of the model. The one that the model was compiled with by default. Only a
            name is saved with the scheme.

    A scheme may serve one training after another. With an optimizer that has taken steps under it,
    it goes on; with any other it begins anew.

    Raises:
        ValueError: a parameter is out of its range, at construction; training begins with an
            optimizer whose rate cannot be led; or the optimizer takes no step.

    Example:
        >>> import callbacks
        >>> scheme = callbacks.StepLR(30, gamma=0.1, learning_rate=0.1)
        >>> [round(scheme.value(epoch), 6) for epoch in (0, 29, 30, 60)]
        [0.1, 0.1, 0.01, 0.001]
    """

    learning_rate: NotNegative | None = field(default=None, kw_only=True)
    per: Unit = field(default="epoch", kw_only=True)
    optimizer: Led | None = field(default=None, kw_only=True)

    def __post_init__(self):
        keras.callbacks.Callback.__init__(self)
        self._taken: float | None = None
        self._leader: Leader | None = None
        for parameter in fields(self):
            if getattr(self, parameter.name) is not None or parameter.default is not None:
                self._check(parameter.name, parameter.type)

    def _check(self, name: str, annotation) -> None:
        value, rule, words = getattr(self, name), rule_of(annotation), words_of(annotation)
        if rule is not None:
            self._require(name, rule.fits(value), rule.text)
        if words and value not in words:
            raise unknown(name, value, words)

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
        own = self.own_rate
        if own is not None:
            return own
        return 1.0 if self._taken is None else self._taken

    @property
    def own_rate(self) -> float | None:
        """The rate that it was given to start from; None where that is the optimizer's."""
        return self.learning_rate

    def take_base(self, rate: float) -> None:
        """Start from this rate where the scheme was given none of its own."""
        self._taken = rate

    def forget(self) -> None:
        """Begin anew: drop what was taken from, and seen in, an earlier training."""
        self._taken = None

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
        table: dict = {self.per: count, "learning_rate": [self.value(step) for step in count]}
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
        values = {parameter.name: getattr(self, parameter.name) for parameter in fields(self)}
        if not isinstance(self.optimizer, str):
            values["optimizer"] = None  # it is a part of the model, not of the scheme
        return {name: serialized(value) for name, value in values.items()}

    @classmethod
    def from_config(cls, config: dict) -> "LearningRateDecay":
        """The scheme that `get_config` described."""
        parameters: dict[str, Any] = {name: deserialized(v) for name, v in config.items()}
        return cls(**parameters)

    def __mul__(self, other: "LearningRateDecay") -> "LearningRateDecay":
        """The product of two schemes' factors: `ChainedScheduler([a, b])`."""
        if not isinstance(other, LearningRateDecay):
            return NotImplemented
        rate = other.learning_rate if self.learning_rate is None else self.learning_rate
        return get("chained_scheduler", schedulers=[self, other], learning_rate=rate)

    def on_train_begin(self, logs=None):
        """Check that the optimizer can be led, and take the base rate from it."""
        self._leader = Leader(self, self.model, before=self._leader)

    @property
    def leader(self) -> Leader:
        """What leads the optimizer, once training has begun."""
        assert self._leader is not None
        return self._leader

    def on_epoch_begin(self, epoch, logs=None):
        """Set the epoch's rate where epochs are counted."""
        self.leader.begin_epoch(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        """Set the step's rate where steps are counted."""
        self.leader.begin_batch(batch)

    def on_epoch_end(self, epoch, logs=None):
        """See that the optimizer is used, and log the rate in effect as `learning_rate`."""
        self.leader.end_epoch()
        if logs is not None and self.leader.rate is not None:
            logs["learning_rate"] = self.leader.rate


@dataclass(eq=False)
class TensorFlowDecay(LearningRateDecay, ABC):
    """A scheme of TensorFlow's family: it counts steps and is given its rate."""

    # Without the default that it has above, and never None.
    learning_rate: NotNegative = field()  # pyrefly: ignore[bad-override-mutable-attribute]
    per: Unit = field(default="step", kw_only=True)
