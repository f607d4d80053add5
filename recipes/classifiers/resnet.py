"""Residual networks."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import (
    ORDERS,
    BlockConfig,
    bare_convolution,
    conv_block,
    norm_and_activation,
    residual_block,
    rising,
)
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.rules import COUNT

# Blocks of each stage, and whether they are bottlenecks (arXiv 1512.03385, table 1).
DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
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
    width: int = 64,
    bottleneck: bool | None = None,
    stem: str = "auto",
    activation="relu",
    normalization="batch",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout=0.0,
    drop_path: float = 0.0,
    zero_init_last: bool = False,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """A residual network.

    Args:
        input_shape: (height, width, channels).
        num_classes: as for `mlp`.
        depth: 18, 34, 50, 101 or 152; or the blocks of each stage.
        width: filters of the first stage; each further stage has twice as many.
        bottleneck: whether blocks are bottlenecks; by default from 50 layers up.
        stem: "large" (7 × 7 with stride 2, then pooling), "small" (3 × 3), or "auto": large from
            96 pixels up.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" or "after" the activation (v1), or "preactivation" (v2).
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share of channels dropped after each activation inside the blocks; or a dropout
            by name or layer, as for `mlp`.
        drop_path: the share of samples that skip the last block in training, rising from 0 at the
            first: stochastic depth.
        zero_init_last: whether each block begins as its shortcut alone, by a scale of 0 in its last
            norm.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "resnet", then "resnet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1512.03385 (v1) and 1603.05027 (v2).

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
    )
    stages, deep = _stages(depth)
    bottleneck = deep if bottleneck is None else bottleneck
    shape = trunk.picture_shape(input_shape, 4)
    large = trunk.large_stem(stem, shape)
    preactivated = norm_position == "preactivation"
    width = COUNT("width", width)
    rates = iter(rising(drop_path, sum(stages)))
    inputs, x = trunk.begin(shape, scaling)
    first = bare_convolution if preactivated else conv_block  # the first block brings the norm
    kernel_size, strides = (7, 2) if large else (3, 1)
    x = first(x, width, config, kernel_size=kernel_size, strides=strides)
    if large:
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, repeats in enumerate(stages):
        for repeat in range(repeats):
            x = residual_block(
                x,
                width * 2**stage,
                config,
                strides=2 if stage and not repeat else 1,
                bottleneck=bottleneck,
                drop_path=next(rates),
            )
    if preactivated:
        x = norm_and_activation(x, config)
    return trunk.finish(inputs, x, num_classes, task, config, name, "resnet")


def _stages(depth) -> tuple[list[int], bool]:
    """The blocks of each stage, and whether they are bottlenecks."""
    if isinstance(depth, Hashable) and depth in DEPTHS:
        blocks, deep = DEPTHS[depth]
        return list(blocks), deep
    if not isinstance(depth, Iterable) or isinstance(depth, str):
        raise ValueError(f"depth: {depth!r} is not among {', '.join(map(str, DEPTHS))}.")
    return trunk.positive("depth", depth), False
