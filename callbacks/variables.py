"""What is led that is no learning rate: a momentum, a weight decay, a variable of a layer."""

from typing import Any, final

import keras

from .lookup import unknown
from .optimizers import Leading, Target, inner


@final
class Number(Target):
    """A variable that is no learning rate: a momentum, a weight decay, a layer's own.

    Args:
        leading: says which optimizer's steps are counted.
        model: compiled.
        variable: itself; or its name, as an attribute of the optimizer or its own there.

    Raises:
        ValueError: there is no such variable, a compiled step would not read it, or it is not one
            floating-point number.
    """

    def __init__(self, leading: Leading, model: keras.Model, variable: Any):
        super().__init__(leading, model)
        if isinstance(variable, str):
            variable = _variable_of(inner(self._optimizer), variable)
        if tuple(variable.shape) or not keras.backend.is_float_dtype(variable.dtype):
            raise ValueError(
                f"variable: {variable.name!r} has the shape {tuple(variable.shape)} and the dtype "
                f"{variable.dtype}; a scheme leads one floating-point number."
            )
        self._variable = variable
        self.name = variable.name
        self.at_call = self.read()

    def read(self) -> float:
        """The variable's value."""
        _ = self.optimizer
        return float(keras.ops.convert_to_numpy(self._variable))

    def write(self, value: float) -> None:
        """Assign it."""
        _ = self.optimizer
        self._variable.assign(value)

    def check(self, drives_momentum: bool) -> None:
        """See that on JAX the trainer carries the variable."""
        carried = [*self.model.variables, *self.optimizer.variables]
        known = any(one is self._variable for one in carried)
        if keras.backend.backend() == "jax" and not known:
            raise ValueError(
                f"variable: {self.name!r} is neither the model's nor the optimizer's; a step "
                "compiled by JAX reads no other."
            )
        if drives_momentum:
            raise ValueError(
                f"{type(self.leading).__name__}: a scheme that leads {self.name!r} cannot drive "
                "the momentum too; pass cycle_momentum=False."
            )

    def write_momentum(self, value: float) -> None:
        """There is none."""


def _variable_of(optimizer: keras.optimizers.Optimizer, name: str) -> keras.Variable:
    """The variable that an optimizer has as an attribute of this name, or under it."""
    held = {key: v for key, v in vars(optimizer).items() if isinstance(v, keras.Variable)}
    found = getattr(optimizer, name, None)
    if not isinstance(found, keras.Variable):
        found = {variable.name: variable for variable in held.values()}.get(name, found)
    if isinstance(found, keras.Variable):
        return found
    kind = type(optimizer).__name__
    if isinstance(found, int | float):
        raise ValueError(
            f"variable: {kind} holds {name} as a constant that a compiled step never reads again. "
            "Train with callbacks.CyclicMomentumSGD or callbacks.CyclicMomentumAdam, which hold it "
            "as a variable."
        )
    if hasattr(optimizer, name):
        raise ValueError(f"variable: this {kind} was made without {name}; give it one to lead.")
    raise unknown(f"variable of {kind}", name, [key for key in held if not key.startswith("_")])
