"""How an optimizer is led in training: its rate, its momentum and its count of steps."""

import math
from typing import Protocol, final

import keras


class Curve(Protocol):
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
    def needs_base(self) -> bool:
        """Whether the scheme starts from the optimizer's rate."""

    def take_base(self, rate: float) -> None:
        """Start from this rate."""


@final
class Leader:
    """A scheme that leads a model's optimizer, for one call of `fit`.

    It keeps no count of its own: the steps are the optimizer's, read when an epoch begins.

    Args:
        scheme: what the rate follows. Where it needs a base rate, it takes the optimizer's.
        model: compiled.

    Raises:
        ValueError: the optimizer's rate, or its momentum, cannot be led.
    """

    def __init__(self, scheme: Curve, model: keras.Model):
        self.rate: float | None = None  # the one that was set last
        self._scheme, self._name = scheme, type(scheme).__name__
        self._model = model
        self._before = 0  # steps before this epoch
        self._check_reach()
        rate = self._settable_rate()
        if scheme.needs_base:
            self._check_unused()
            scheme.take_base(rate)
        if scheme.drives_momentum:
            self._momentum_variable()

    @property
    def optimizer(self) -> keras.optimizers.Optimizer:
        """The model's, with its state: on JAX the trainer holds that elsewhere during an epoch."""
        if keras.backend.backend() == "jax":
            self._model.jax_state_sync()
        return self._model.optimizer

    def begin_epoch(self, epoch: int) -> None:
        """Read the optimizer's count; set the epoch's rate where epochs are counted."""
        self._check_alone()
        self._before = steps_taken(self.optimizer)
        if self._scheme.per == "epoch":
            self._set(epoch)

    def begin_batch(self, batch: int) -> None:
        """Set the step's rate where steps are counted."""
        if self._scheme.per == "step":
            self._set(self._before + batch)

    def _set(self, step: int) -> None:
        optimizer = self.optimizer
        self.rate = float(self._scheme.value(step))
        optimizer.learning_rate = self.rate
        momentum = self._scheme.momentum(step)
        if momentum is not None:
            self._momentum_variable().assign(momentum)

    def _settable_rate(self) -> float:
        optimizer = self.optimizer
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
