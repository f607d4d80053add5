"""EfficientNet."""

import math
from collections.abc import Sequence

import keras

from recipes.blocks import PLAIN, BlockConfig, conv_block, rising
from recipes.classifiers import trunk
from recipes.classifiers.inverted import Squeeze, inverted_residual, names_in_row
from recipes.classifiers.registry import register
from recipes.rules import POSITIVE

# By which the filters and the repeats are multiplied (the authors' repository).
SIZES = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
}
# Expansion, kernel size, stride of the first, filters, repeats (table 1).
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
COLUMNS = ("expansion", "kernel_size", "stride", "filters", "repeats")
STEM, HEAD = 32, 1280


@register(
    space={
        "width": [0.25, 0.5, 1.0],
        "depth": [0.5, 1.0],
        "normalization": ["batch", "group"],
        "norm_position": list(PLAIN),
        "drop_path": (0.0, 0.3),
        **trunk.INGREDIENTS,
    }
)
def efficientnet(
    input_shape: Sequence[int | None],
    num_classes: int,
    *,
    size: str = "b0",
    width: float | None = None,
    depth: float | None = None,
    stages: Sequence[Sequence[int]] = STAGES,
    stem: str = "auto",
    activation="silu",
    normalization="batch",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """EfficientNet: inverted residuals with squeeze-and-excitation, scaled in width and depth.

    Args:
        input_shape: (height, width, channels); None for a side of any size.
        num_classes: as for `mlp`.
        size: "b0" to "b7".
        width: by which the filters are multiplied, instead of the size's.
        depth: by which the repeats are multiplied, instead of the size's.
        stages: (expansion, kernel size, stride of the first, filters, repeats) of each.
        stem: "large" (stride 2), "small" (stride 1), or "auto": large from 96 pixels up.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share of features dropped before the classifier; 0.2 (b0) to 0.5 (b7) in the
            paper.
        drop_path: the rate of the last block's stochastic depth; 0.2 in the paper.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "efficientnet", then "efficientnet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1905.11946.

    Example:
        >>> efficientnet((32, 32, 3), 10, width=0.25, depth=0.5).output_shape
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
        seed=seed,
        **trunk.CONVENTIONS["torch"],
    ).but(dropout=0.0)
    factors = trunk.published("size", size, SIZES)
    wider = POSITIVE("width", factors[0] if width is None else width)
    deeper = POSITIVE("depth", factors[1] if depth is None else depth)
    shape = trunk.picture_shape(input_shape, 2)
    table = trunk.rows("stages", stages, COLUMNS)
    counts = [math.ceil(row[-1] * deeper) for row in table]
    rates = iter(rising(drop_path, sum(counts)))
    strides = 2 if trunk.large_stem(stem, shape) else 1
    inputs, x = trunk.begin(shape, scaling)
    names = ("features_0_0", "features_0_1")
    x = conv_block(x, trunk.multiple_of_8(STEM * wider), config, strides=strides, names=names)
    for index, (row, repeats) in enumerate(zip(table, counts, strict=True), start=1):
        expansion, kernel_size, stride, filters, _ = row
        for repeat in range(repeats):
            x = inverted_residual(
                x,
                trunk.multiple_of_8(filters * wider),
                config,
                expanded=expansion * x.shape[-1],
                kernel_size=kernel_size,
                strides=1 if repeat else stride,
                squeeze=Squeeze(max(1, x.shape[-1] // 4)),
                rate=next(rates),
                names=names_in_row(
                    f"features_{index}_{repeat}_block", expands=expansion != 1, squeezes=True
                ),
            )
    names = (f"features_{len(table) + 1}_0", f"features_{len(table) + 1}_1")
    x = conv_block(x, trunk.multiple_of_8(HEAD * wider), config, kernel_size=1, names=names)
    return trunk.finish(inputs, x, num_classes, task, config, name, "efficientnet", dropout=dropout)
