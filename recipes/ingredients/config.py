"""What every block of a model has in common: its ingredients, their order and their seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np
from keras import layers

from recipes.ingredients import (
    activations,
    constraints,
    initializers,
    normalization,
    regularizers,
)
from recipes.lookup import find
from recipes.rules import TRUTH, WHOLE

ORDERS = {
    "before": ("kernel", "norm", "act", "drop"),
    "after": ("kernel", "act", "norm", "drop"),
    "preactivation": ("norm", "act", "drop", "kernel"),
}
PLAIN = ("before", "after")  # the orders of a network without residual blocks


@dataclass(frozen=True)
class BlockConfig:
    """What every block of a model has in common; a recipe builds it once and passes it down.

    Attributes:
        activation: a name, function or layer; a name may have options: `(name, options)`.
        normalization: a name or layer.
        norm_position: "before" or "after" the activation, or "preactivation" (residual only).
        positions: the norm positions that the recipe allows.
        kernel_initializer: a name or initializer; "auto" follows the activation.
        kernel_regularizer: a name or regularizer.
        kernel_constraint: a name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share that is dropped after the activation, or a dropout by name or layer.
        zero_init_last: whether a residual block begins as its shortcut alone: the scale of its
            last norm is 0, or its last kernel where no norm follows that.
        seed: of the initializers and the dropout.
        norm_options: of a normalization by name, such as its epsilon, where none are given with it.
        symmetric: whether a convolution with strides pads as much on each side, as in PyTorch;
            otherwise as Keras' "same" does.

    Raises:
        ValueError: a name is unknown, an object is no such thing, or the rate out of its range.

    Example:
        >>> config = BlockConfig(activation="crelu", normalization=("group", {"groups": 4}))
        >>> config.new_activation().__class__.__name__
        'CReLU'
    """

    activation: object = "relu"
    normalization: object = "batch"
    norm_position: str = "before"
    positions: Sequence[str] = tuple(ORDERS)
    kernel_initializer: object = "auto"
    kernel_regularizer: object = None
    bias_initializer: object = 0.0
    dropout: object = 0.0
    seed: int | None = None
    kernel_constraint: object = None
    zero_init_last: bool = False
    norm_options: Mapping[str, Mapping] = field(default_factory=dict)
    symmetric: bool = False
    _seeds: np.random.Generator = field(init=False, repr=False, compare=False)
    _kernel_seeds: np.random.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        find(self.norm_position, dict.fromkeys(self.positions), what="norm_position")
        activation = activations.get(self.activation)
        regularizers.dropout(self.dropout, activation)
        normalization.canonical_name(self.normalization)
        initializers.get(self.kernel_initializer)
        initializers.bias_initializer(self.bias_initializer)
        regularizers.get(self.kernel_regularizer)
        constraints.get(self.kernel_constraint)
        TRUTH("zero_init_last", self.zero_init_last)
        seed = None if self.seed is None else WHOLE("seed", self.seed)
        own = initializers.seed_of(self.kernel_initializer)
        object.__setattr__(self, "_seeds", np.random.default_rng(seed))
        object.__setattr__(self, "_kernel_seeds", np.random.default_rng(own))

    def but(self, **changes) -> "BlockConfig":
        """The same with some changes; both draw from one row of seeds.

        Example:
            >>> BlockConfig(dropout=0.5).but(dropout=0.0).dropout
            0.0
        """
        other = replace(self, **changes)
        object.__setattr__(other, "_seeds", self._seeds)
        object.__setattr__(other, "_kernel_seeds", self._kernel_seeds)
        return other

    def next_seed(self) -> int | None:
        """The seed of the next layer that draws, or None where the model has none."""
        return None if self.seed is None else int(self._seeds.integers(2**31))

    def _next_kernel_seed(self) -> int | None:
        """That of the next kernel; it follows the initializer's own seed where it has one."""
        if initializers.seed_of(self.kernel_initializer) is None:
            return self.next_seed()
        return int(self._kernel_seeds.integers(2**31))

    def _bias_initializer(self):
        number = isinstance(self.bias_initializer, Real)
        seed = None if number else self.next_seed()
        return initializers.bias_initializer(self.bias_initializer, seed)

    def new_activation(self) -> layers.Layer:
        """A new activation layer, with a seed of its own where it draws."""
        layer = activations.get(self.activation)
        if self.seed is None or not hasattr(layer, "seed_generator"):
            return layer
        return type(layer).from_config({**layer.get_config(), "seed": self.next_seed()})

    def kernel_options(
        self, activation: layers.Layer | None, use_bias: bool, axis: int | Sequence[int] = 0
    ) -> dict:
        """The options of a kernel layer that feeds an activation.

        Args:
            activation: the layer that it feeds.
            use_bias: whether it has a bias.
            axis: those of the kernel that lead to one output, for constraints.
        """
        return {
            "use_bias": use_bias,
            "kernel_initializer": initializers.get(
                self.kernel_initializer, activation=activation, seed=self._next_kernel_seed()
            ),
            "bias_initializer": self._bias_initializer(),
            "kernel_regularizer": regularizers.get(self.kernel_regularizer),
            "kernel_constraint": constraints.get(self.kernel_constraint, axis=axis),
        }
