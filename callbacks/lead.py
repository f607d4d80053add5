"""A scheme for any number of a training: momentum, weight decay, a layer's own variable."""

from typing import Any, final

import keras

from .base import LearningRateDecay
from .hooks import Led
from .variables import Number


@final
class Lead(Led):
    """Let a scheme lead a variable, as it leads a learning rate by itself.

    The scheme's `learning_rate` is then the variable's base value; without one, what it has when
    `fit` is called. Keras' optimizers hold most of their numbers as constants that a compiled step
    never reads again: `callbacks.CyclicMomentumSGD` and `callbacks.CyclicMomentumAdam` hold
    momentum, `beta_1` and `weight_decay` as variables.

    Args:
        variable: a `keras.Variable` that holds one floating-point number, or the name of one of the
            optimizer's, such as "weight_decay", "momentum" or "beta_1".
        scheme: of `callbacks`, one that leads nothing else in the same training.

    Raises:
        ValueError: they are something else, at construction; training begins, and the optimizer has
            no such variable, or the scheme leads another number too.

    Example:
        >>> import numpy as np, keras, callbacks
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(callbacks.CyclicMomentumSGD(0.1, weight_decay=0.01), loss="mse")
        >>> decay = callbacks.Lead("weight_decay", callbacks.StepLR(1, gamma=0.5))
        >>> history = model.fit(np.ones((4, 1)), np.ones(4), epochs=2, verbose=0, callbacks=[decay])
        >>> [round(value, 4) for value in history.history["weight_decay"]]
        [0.01, 0.005]
    """

    def __init__(self, variable: Any, scheme: LearningRateDecay):
        super().__init__()
        if not isinstance(variable, str | keras.Variable):
            raise ValueError(f"variable: {variable!r} is not a keras.Variable, or its name.")
        if not isinstance(scheme, LearningRateDecay):
            raise ValueError(f"scheme: {scheme!r} is not a scheme of callbacks.")
        self.variable, self.scheme = variable, scheme

    def leads(self) -> LearningRateDecay:
        """The scheme."""
        return self.scheme

    def target_in(self, model: keras.Model) -> Number:
        """The variable."""
        return Number(self.scheme, model, self.variable)
