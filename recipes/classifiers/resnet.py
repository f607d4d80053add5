"""Residual networks."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import keras

from recipes.blocks import (
    ORDERS,
    BlockConfig,
    bare_convolution,
    conv_block,
    norm_and_activation,
    rising,
)
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.classifiers.residual import residual_block, squeeze_and_excite
from recipes.lookup import find
from recipes.rules import COUNT, POSITIVE, TRUTH, WHOLE

# Blocks of each stage, and whether they are bottlenecks (arXiv 1512.03385, table 1).
DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
# Blocks of each of three stages, for CIFAR: section 4.2 of the same, and Wide ResNet's depths.
SMALL_DEPTHS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18, 16: 2, 22: 3, 28: 4, 40: 6}
ALL_DEPTHS = {
    **DEPTHS,
    **{depth: ((blocks,) * 3, False) for depth, blocks in SMALL_DEPTHS.items()},
}


def _blocks(setting: Mapping) -> dict:
    """A search's stages and depth: so many blocks in each stage."""
    stages, depth = setting.get("stages"), setting.get("depth") or 1
    return {"depth": (depth,) * stages} if stages else {}


@register(
    space={
        "stages": (1, 3),
        "depth": (1, 3),
        "width": [8, 16, 32, 64],
        "normalization": ["batch", "group", "layer"],
        "norm_position": list(ORDERS),
        **trunk.INGREDIENTS,
    },
    sizes=_blocks,
)
def resnet(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    depth: int | Sequence[int] = 18,
    width: int | None = None,
    width_factor: float = 1.0,
    groups: int = 1,
    group_width: int = 4,
    bottleneck: bool | None = None,
    squeeze_excitation: int = 0,
    zero_init_last: bool = False,
    stem: str = "auto",
    convention: str = "keras",
    activation="relu",
    normalization="batch",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout=0.0,
    drop_path: float = 0.0,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """A residual network: ResNet, Wide ResNet, ResNeXt, SE-ResNet.

    Args:
        input_shape: (height, width, channels); None for a side of any size.
        num_classes: as for `mlp`.
        depth: 18, 34, 50, 101 or 152; for CIFAR 20, 32, 44, 56 or 110, or as Wide ResNet 16, 22,
            28 or 40; or the blocks of each stage.
        width: filters of the first stage; each further stage has twice as many. 64 by default, 16
            with the depths for CIFAR.
        width_factor: by which the 3 × 3 convolutions are wider (Wide ResNet).
        groups: of channels in the 3 × 3 convolution of a bottleneck (ResNeXt).
        group_width: channels of each of several groups in the first stage.
        bottleneck: whether blocks are bottlenecks; by default from 50 layers up.
        squeeze_excitation: by which it narrows the channels, 16 in the paper; 0 for none.
        zero_init_last: whether the last norm of each block starts with a scale of 0.
        stem: "large" (7 × 7 with stride 2, then pooling), "small" (3 × 3), or "auto": large from
            96 pixels up.
        convention: "keras" or "torch": whose padding, and whose epsilon and momentum of batch
            normalization; PyTorch's weights are right with "torch".
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" or "after" the activation (v1), or "preactivation" (v2).
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share of channels dropped after each activation inside the blocks.
        drop_path: the rate of the last block's stochastic depth; the first has none.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "resnet", then "resnet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1512.03385 (v1), 1603.05027 (v2), 1605.07146 (wide), 1611.05431 (groups) and
        1709.01507 (squeeze-and-excitation).

    Example:
        >>> model = resnet((32, 32, 3), 10, depth=(1, 1), width=8, norm_position="preactivation")
        >>> model.output_shape
        (None, 10)
    """
    config = BlockConfig(
        activation=activation,
        normalization=normalization,
        norm_position=norm_position,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=kernel_regularizer,
        kernel_constraint=kernel_constraint,
        bias_initializer=bias_initializer,
        dropout=dropout,
        zero_init_last=zero_init_last,
        seed=seed,
        **find(convention, trunk.CONVENTIONS, what="convention"),
    )
    shape = trunk.picture_shape(input_shape, 4)
    if trunk.are_several(depth):
        stages, deep = trunk.positive("depth", depth), False
    else:
        stages, deep = trunk.published("depth", depth, ALL_DEPTHS)
    bottleneck = deep if bottleneck is None else TRUTH("bottleneck", bottleneck)
    narrow = isinstance(depth, Hashable) and depth in SMALL_DEPTHS
    filters = (16 if narrow else 64) if width is None else width
    filters = COUNT("width", filters)
    reduction, groups = WHOLE("squeeze_excitation", squeeze_excitation), COUNT("groups", groups)
    rates = iter(rising(drop_path, sum(stages)))
    factor, group_width = POSITIVE("width_factor", width_factor), COUNT("group_width", group_width)
    wider = _Widths(filters, factor, groups, group_width, bottleneck)
    inputs, x = trunk.begin(shape, scaling)
    x = _stem(x, filters, config, trunk.large_stem(stem, shape))
    for stage, repeats in enumerate(stages):
        for repeat in range(repeats):
            block = f"layer{stage + 1}_{repeat}"
            x = residual_block(
                x,
                wider.filters(stage),
                config,
                strides=2 if stage and not repeat else 1,
                bottleneck=bottleneck,
                inner=wider.inner(stage),
                groups=groups,
                ending=_ending(config, reduction, block),
                drop_path=next(rates),
                name=block,
            )
    if norm_position == "preactivation":
        x = norm_and_activation(x, config, name="norm")
    return trunk.finish(inputs, x, num_classes, task, config, name, "resnet")


@dataclass(frozen=True)
class _Widths:
    """The channels of each stage's blocks."""

    width: int
    factor: float
    groups: int
    group_width: int
    bottleneck: bool

    def __post_init__(self):
        if self.groups > 1 and not self.bottleneck:
            raise ValueError(f"groups: {self.groups} need bottlenecks; they have none to divide.")

    def filters(self, stage: int) -> int:
        """Those that a block's width is counted by."""
        filters = self.width * 2**stage
        return filters if self.bottleneck else max(1, int(filters * self.factor))

    def inner(self, stage: int) -> int:
        """Those of the 3 × 3 convolution."""
        if self.groups > 1:
            return self.groups * max(1, int(self.group_width * self.factor)) * 2**stage
        return max(1, int(self.width * self.factor)) * 2**stage


def _stem(x, width: int, config: BlockConfig, large: bool):
    """7 × 7 and pooling, or 3 × 3; of a preactivated network the first block brings the norm."""
    kernel_size, strides = (7, 2) if large else (3, 1)
    how = {"kernel_size": kernel_size, "strides": strides}
    if config.norm_position == "preactivation":
        x = bare_convolution(x, width, config, **how, name="conv1")
    else:
        x = conv_block(x, width, config, **how, names=("conv1", "bn1"))
    return trunk.wide_pool(x, symmetric=config.symmetric) if large else x


def _ending(config: BlockConfig, reduction: int, name: str) -> Callable:
    """What is done to a block's convolutions before the sum."""

    def ending(y):
        if reduction:
            y = squeeze_and_excite(y, max(1, y.shape[-1] // reduction), config, name=f"{name}_se")
        return y

    return ending
