"""Optimizers whose momentum and weight decay a scheme can drive: they hold them in variables."""

from typing import final

import keras

from .serialization import registered


def hold_weight_decay(optimizer: keras.optimizers.Optimizer) -> float | None:
    """Put an optimizer's weight decay, where it has one, into a variable; return its start."""
    start = optimizer.weight_decay
    if start is not None:
        optimizer.weight_decay = keras.Variable(float(start), trainable=False, name="weight_decay")
    return start


@final
@registered
class CyclicMomentumSGD(keras.optimizers.SGD):
    """SGD whose momentum, and weight decay, can change in training.

    Keras' own holds it as a constant, which a compiled training step never reads again.

    Args:
        learning_rate: a number or a schedule.
        momentum: at the start, from 0 to 1.
        **options: of `keras.optimizers.SGD`.

    Example:
        >>> optimizer = CyclicMomentumSGD(0.1, momentum=0.9)
        >>> _ = optimizer.momentum_variable.assign(0.8)
        >>> round(float(optimizer.momentum_variable), 3), optimizer.get_config()["momentum"]
        (0.8, 0.9)
    """

    def __init__(self, learning_rate=0.01, momentum: float = 0.9, **options):
        momentum = float(momentum)  # of a whole number Keras would make a variable of whole numbers
        super().__init__(learning_rate=learning_rate, momentum=momentum, **options)
        self.momentum_variable = keras.Variable(momentum, trainable=False, name="momentum")
        self._weight_decay = hold_weight_decay(self)

    def get_config(self):
        """The configuration of SGD, with the weight decay of the start."""
        return {**super().get_config(), "weight_decay": self._weight_decay}

    def build(self, variables):
        """Make the velocities, which Keras' own leaves out where the momentum begins at 0."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.momentums or self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        """One step: `m = momentum * m - rate * gradient`, as in Keras' SGD."""
        ops = keras.ops
        rate = ops.cast(learning_rate, variable.dtype)
        momentum = ops.cast(self.momentum_variable, variable.dtype)
        change = ops.multiply(ops.cast(gradient, variable.dtype), rate)
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(velocity, ops.subtract(ops.multiply(velocity, momentum), change))
        if self.nesterov:
            self.assign_add(variable, ops.subtract(ops.multiply(velocity, momentum), change))
        else:
            self.assign_add(variable, velocity)


@final
@registered
class CyclicMomentumAdam(keras.optimizers.Adam):
    """Adam whose `beta_1`, and weight decay, can change in training.

    Args:
        learning_rate: a number or a schedule.
        beta_1: at the start.
        **options: of `keras.optimizers.Adam`.

    Example:
        >>> round(float(CyclicMomentumAdam(0.1, beta_1=0.9).beta_1), 3)
        0.9
    """

    def __init__(self, learning_rate=0.001, beta_1: float = 0.9, **options):
        beta_1 = float(beta_1)
        super().__init__(learning_rate=learning_rate, beta_1=beta_1, **options)
        self._start = beta_1
        self.beta_1 = keras.Variable(beta_1, trainable=False, name="beta_1")
        self._weight_decay = hold_weight_decay(self)

    def get_config(self):
        """The configuration of Adam, with the `beta_1` and the weight decay of the start."""
        own = {"beta_1": self._start, "weight_decay": self._weight_decay}
        return {**super().get_config(), **own}
