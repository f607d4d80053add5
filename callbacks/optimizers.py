"""What is led: a number, such as the rate of an optimizer or of several that share a model."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, final

import keras

from .lookup import find


class Leading(Protocol):
    """What may say which optimizer it leads."""

    @property
    def optimizer(self) -> Any:
        """The optimizer, or its name as an attribute of the model."""


class Target(ABC):
    """A number that a scheme leads, and the optimizer whose steps are counted.

    It is made when `fit` is called, before anything is restored, and keeps what it found.

    Args:
        leading: says which optimizer.
        model: compiled.

    Raises:
        ValueError: there is no such optimizer.
    """

    name: str  # under which it is logged
    at_call: float  # what it was when `fit` was called

    def __init__(self, leading: Leading, model: keras.Model):
        self.leading, self.model = leading, model
        self._optimizer = optimizer_of(leading, model)
        self.steps_at_call = steps_taken(self.optimizer)

    @property
    def optimizer(self) -> keras.optimizers.Optimizer:
        """With its state: on JAX the trainer holds that elsewhere during an epoch."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        return self._optimizer

    @abstractmethod
    def read(self) -> float:
        """The number now."""

    @abstractmethod
    def write(self, value: float) -> None:
        """Set it."""

    @abstractmethod
    def check(self, drives_momentum: bool) -> None:
        """See that it can be set.

        Raises:
            ValueError: it cannot.
        """

    @abstractmethod
    def write_momentum(self, value: float) -> None:
        """Set the momentum that goes with it."""

    def in_words(self) -> str:
        """Its name as in a sentence."""
        return self.name.replace("_", " ")

    def others(self) -> dict[str, float]:
        """What else is logged."""
        return {}


@final
class Rate(Target):
    """The learning rate of an optimizer; those in a `MultiOptimizer` keep their proportions."""

    name = "learning_rate"

    def __init__(self, leading: Leading, model: keras.Model):
        super().__init__(leading, model)
        self._parts = _parts_of(self.optimizer, model)
        rates = [rate_of(part) for part in self._parts]
        self.at_call = rates[0]
        self._shares = [rate / rates[0] if rates[0] else 1.0 for rate in rates]

    def read(self) -> float:
        """The first optimizer's rate."""
        return rate_of(self._synced()[0])

    def write(self, value: float) -> None:
        """Set the rate of each."""
        if len(self._parts) == 1:
            self._synced()[0].learning_rate = value
            return
        for part, share in zip(self._synced(), self._shares, strict=True):
            part.learning_rate = value * share

    def check(self, drives_momentum: bool) -> None:
        """See that the optimizer was not made with a schedule, and holds its momentum as needed."""
        who = type(self.leading).__name__
        for part in self._synced():
            try:
                part.learning_rate = rate_of(part)
            except TypeError:
                raise ValueError(
                    f"{who}: the optimizer was made with a LearningRateSchedule, so "
                    "no callback can set its rate. Make it with a number, or drop this callback."
                ) from None
            if drives_momentum and _momentum_of(part) is None:
                raise ValueError(
                    f"{who} drives the momentum, but {type(inner(part)).__name__} holds it as a "
                    "constant that a compiled step never reads again. Train with "
                    "callbacks.CyclicMomentumSGD or callbacks.CyclicMomentumAdam, or pass "
                    "cycle_momentum=False."
                )
        if not self.at_call and len(self._parts) > 1:
            raise ValueError(
                f"{who}: the first rate of the MultiOptimizer is 0, to which the others have no "
                "proportion. Give optimizer=, one of them."
            )

    def write_momentum(self, value: float) -> None:
        """Set the momentum of each."""
        for part in self._synced():
            variable = _momentum_of(part)
            assert variable is not None  # `check` has seen to it
            variable.assign(value)

    def others(self) -> dict[str, float]:
        """The rates of several by their optimizers' names, as Keras logs them."""
        if len(self._parts) == 1:
            return {}
        return {f"learning_rate_{part.name}": rate_of(part) for part in self._synced()}

    def _synced(self) -> Sequence[keras.optimizers.Optimizer]:
        _ = self.optimizer
        return self._parts


def _parts_of(
    optimizer: keras.optimizers.Optimizer, model: keras.Model
) -> list[keras.optimizers.Optimizer]:
    """The optimizers inside one that holds several, its default first; or the one itself."""
    several = inner(optimizer)
    if not isinstance(several, keras.optimizers.MultiOptimizer):
        return [optimizer]
    if not several.optimizers and model.built:  # one that chooses by a function knows none before
        several.build(model.trainable_variables)
    first = getattr(several._optimizer_map, "default_optimizer", None)
    parts = list(several.optimizers)
    return sorted(parts, key=lambda part: part is not first)


def _momentum_of(optimizer: keras.optimizers.Optimizer) -> keras.Variable | None:
    """The variable in which an optimizer holds its momentum, if it does."""
    for name in ("momentum_variable", "beta_1"):
        value = getattr(inner(optimizer), name, None)
        if isinstance(value, keras.Variable):
            return value
    return None


def optimizers_of(model: keras.Model) -> dict[str, keras.optimizers.Optimizer]:
    """The optimizers that a model has as attributes, by name.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> list(optimizers_of(model))
        ['optimizer']
    """
    kind = keras.optimizers.Optimizer
    return {name: value for name, value in vars(model).items() if isinstance(value, kind)}


def optimizer_of(scheme: Leading, model: keras.Model) -> keras.optimizers.Optimizer:
    """The optimizer that a scheme was given, or the one that the model was compiled with.

    A name is that of an attribute of the model, or of one in its `keras.optimizers.MultiOptimizer`.
    """
    given = getattr(model, "optimizer", None) if scheme.optimizer is None else scheme.optimizer
    if isinstance(given, str):
        known = optimizers_of(model)
        compiled = getattr(model, "optimizer", None)
        if isinstance(compiled, keras.optimizers.Optimizer):
            known = {**{part.name: part for part in _parts_of(compiled, model)}, **known}
        return find(given, known, what="optimizer of the model")
    if not isinstance(given, keras.optimizers.Optimizer):
        raise ValueError(
            f"optimizer: {type(scheme).__name__} has none to lead, but {given!r}. "
            f"{others_in_words(model)}"
        )
    return given


def others_in_words(model: keras.Model) -> str:
    """What to give instead of the optimizer that a model was compiled with."""
    names = [name for name in optimizers_of(model) if name != "optimizer"]
    known = f" or one of the names {', '.join(names)}" if names else " or its name in the model"
    return f"Give optimizer=, the optimizer itself{known}."


def inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer inside one that scales the loss, or itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def rate_of(optimizer: keras.optimizers.Optimizer) -> float:
    """The rate that the optimizer has now."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def steps_taken(optimizer: keras.optimizers.Optimizer) -> int:
    """The optimizer's count of batches, which `iterations` divides where gradients accumulate."""
    optimizer = inner(optimizer)
    counts = [v for v in optimizer.variables if v.name == "iteration"]
    return int(keras.ops.convert_to_numpy(counts[0] if counts else optimizer.iterations))


def progress_of(optimizer: keras.optimizers.Optimizer) -> tuple:
    """What changes with each batch: the steps, and the scale where an infinite one is left out."""
    scale = getattr(optimizer, "dynamic_scale", None)
    return steps_taken(optimizer), None if scale is None else float(
        keras.ops.convert_to_numpy(scale)
    )
