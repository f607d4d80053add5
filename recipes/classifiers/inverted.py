"""Inverted residuals: what the MobileNets from v2 on and EfficientNet are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from recipes.blocks import UNNAMED, BlockConfig, added, conv_block, depthwise_block
from recipes.classifiers.residual import squeeze_and_excite


@dataclass(frozen=True)
class Squeeze:
    """A squeeze-and-excitation between the depthwise convolution and the projection.

    Attributes:
        channels: between its two layers.
        gate: the activation of its weights.
        activation: between the two, if not that of the other blocks.
    """

    channels: int
    gate: str = "sigmoid"
    activation: object = None


@dataclass(frozen=True)
class Names:
    """What the layers with weights are called: pairs of convolution and norm, as in torchvision."""

    expand: Sequence[str | None] = UNNAMED
    depthwise: Sequence[str | None] = UNNAMED
    squeeze: str | None = None
    project: Sequence[str | None] = UNNAMED


def names_in_row(block: str, *, expands: bool, squeezes: bool) -> Names:
    """The names of torchvision's blocks whose parts are counted: "features.2.block.0.0", …

    Example:
        >>> names_in_row("features_2_block", expands=True, squeezes=False).project
        ('features_2_block_2_0', 'features_2_block_2_1')
    """
    parts = [f"{block}_{index}" for index in range(2 + expands + squeezes)]
    first, last = parts[expands], parts[-1]
    return Names(
        expand=(f"{parts[0]}_0", f"{parts[0]}_1"),
        depthwise=(f"{first}_0", f"{first}_1"),
        squeeze=parts[expands + 1],
        project=(f"{last}_0", f"{last}_1"),
    )


def inverted_residual(
    x,
    filters: int,
    config: BlockConfig,
    *,
    expanded: int,
    kernel_size: int,
    strides: int,
    squeeze: Squeeze | None = None,
    rate: float = 0.0,
    names: Names = Names(),
):
    """Wide, depthwise, narrow without an activation; added to its input where the shapes agree.

    Args:
        x: (batch, height, width, channels).
        filters: that leave the block.
        config: of its parts.
        expanded: channels of the depthwise convolution; as many as come are not expanded.
        kernel_size: of the depthwise convolution.
        strides: of the same.
        squeeze: the squeeze-and-excitation, if any.
        rate: of the stochastic depth.
        names: of the layers.

    Source:
        arXiv 1801.04381.
    """
    y = x
    if expanded != x.shape[-1]:
        y = conv_block(y, expanded, config, kernel_size=1, names=names.expand)
    y = depthwise_block(y, config, kernel_size=kernel_size, strides=strides, names=names.depthwise)
    if squeeze is not None:
        how = {"gate": squeeze.gate, "activation": squeeze.activation, "name": names.squeeze}
        y = squeeze_and_excite(y, squeeze.channels, config, **how)
    has_shortcut = strides == 1 and x.shape[-1] == filters
    how = {"zero": config.zero_init_last and has_shortcut, "names": names.project}
    y = conv_block(y, filters, config, kernel_size=1, activate=False, **how)
    return added(x, y, config, rate) if has_shortcut else y
