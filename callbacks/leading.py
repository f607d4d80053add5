"""How an optimizer is led in training: its rate, its momentum and its count of steps."""

import math
from typing import Any, Protocol, final

import keras

from .lookup import unknown


class Leading(Protocol):
    """What may say which optimizer it leads."""

    @property
    def optimizer(self) -> Any:
        """The optimizer, or its name as an attribute of the model."""


class Curve(Leading, Protocol):
    """What a leader asks of a scheme; `callbacks.LearningRateDecay` says what each means."""

    @property
    def per(self) -> str:
        """What it counts, "step" or "epoch"."""

    def value(self, step: int) -> float:
        """The rate after so many."""

    def momentum(self, step: int) -> float | None:
        """The momentum that goes with it."""

    @property
    def drives_momentum(self) -> bool:
        """Whether there is one."""

    @property
    def own_rate(self) -> float | None:
        """The rate that it starts from; None where that is the optimizer's."""

    @property
    def base(self) -> float:
        """The rate that it starts from, wherever it is from."""

    def take_base(self, rate: float) -> None:
        """Start from this rate."""

    def forget(self) -> None:
        """Begin anew, as if no training had been."""


@final
class Leader:
    """A scheme that leads a model's optimizer, for one call of `fit`.

    It keeps no count of its own: the steps are the optimizer's, read when an epoch begins.

    Args:
        scheme: what the rate follows. Where it has no rate of its own, it takes the optimizer's.
        model: compiled.
        before: what led in the scheme's last training. Training goes on where the optimizer is
            the same and has taken steps; otherwise the scheme begins anew.

    Raises:
        ValueError: there is no optimizer to lead, or its rate or momentum cannot be led.
    """

    def __init__(self, scheme: Curve, model: keras.Model, before: "Leader | None" = None):
        self.rate: float | None = None  # the one that was set last
        self._scheme, self._name = scheme, type(scheme).__name__
        self._model = model
        self._optimizer = optimizer_of(scheme, model)
        self._before = 0  # steps before this epoch
        self._start: tuple | None = None  # how far the optimizer was when training began
        self._check_reach()
        rate = self._settable_rate()
        goes_on = before is not None and before._goes_on(self.optimizer, rate)
        if before is not None and not goes_on:
            scheme.forget()
        if scheme.own_rate is None and not goes_on:
            self._check_unused()
            scheme.take_base(rate)
        else:
            scheme.take_base(scheme.base)  # members may have served another scheme meanwhile
        if scheme.drives_momentum:
            self._momentum_variable()

    @property
    def optimizer(self) -> keras.optimizers.Optimizer:
        """The one led, with its state: on JAX the trainer holds that elsewhere during an epoch."""
        if keras.backend.backend() == "jax":
            self._model.jax_state_sync()
        return self._optimizer

    def begin_epoch(self, epoch: int) -> None:
        """Read the optimizer's count; set the epoch's rate where epochs are counted."""
        self._check_alone()
        self._before = steps_taken(self.optimizer)
        self._start = self._start or _progress(self.optimizer)
        if self._scheme.per == "epoch":
            self._set(epoch)

    def begin_batch(self, batch: int) -> None:
        """Set the step's rate where steps are counted."""
        if self._scheme.per == "step":
            self._set(self._before + batch)

    def end_epoch(self) -> None:
        """See that the optimizer is used.

        Raises:
            ValueError: it has taken no step since training began.
        """
        if self._model.trainable_variables and _progress(self.optimizer) == self._start:
            raise ValueError(
                f"optimizer: {self._name} led {self._optimizer.name!r}, which has taken no step: "
                f"something else trains the model. {_others_in_words(self._model)}"
            )

    def _goes_on(self, optimizer: keras.optimizers.Optimizer, rate: float) -> bool:
        """Whether a training that begins with this optimizer and rate continues this one."""
        if optimizer is not self._optimizer:
            return False
        untouched = self.rate is not None and math.isclose(rate, self.rate, rel_tol=1e-6)
        return steps_taken(optimizer) > 0 or untouched

    def _set(self, step: int) -> None:
        optimizer = self.optimizer
        self.rate = float(self._scheme.value(step))
        optimizer.learning_rate = self.rate
        momentum = self._scheme.momentum(step)
        if momentum is not None:
            self._momentum_variable().assign(momentum)

    def _settable_rate(self) -> float:
        optimizer = self.optimizer
        if isinstance(optimizer, keras.optimizers.MultiOptimizer):
            raise ValueError(
                f"optimizer: {self._name} leads one, and a MultiOptimizer holds several, each with "
                "a rate of its own. Give optimizer=, one of them."
            )
        rate = rate_of(optimizer)
        try:
            optimizer.learning_rate = rate
        except TypeError:
            raise ValueError(
                f"{self._name}: the optimizer was made with a LearningRateSchedule, so "
                "no callback can set its rate. Make it with a number, or drop this callback."
            ) from None
        return rate

    def _momentum_variable(self) -> keras.Variable:
        optimizer = inner(self.optimizer)
        for name in ("momentum_variable", "beta_1"):
            value = getattr(optimizer, name, None)
            if isinstance(value, keras.Variable):
                return value
        raise ValueError(
            f"{self._name} drives the momentum, but {type(optimizer).__name__} holds it as a "
            "constant that a compiled step never reads again. Train with "
            "callbacks.CyclicMomentumSGD or callbacks.CyclicMomentumAdam, or pass "
            "cycle_momentum=False."
        )

    def _check_reach(self) -> None:
        steps = self._model.steps_per_execution or 1
        if self._scheme.per == "step" and steps > 1:
            raise ValueError(
                f"{self._name}: with steps_per_execution = {steps} no callback reaches each step. "
                'Use optimizer(learning_rate=scheme.as_schedule(num_steps)), or per="epoch".'
            )

    def _check_unused(self) -> None:
        steps = steps_taken(self.optimizer)
        if steps > 0:
            raise ValueError(
                f"{self._name}: the optimizer has taken {steps} steps, so its rate may not be the "
                "one to start from; give learning_rate."
            )

    def _check_alone(self) -> None:
        if self.rate is None:
            return
        found = rate_of(self.optimizer)
        if not math.isclose(found, self.rate, rel_tol=1e-3, abs_tol=1e-30):
            raise ValueError(
                f"{self._name} had set the learning rate {self.rate:g}, and another callback "
                f"changed it to {found:g}. One callback can lead the rate: put a scheme into "
                "callbacks.ReduceLROnPlateau(scheduler=…), or multiply schemes."
            )


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
    """The optimizer that a scheme was given, or the one that the model was compiled with."""
    given = getattr(model, "optimizer", None) if scheme.optimizer is None else scheme.optimizer
    if isinstance(given, str):
        found = getattr(model, given, None)
        if not isinstance(found, keras.optimizers.Optimizer):
            raise unknown("optimizer of the model", given, optimizers_of(model))
        return found
    if not isinstance(given, keras.optimizers.Optimizer):
        raise ValueError(
            f"optimizer: {type(scheme).__name__} has none to lead, but {given!r}. "
            f"{_others_in_words(model)}"
        )
    return given


def _others_in_words(model: keras.Model) -> str:
    """What to give instead of the optimizer that a model was compiled with."""
    names = [name for name in optimizers_of(model) if name != "optimizer"]
    known = f" or one of the names {', '.join(names)}" if names else " or its name in the model"
    return f"Give optimizer=, the optimizer itself{known}."


def _progress(optimizer: keras.optimizers.Optimizer) -> tuple:
    """What changes with each batch: the steps, and the scale where an infinite one is left out."""
    scale = getattr(optimizer, "dynamic_scale", None)
    return steps_taken(optimizer), None if scale is None else float(
        keras.ops.convert_to_numpy(scale)
    )


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
