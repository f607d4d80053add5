"""Kernel, normalization, activation and dropout in the order that a recipe asks for.

The order is data, and one loop follows it; residual blocks are made of the same loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from keras import layers

from recipes.ingredients import activations, initializers, normalization, regularizers
from recipes.lookup import find

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
        activation: a name, function or layer.
        normalization: a name or layer.
        norm_position: "before" or "after" the activation, or "preactivation" (residual only).
        positions: the norm positions that the recipe allows.
        kernel_initializer: a name or initializer; "auto" follows the activation.
        kernel_regularizer: a name or regularizer.
        bias_initializer: a constant.
        dropout: the share that is dropped after the activation.
        seed: of the initializers and the dropout.

    Raises:
        ValueError: a name is unknown, or the rate out of its range.

    Example:
        >>> import keras
        >>> x = keras.Input((8, 8, 3))
        >>> y = conv_block(x, 16, BlockConfig(activation="crelu", normalization="batch"))
        >>> y.shape
        (None, 8, 8, 16)
    """

    activation: object = "relu"
    normalization: object = "batch"
    norm_position: str = "before"
    positions: Sequence[str] = tuple(ORDERS)
    kernel_initializer: object = "auto"
    kernel_regularizer: object = None
    bias_initializer: float = 0.0
    dropout: float = 0.0
    seed: int | None = None
    _seeds: np.random.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        find(self.norm_position, dict.fromkeys(self.positions), what="norm_position")
        activation = activations.get(self.activation)
        regularizers.dropout(self.dropout, activation)
        normalization.canonical_name(self.normalization)
        initializers.get(self.kernel_initializer)
        regularizers.get(self.kernel_regularizer)
        object.__setattr__(self, "_seeds", np.random.default_rng(self.seed))

    def next_seed(self) -> int | None:
        """The seed of the next layer that draws, or None where the model has none."""
        return None if self.seed is None else int(self._seeds.integers(2**31))

    def kernel_options(self, activation: layers.Layer | None, use_bias: bool) -> dict:
        """The options of a kernel layer that feeds an activation."""
        return {
            "use_bias": use_bias,
            "kernel_initializer": initializers.get(
                self.kernel_initializer, activation=activation, seed=self.next_seed()
            ),
            "bias_initializer": initializers.bias_initializer(self.bias_initializer),
            "kernel_regularizer": regularizers.get(self.kernel_regularizer),
        }


def dense_block(x, units: int, config: BlockConfig, *, activate: bool = True):
    """A dense layer with its norm, activation and dropout; (batch, features) to (batch, units)."""
    return _follow(x, layers.Dense, units, config, activate=activate)


def conv_block(
    x,
    filters: int,
    config: BlockConfig,
    *,
    kernel_size: int = 3,
    strides: int = 1,
    activate: bool = True,
    norm_follows: bool = False,
):
    """A convolution with its norm, activation and dropout; maps to maps of `filters` channels.

    Args:
        x: (batch, height, width, channels).
        filters: channels that leave the block.
        config: the order and what is in it.
        kernel_size: side of the kernel.
        strides: steps in both directions; the maps shrink by them.
        activate: whether activation and dropout are in it.
        norm_follows: whether a norm comes right after the block.
    """

    def convolution(units, **options):
        return layers.Conv2D(units, kernel_size, strides, padding="same", **options)

    return _follow(x, convolution, filters, config, activate=activate, norm_follows=norm_follows)


def bare_convolution(x, filters: int, config: BlockConfig, *, kernel_size: int = 3, strides=1):
    """A convolution alone, with its bias; what stands before or beside preactivated blocks."""
    options = config.kernel_options(None, use_bias=True)
    kernel = layers.Conv2D(filters, kernel_size, strides, padding="same", **options)
    return wrapped(kernel, config)(x)


