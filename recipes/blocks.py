"""Kernel, normalization, activation and dropout in the order that a recipe asks for.

The order is data, and one loop follows it; residual blocks are made of the same loop.
"""

from collections.abc import Callable, Sequence

import numpy as np
from keras import layers

from recipes.ingredients import activations, initializers, normalization, regularizers
from recipes.ingredients.config import ORDERS as ORDERS, PLAIN as PLAIN, BlockConfig as BlockConfig
from recipes.ingredients.drop_layers import DropPath
from recipes.rules import DROPOUT

CONVOLUTION, DEPTHWISE = (0, 1, 2), (0, 1)  # the axes of a kernel that lead to one output


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
    zero: bool = False,
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
        zero: whether it begins as zero: see `BlockConfig.zero_init_last`.
    """

    def convolution(units, **options):
        return layers.Conv2D(units, kernel_size, strides, padding="same", **options)

    steps = {"activate": activate, "norm_follows": norm_follows, "zero": zero}
    return _follow(x, convolution, filters, config, axis=CONVOLUTION, **steps)


def bare_convolution(x, filters: int, config: BlockConfig, *, kernel_size: int = 3, strides=1):
    """A convolution alone, with its bias; what stands before or beside preactivated blocks."""
    options = config.kernel_options(None, use_bias=True, axis=CONVOLUTION)
    kernel = layers.Conv2D(filters, kernel_size, strides, padding="same", **options)
    return wrapped(kernel, config)(x)


def depthwise_block(x, config: BlockConfig, *, kernel_size: int = 3, strides: int = 1):
    """A depthwise convolution with its norm and activation.

    The channels stay, but that CReLU doubles them.
    """
    channels = x.shape[-1]

    def convolution(units, **options):
        own = initializers.for_depthwise(options.pop("kernel_initializer"))
        options["depthwise_initializer"] = own
        options["depthwise_regularizer"] = options.pop("kernel_regularizer")
        options["depthwise_constraint"] = options.pop("kernel_constraint")
        return layers.DepthwiseConv2D(
            kernel_size,
            strides,
            padding="same",
            depth_multiplier=max(units // channels, 1),
            **options,
        )

    activation = activations.get(config.activation)
    doubles = isinstance(activation, activations.CReLU)
    units = 2 * channels if doubles else channels
    return _follow(x, convolution, units, config, axis=DEPTHWISE)


def residual_block(
    x,
    filters: int,
    config: BlockConfig,
    *,
    strides: int = 1,
    bottleneck: bool = False,
    drop_path: float = 0.0,
):
    """Convolutions whose result is added to their input.

    `filters` channels leave, four times as many with a bottleneck.

    Args:
        x: (batch, height, width, channels).
        filters: of the (inner) 3 × 3 convolution.
        config: "before" and "after" activate after the sum, as in ResNet v1; "preactivation"
            before each kernel, as in v2.
        strides: of the 3 × 3 convolution (the second in a bottleneck).
        bottleneck: 1 × 1, 3 × 3, 1 × 1 instead of 3 × 3, 3 × 3.
        drop_path: the share of samples that go by the shortcut alone in training.

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
            zero=config.zero_init_last and last,
        )
    if x.shape[1:] != y.shape[1:]:
        x = shortcut(x, width, config, strides)
    y = added(x, y, config, drop_path)
    return y if preactivated else activate(y, config)


def added(x, y, config: BlockConfig, drop_path: float = 0.0):
    """The sum of a shortcut and a branch, which may be dropped."""
    if drop_path:
        y = DropPath(drop_path, seed=config.next_seed())(y)
    return layers.Add()([x, y])


def rising(rate: float, blocks: int) -> list[float]:
    """The rate of each block for drop path: from 0 to the whole of it, evenly.

    Source:
        arXiv 1603.09382, equation 4, as timm and torchvision begin it.

    Example:
        >>> rising(0.2, 3)
        [0.0, 0.1, 0.2]
    """
    return np.linspace(0, DROPOUT("drop_path", rate), blocks).tolist()


