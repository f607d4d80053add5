"""Networks of inverted residuals: MobileNet v2."""

from collections.abc import Sequence

import keras

from recipes.blocks import (
    PLAIN,
    BlockConfig,
    added,
    conv_block,
    depthwise_block,
    rising,
)
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.rules import COUNT, POSITIVE

# Expansion, filters, repeats, stride of the first (arXiv 1801.04381, table 2).
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@register(
    space={
        "width": [0.25, 0.5, 1.0],
        "normalization": ["batch", "group"],
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    }
)
def mobilenet(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    width: float = 1.0,
    stages: Sequence[Sequence[int]] = STAGES,
    kernel_size: int = 3,
    stem: str = "auto",
    activation="relu6",
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
    """Inverted residuals with linear bottlenecks: MobileNet v2.

    Args:
        input_shape: (height, width, channels).
        num_classes: as for `mlp`.
        width: by which every number of filters is multiplied, to multiples of 8.
        stages: (expansion, filters, repeats, stride of the first) of each.
        kernel_size: side of the depthwise kernels.
        stem: "large" (stride 2), "small" (stride 1), or "auto": large from 96 pixels up.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share of channels dropped after each activation; or a dropout by
            name or layer, as for `mlp`.
        drop_path: the share of samples that skip the last block in training, rising from 0 at the
            first: stochastic depth.
        zero_init_last: whether each block begins as its shortcut alone, by a scale of 0 in its last
            norm.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "mobilenet", then "mobilenet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1801.04381.

    Example:
        >>> model = mobilenet((32, 32, 3), 10, stages=((1, 16, 1, 1), (6, 24, 2, 2)))
        >>> model.output_shape
        (None, 10)
    """
    config = BlockConfig(
        activation=activation,
        normalization=normalization,
        norm_position=norm_position,
        positions=PLAIN,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=kernel_regularizer,
        kernel_constraint=kernel_constraint,
        bias_initializer=bias_initializer,
        dropout=dropout,
        zero_init_last=zero_init_last,
        seed=seed,
    )
    shape = trunk.picture_shape(input_shape, 2)
    width, kernel_size = POSITIVE("width", width), COUNT("kernel_size", kernel_size)
    stages = [_stage(stage) for stage in trunk.several("stages", stages)]
    rates = iter(rising(drop_path, sum(repeats for _, _, repeats, _ in stages)))
    strides = 2 if trunk.large_stem(stem, shape) else 1
    inputs, x = trunk.begin(shape, scaling)
    x = conv_block(x, _multiple_of_8(32 * width), config, strides=strides)
    for expansion, filters, repeats, stride in stages:
        for repeat in range(repeats):
            x = _inverted_residual(
                x,
                _multiple_of_8(filters * width),
                config,
                expansion=expansion,
                kernel_size=kernel_size,
                strides=1 if repeat else stride,
                drop_path=next(rates),
            )
    x = conv_block(x, _multiple_of_8(1280 * max(width, 1.0)), config, kernel_size=1)
    return trunk.finish(inputs, x, num_classes, task, config, name, "mobilenet")


def _stage(stage) -> list[int]:
    """The four numbers of a stage."""
    numbers = trunk.positive("stages", stage)
    if len(numbers) != 4:
        raise ValueError(
            f"stages: {stage!r} is not (expansion, filters, repeats, stride of the first)."
        )
    return numbers


def _inverted_residual(
    x,
    filters: int,
    config: BlockConfig,
    *,
    expansion: int,
    kernel_size: int,
    strides: int,
    drop_path: float,
):
    """Wide, depthwise, narrow without an activation; added to its input where the shapes agree."""
    y = x
    if expansion != 1:
        y = conv_block(y, expansion * x.shape[-1], config, kernel_size=1)
    y = depthwise_block(y, config, kernel_size=kernel_size, strides=strides)
    has_shortcut = (*y.shape[:-1], filters) == x.shape
    zero = config.zero_init_last and has_shortcut
    y = conv_block(y, filters, config, kernel_size=1, activate=False, zero=zero)
    return added(x, y, config, drop_path) if has_shortcut else y


def _multiple_of_8(filters: float) -> int:
    """The nearest multiple of 8, not more than a tenth below."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
