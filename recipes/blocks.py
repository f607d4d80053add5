"""Kernel, normalization, activation and dropout in the order that a recipe asks for.

The order is data, and one loop follows it; residual blocks are made of the same loop.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from keras import layers

from recipes.ingredients import activations, initializers, normalization, regularizers
from recipes.ingredients.config import ORDERS as ORDERS, PLAIN as PLAIN, BlockConfig as BlockConfig
from recipes.ingredients.drop_layers import DropPath
from recipes.rules import DROPOUT

UNNAMED = (None, None)
CONVOLUTION, DEPTHWISE = (0, 1, 2), (0, 1)  # the axes of a kernel that lead to one output


def dense_block(
    x,
    units: int,
    config: BlockConfig,
    *,
    activate: bool = True,
    names: Sequence[str | None] = UNNAMED,
):
    """A dense layer with its norm, activation and dropout; (batch, features) to (batch, units)."""
    return _follow(x, layers.Dense, units, config, activate=activate, names=names)


def conv_block(
    x,
    filters: int,
    config: BlockConfig,
    *,
    kernel_size: int = 3,
    strides: int = 1,
    groups: int = 1,
    padding: int | None = None,
    activate: bool = True,
    norm_follows: bool = False,
    zero: bool = False,
    names: Sequence[str | None] = UNNAMED,
):
    """A convolution with its norm, activation and dropout; maps to maps of `filters` channels.

    Args:
        x: (batch, height, width, channels), or (batch, steps, channels).
        filters: channels that leave the block.
        config: the order and what is in it.
        kernel_size: side of the kernel.
        strides: steps in both directions; the maps shrink by them.
        groups: of channels that are convolved apart.
        padding: zeros on each side; as the configuration has it by default.
        activate: whether activation and dropout are in it.
        norm_follows: whether a norm comes right after the block.
        zero: whether it begins as zero: see `BlockConfig.zero_init_last`.
        names: of the convolution and the norm.
    """
    maps = len(x.shape) == 4
    kind, axis = (layers.Conv2D, CONVOLUTION) if maps else (layers.Conv1D, CONVOLUTION[:2])
    margin, mode = _padding(config, kernel_size, strides, padding)

    def convolution(units, **options):
        return kind(units, kernel_size, strides, padding=mode, groups=groups, **options)

    steps = {"activate": activate, "norm_follows": norm_follows, "zero": zero}
    how = {"axis": axis, "margin": margin, "names": names}
    return _follow(x, convolution, filters, config, **steps, **how)


def bare_convolution(
    x,
    filters: int,
    config: BlockConfig,
    *,
    kernel_size: int = 3,
    strides=1,
    padding: int | None = None,
    name: str | None = None,
):
    """A convolution alone, with its bias; what stands before or beside preactivated blocks."""
    options = config.kernel_options(None, use_bias=True, axis=CONVOLUTION)
    margin, mode = _padding(config, kernel_size, strides, padding)
    x = layers.ZeroPadding2D(margin)(x) if margin else x
    kernel = layers.Conv2D(filters, kernel_size, strides, padding=mode, name=name, **options)
    return wrapped(kernel, config)(x)


def depthwise_block(
    x,
    config: BlockConfig,
    *,
    kernel_size: int = 3,
    strides: int = 1,
    names: Sequence[str | None] = UNNAMED,
):
    """A depthwise convolution with its norm and activation.

    The channels stay, but that CReLU doubles them.
    """
    channels = x.shape[-1]
    margin, mode = _padding(config, kernel_size, strides)

    def convolution(units, **options):
        return layers.DepthwiseConv2D(
            kernel_size,
            strides,
            padding=mode,
            depth_multiplier=max(units // channels, 1),
            **depthwise_options(options),
        )

    activation = activations.get(config.activation)
    doubles = isinstance(activation, activations.CReLU)
    units = 2 * channels if doubles else channels
    return _follow(x, convolution, units, config, axis=DEPTHWISE, margin=margin, names=names)


def depthwise_options(options: Mapping) -> dict:
    """The options of a kernel layer by the names that a depthwise convolution has for them."""
    others = {name: value for name, value in options.items() if not name.startswith("kernel_")}
    return {
        **others,
        "depthwise_initializer": initializers.for_depthwise(options["kernel_initializer"]),
        "depthwise_regularizer": options["kernel_regularizer"],
        "depthwise_constraint": options["kernel_constraint"],
    }


def _padding(
    config: BlockConfig, kernel_size: int, strides: int, padding: int | None = None
) -> tuple[int, str]:
    """Zeros to put on each side before a kernel, and the kernel's own padding."""
    if padding is None and config.symmetric and strides > 1:
        padding = (kernel_size - 1) // 2
    return (0, "same") if padding is None else (padding, "valid")


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


def activate(x, config: BlockConfig):
    """The activation alone."""
    return activations.applied(config.new_activation(), x)


def norm_and_activation(x, config: BlockConfig, *, name: str | None = None):
    """What ends a preactivation trunk."""
    return activate(normalized(x, config, name=name), config)


def normalized(x, config: BlockConfig, *, name: str | None = None):
    """The norm alone."""
    return _normalized(x, normalize(config, x.shape, name=name))


def normalize(
    config: BlockConfig, shape: tuple, *, zero: bool = False, name: str | None = None
) -> layers.Layer | None:
    """The norm for a tensor of this shape; with `zero`, its scale begins as 0.

    Raises:
        ValueError: instance normalization of vectors, of which nothing would be left; or a scale
            was to be 0 and there is none.
    """
    kind = normalization.canonical_name(config.normalization)
    if kind == "instance" and len(shape) == 2:
        raise ValueError(
            "normalization: 'instance' normalizes over the places of maps, and vectors have none; "
            "take 'layer' or 'batch'."
        )
    norm = normalization.get(config.normalization, shape[-1], usual=config.norm_options)
    if norm is not None and name is not None:
        norm = type(norm).from_config({**norm.get_config(), "name": name})
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
    margin: int = 0,
    names: Sequence[str | None] = UNNAMED,
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
            x = layers.ZeroPadding2D(margin)(x) if margin else x
            x = wrapped(make(width, name=names[0], **options), config)(x)
        elif step == "norm":
            how = {"zero": zero and kernel_first, "name": names[1]}
            x = _normalized(x, normalize(config, x.shape, **how))
        elif step == "act" and activation is not None:
            x = activations.applied(activation, x)
        elif step == "drop" and activation is not None:
            how = {"rank": len(x.shape), "seed": config.next_seed()}
            drop = regularizers.dropout(config.dropout, activation, **how)
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