def shortcut(x, channels: int, config: BlockConfig, strides: int):
    """A 1 × 1 convolution that gives a shortcut the shape of what it is added to."""
    if config.norm_position == "preactivation":
        return bare_convolution(x, channels, config, kernel_size=1, strides=strides)
    return conv_block(x, channels, config, kernel_size=1, strides=strides, activate=False)


def activate(x, config: BlockConfig):
    """The activation alone."""
    return activations.applied(config.new_activation(), x)


def norm_and_activation(x, config: BlockConfig):
    """What ends a preactivation trunk."""
    return activate(_normalized(x, normalize(config, x.shape)), config)


def normalize(config: BlockConfig, shape: tuple, *, zero: bool = False) -> layers.Layer | None:
    """The norm for a tensor of this shape; with `zero`, its scale begins as 0.

    Raises:
        ValueError: instance normalization of vectors, of which nothing would be left; or a scale
            was to be 0 and there is none.
    """
    name = normalization.canonical_name(config.normalization)
    if name == "instance" and len(shape) == 2:
        raise ValueError(
            "normalization: 'instance' normalizes over the places of maps, and vectors have none; "
            "take 'layer' or 'batch'."
        )
    norm = normalization.get(config.normalization, shape[-1])
    if not zero:
        return norm
    options = {} if norm is None or not norm.trainable else norm.get_config()
    if norm is None or "gamma_initializer" not in options or not options.get("scale", True):
        raise ValueError(
            f"zero_init_last: the normalization {config.normalization!r} learns no scale that "
            "begins as asked; 'batch', 'layer', 'group', 'instance' and 'filter_response' do."
        )
    return type(norm).from_config({**options, "gamma_initializer": "zeros"})


def _normalized(x, norm: layers.Layer | None):
    """What the norm makes of a tensor, whose shape has to stay."""
    y = x if norm is None else norm(x)
    if y.shape != x.shape:
        raise ValueError(
            f"normalization: {type(norm).__name__} makes {y.shape} of {x.shape}; the shape has to "
            "stay."
        )
    return y


def wrapped(kernel: layers.Layer, config: BlockConfig) -> layers.Layer:
    """The kernel layer, within what normalizes its kernel where the recipe asks for that."""
    wrap = normalization.wrapper(config.normalization)
    return kernel if wrap is None else wrap(kernel)


def _follow(
    x,
    make: Callable[..., layers.Layer],
    units: int,
    config: BlockConfig,
    *,
    axis: int | Sequence[int] = 0,
    activate: bool = True,
    norm_follows: bool = False,
    zero: bool = False,
):
    """The one loop: apply the steps of the order, with a bias wherever it has an effect."""
    order = ORDERS[config.norm_position]
    kernel_first = order[0] == "kernel"
    activation = config.new_activation() if activate else None
    for index, step in enumerate(order):
        if step == "kernel":
            width = units
            if kernel_first and activation is not None:
                width = activations.kernel_units(activation, units)
            next_is_norm = norm_follows or order[index + 1 : index + 2] == ("norm",)
            next_is_norm = next_is_norm or (not activate and kernel_first)
            use_bias = not (next_is_norm and normalization.shifts(config.normalization))
            options = config.kernel_options(activation, use_bias, axis)
            if zero and not kernel_first:
                options["kernel_initializer"] = _zeros(config)
            x = wrapped(make(width, **options), config)(x)
        elif step == "norm":
            x = _normalized(x, normalize(config, x.shape, zero=zero and kernel_first))
        elif step == "act" and activation is not None:
            x = activations.applied(activation, x)
        elif step == "drop" and activation is not None:
            maps = len(x.shape) == 4
            drop = regularizers.dropout(
                config.dropout, activation, maps=maps, seed=config.next_seed()
            )
            x = x if drop is None else drop(x)
    return x


def _zeros(config: BlockConfig):
    """The initializer of a kernel that begins as zero, where it can leave that."""
    if normalization.wrapper(config.normalization) is not None:
        raise ValueError(
            f"zero_init_last: a kernel of zeros has no direction; {config.normalization!r} "
            "normalizes kernels."
        )
    return initializers.bias_initializer(0)