def depthwise_block(x, config: BlockConfig, *, kernel_size: int = 3, strides: int = 1):
    """A depthwise convolution with its norm and activation.

    The channels stay, but that CReLU doubles them.
    """
    channels = x.shape[-1]

    def convolution(units, **options):
        options["depthwise_initializer"] = options.pop("kernel_initializer")
        options["depthwise_regularizer"] = options.pop("kernel_regularizer")
        return layers.DepthwiseConv2D(
            kernel_size,
            strides,
            padding="same",
            depth_multiplier=max(units // channels, 1),
            **options,
        )

    activation = activations.get(config.activation)
    doubles = isinstance(activation, activations.CReLU)
    return _follow(x, convolution, 2 * channels if doubles else channels, config)


def residual_block(x, filters: int, config: BlockConfig, *, strides: int = 1, bottleneck=False):
    """Convolutions whose result is added to their input.

    `filters` channels leave, four times as many with a bottleneck.

    Args:
        x: (batch, height, width, channels).
        filters: of the (inner) 3 × 3 convolution.
        config: "before" and "after" activate after the sum, as in ResNet v1; "preactivation"
            before each kernel, as in v2.
        strides: of the 3 × 3 convolution (the second in a bottleneck).
        bottleneck: 1 × 1, 3 × 3, 1 × 1 instead of 3 × 3, 3 × 3.

    Source:
        arXiv 1512.03385 and 1603.05027.
    """
    preactivated = config.norm_position == "preactivation"
    activation = activations.get(config.activation)
    out = 4 * filters if bottleneck else filters
    width = out if preactivated else activations.kernel_units(activation, out)
    plan = [(filters, 1, 1), (filters, 3, strides), (width, 1, 1)]
    plan = plan if bottleneck else [(filters, 3, strides), (width, 3, 1)]
    y = x
    for index, (units, kernel_size, step) in enumerate(plan):
        last = index == len(plan) - 1
        y = conv_block(
            y,
            units,
            config,
            kernel_size=kernel_size,
            strides=step,
            activate=preactivated or not last,
            norm_follows=preactivated and not last,
        )
    if x.shape[1:] != y.shape[1:]:
        x = shortcut(x, width, config, strides)
    y = layers.Add()([x, y])
    return y if preactivated else activate(y, config)


def shortcut(x, channels: int, config: BlockConfig, strides: int):
    """A 1 × 1 convolution that gives a shortcut the shape of what it is added to."""
    if config.norm_position == "preactivation":
        return bare_convolution(x, channels, config, kernel_size=1, strides=strides)
    return conv_block(x, channels, config, kernel_size=1, strides=strides, activate=False)


def activate(x, config: BlockConfig):
    """The activation alone."""
    return activations.get(config.activation)(x)


def norm_and_activation(x, config: BlockConfig):
    """What ends a preactivation trunk."""
    norm = normalize(config, x.shape)
    return activate(x if norm is None else norm(x), config)


def normalize(config: BlockConfig, shape: tuple) -> layers.Layer | None:
    """The norm for a tensor of this shape.

    Raises:
        ValueError: instance normalization of vectors, of which nothing would be left.
    """
    name = normalization.canonical_name(config.normalization)
    if name == "instance" and len(shape) == 2:
        raise ValueError(
            "normalization: 'instance' normalizes over the places of maps, and vectors have none; "
            "take 'layer' or 'batch'."
        )
    return normalization.get(config.normalization, shape[-1])


def wrapped(kernel: layers.Layer, config: BlockConfig) -> layers.Layer:
    """The kernel layer, in weight normalization where the recipe asks for it."""
    if normalization.canonical_name(config.normalization) == "weight":
        return normalization.WeightNormalization(kernel)
    return kernel


def _follow(
    x,
    make: Callable[..., layers.Layer],
    units: int,
    config: BlockConfig,
    *,
    activate: bool = True,
    norm_follows: bool = False,
):
    """The one loop: apply the steps of the order, with a bias wherever it has an effect."""
    order = ORDERS[config.norm_position]
    kernel_first = order[0] == "kernel"
    activation = activations.get(config.activation) if activate else None
    for index, step in enumerate(order):
        if step == "kernel":
            width = units
            if kernel_first and activation is not None:
                width = activations.kernel_units(activation, units)
            next_is_norm = norm_follows or order[index + 1 : index + 2] == ("norm",)
            next_is_norm = next_is_norm or (not activate and kernel_first)
            use_bias = not (next_is_norm and normalization.shifts(config.normalization))
            kernel = make(width, **config.kernel_options(activation, use_bias))
            x = wrapped(kernel, config)(x)
        elif step == "norm":
            norm = normalize(config, x.shape)
            x = x if norm is None else norm(x)
        elif step == "act" and activation is not None:
            x = activation(x)
        elif step == "drop" and activation is not None:
            maps = len(x.shape) == 4
            drop = regularizers.dropout(
                config.dropout, activation, maps=maps, seed=config.next_seed()
            )
            x = x if drop is None else drop(x)
    return x
