"""Networks of inverted residuals: MobileNet v2."""

from collections.abc import Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, conv_block, depthwise_block
from recipes.classifiers import trunk
from recipes.classifiers.registry import register

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
    bias_initializer: float = 0.0,
    dropout: float = 0.0,
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
        bias_initializer: a constant.
        dropout: the share of channels dropped after each activation.
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
        bias_initializer=bias_initializer,
        dropout=dropout,
        seed=seed,
    )
    shape = trunk.picture_shape(input_shape, 2)
    if not width > 0:
        raise ValueError(f"width: {width!r} is not positive.")
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
            )
    x = conv_block(x, _multiple_of_8(1280 * max(width, 1.0)), config, kernel_size=1)
    return trunk.finish(inputs, x, num_classes, task, config, name, "mobilenet")


def _inverted_residual(
    x, filters: int, config: BlockConfig, *, expansion: int, kernel_size: int, strides: int
):
    """Wide, depthwise, narrow without an activation; added to its input where the shapes agree."""
    y = x
    if expansion != 1:
        y = conv_block(y, expansion * x.shape[-1], config, kernel_size=1)
    y = depthwise_block(y, config, kernel_size=kernel_size, strides=strides)
    y = conv_block(y, filters, config, kernel_size=1, activate=False)
    return layers.Add()([x, y]) if x.shape == y.shape else y


def _multiple_of_8(filters: float) -> int:
    """The nearest multiple of 8, not more than a tenth below."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
