"""What every learning-rate decay scheme shares: it is a callback with one pure method."""

from abc import ABC
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar, dataclass_transform

import keras

from .hooks import Led as LedBy
from .lookup import unknown
from .optimizers import Rate, Target
from .registry import get
from .rules import Led, NotNegative, Unit, rule_of, words_of
from .serialization import deserialized, plain, registered, serialized
from .showing import Shown
from .spans import NOTE, UNLESS, Span, is_open

if TYPE_CHECKING:
    pass

Class = TypeVar("Class", bound=type)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def scheme(cls: Class) -> Class:
    """Class decorator: annotations become parameters, and Keras can serialize the class."""
    for name in ("value", "momentum"):
        setattr(cls, name, _with_its_length(getattr(cls, name)))
    return registered(dataclass(eq=False)(cls))


def _with_its_length(method):
    """A scheme's method that says so where the training's length is not known yet."""

    @wraps(method)
    def checked(self, step):
        if self.missing:
            raise ValueError(
                f"{type(self).__name__}: {' and '.join(self.missing)} is known in fit only; "
                "elsewhere scheme.over(total, steps_per_epoch=…) gives it."
            )
        return method(self, step)

    return checked


@dataclass(eq=False)
class LearningRateDecay(Shown, LedBy, ABC):
    """A learning-rate decay scheme, as a callback for `fit`.

    A scheme is its `value(step)`. It keeps no counter: the step is the optimizer's own count of
    iterations (`per="step"`) or `fit`'s epoch (`per="epoch"`), so an interrupted training that is
    restored goes on in its place. With gradient accumulation every batch counts as a step.

    A length that it is not given is that of the training: `fit` says how many epochs and steps.

    Args:
        learning_rate: the base rate. None takes the one that the optimizer was made with, and
            outside of training 1.0, so that the curve shows factors.
        per: what is counted, "step" (batches) or "epoch".
        smooth: whether a scheme that counts epochs changes from step to step, by fractions of
            an epoch.
        count_from: where the step 0 of a scheme that counts steps is: "optimizer", its first step
            ever, or "fit", the beginning of the epoch 0 of this call. By default "fit" where the
            scheme takes its length or the epochs from it, and "optimizer" where it does not.
            Schemes that count epochs follow `fit`, with its `initial_epoch`.
        optimizer: the one to lead, where a model has several: the optimizer itself, or its name as
            an attribute of the model or in its `keras.optimizers.MultiOptimizer`. The one that the
            model was compiled with by default; of a `MultiOptimizer` all, which keep the
            proportions of their rates, and the scheme is that of its default. Only a name is saved
            with the scheme.

    A scheme may serve one training after another. With an optimizer that has taken steps under it,
    it goes on; with any other it begins anew. Numbers and arrays of NumPy are taken as parameters.

    Raises:
        ValueError: a parameter is out of its range, at construction; training begins with an
            optimizer whose rate cannot be led; something of the curve over the whole training is
            wrong (it has no number for a step, or stays at 0); another callback changes the rate;
            the scheme, or one in it, leads another number too; or the optimizer takes no step.

    Example:
        >>> import callbacks
        >>> scheme = callbacks.StepLR(30, gamma=0.1, learning_rate=0.1)
        >>> [round(scheme.value(epoch), 6) for epoch in (0, 29, 30, 60)]
        [0.1, 0.1, 0.01, 0.001]
        >>> callbacks.CosineDecay(0.1).over(100).value(50)
        0.05
    """

    learning_rate: NotNegative | None = field(default=None, kw_only=True)
    per: Unit = field(default="epoch", kw_only=True)
    smooth: bool = field(default=False, kw_only=True)
    count_from: Literal["optimizer", "fit"] | None = field(default=None, kw_only=True)
    optimizer: Led | None = field(default=None, kw_only=True)

    def __post_init__(self):
        keras.callbacks.Callback.__init__(self)
        self._taken: float | None = None
        self._refusal: str | None = None
        self.claimed_by: Any = None  # the leader of this training
        self.led_by: Any = None  # the one that led last
        self.restored: dict[str, Any] | None = None  # a plateau's memory, from a backup
        self.recalled: dict[str, list] | None = None  # from a file, by the number that was led
        self._span = Span(unit=self.per)
        self.missing: list[str] = []  # parameters that wait for the length of a training
        self._open: dict[str, Any] = {}  # as they were given
        for parameter in fields(self):
            value, note = plain(getattr(self, parameter.name)), parameter.metadata.get(NOTE)
            setattr(self, parameter.name, value)
            if value is not None or (note != "total" and parameter.default is not None):
                self._check(parameter.name, parameter.type)
            unless = parameter.metadata.get(UNLESS)
            if is_open(value, note) and not (unless and unless(self)):
                self._open[parameter.name] = value
        self._require("smooth", not self.smooth or self.per == "epoch", 'possible with per="step"')
        self.missing = list(self._open)
        if not self.missing:
            self.check_lengths()

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

    def get_config(self) -> dict:
        """The parameters by name, nested schemes and registered functions serialized."""
        values = {parameter.name: getattr(self, parameter.name) for parameter in fields(self)}
        values |= self._open  # as they were given, not as the last training filled them
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

    def leads(self) -> "LearningRateDecay":
        """Itself."""
        return self

    def target_in(self, model: keras.Model) -> Target:
        """The rate of the optimizer."""
        return Rate(self, model)


@dataclass(eq=False)
class TensorFlowDecay(LearningRateDecay, ABC):
    """A scheme of TensorFlow's family: it counts steps and is given its rate."""

    # Without the default that it has above, and never None.
    learning_rate: NotNegative = field()  # pyrefly: ignore[bad-override-mutable-attribute]
    per: Unit = field(default="step", kw_only=True)
