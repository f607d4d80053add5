"""Plain convolutional networks for series."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, conv_block
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.lookup import find
from recipes.rules import COUNT

POOLINGS = {"max": layers.MaxPooling1D, "average": layers.AveragePooling1D}


def _widths(setting: Mapping) -> dict:
    """A search's stages and width: each stage twice as wide as the one before."""
    width, stages = setting.get("width"), setting.get("stages") or 1
    return {"widths": tuple(width * 2**stage for stage in range(stages))} if width else {}


@register(
    space={
        "stages": (1, 3),
        "depth": (1, 3),
        "width": [8, 16, 32, 64],
        "kernel_size": [3, 5, 9],
        "pooling": list(POOLINGS),
        "normalization": [*trunk.NORMS, "instance"],
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    },
    sizes=_widths,
)
def cnn1d(
    input_shape: Sequence[int | None],
    num_classes: int,
    *,
    widths: Sequence[int] = (32, 64, 128),
    depth: int = 2,
    kernel_size: int = 5,
    pooling: str = "max",
    activation="relu",
    normalization="batch",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout=0.0,
    scaling=None,
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """A plain convolutional network for series of measurements.

    Args:
        input_shape: (steps, channels); None for series of any length.
        num_classes: as for `mlp`.
        widths: filters of each stage; a pooling that halves the steps follows each.
        depth: convolutions a stage.
        kernel_size: steps of the kernels.
        pooling: "max" or "average".
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after each activation.
        scaling: as for `mlp`; each channel has its own statistics.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "cnn1d", then "cnn1d_1", … by default.

    Returns:
        (batch, steps, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range, or the series are too short for so many
            poolings.

    Example:
        >>> cnn1d((None, 6), 3, widths=(8, 16)).output_shape
        (None, 3)
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
    )
    widths = trunk.positive("widths", widths)
    depth, kernel_size = COUNT("depth", depth), COUNT("kernel_size", kernel_size)
    shape = trunk.series_shape(input_shape, 2 ** len(widths))
    make_pooling = find(pooling, POOLINGS, what="pooling")
    inputs, x = trunk.begin(shape, scaling)
    for width in widths:
        for _ in range(depth):
            x = conv_block(x, width, config, kernel_size=kernel_size)
        x = make_pooling(2)(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return trunk.finish(inputs, x, num_classes, task, config, name, "cnn1d")
