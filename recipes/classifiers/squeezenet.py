"""SqueezeNet."""

from collections.abc import Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, conv_block
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.rules import POSITIVE

POOL = "pool"
# Squeezed and expanded channels of each fire module, and the poolings, of version 1.1.
FIRES = (
    POOL, (16, 128), (16, 128), POOL, (32, 256), (32, 256), POOL, (48, 384), (48, 384), (64, 512),
    (64, 512),
)  # fmt: skip
STEM = 64


@register(
    space={
        "width": [0.25, 0.5, 1.0],
        "normalization": trunk.NORMS,
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    }
)
def squeezenet(
    input_shape: Sequence[int | None],
    num_classes: int,
    *,
    width: float = 1.0,
    activation="relu",
    normalization="none",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout: float = 0.5,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """SqueezeNet 1.1: fire modules, which squeeze the channels before they convolve.

    The classifier pools first and has no activation of its own, as in every recipe; the paper's
    has a ReLU between.

    Args:
        input_shape: (height, width, channels), from 17 pixels up; None for a side of any size.
        num_classes: as for `mlp`.
        width: by which every number of filters is multiplied, to multiples of 8.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share of features dropped before the classifier.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "squeezenet", then "squeezenet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1602.07360; version 1.1 of the authors' repository, forresti/SqueezeNet.

    Example:
        >>> squeezenet((64, 64, 3), 10, width=0.25).output_shape
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
        norm_options=trunk.BATCH_OF_TORCH,
    ).but(dropout=0.0)
    shape = trunk.picture_shape(input_shape, 17)
    POSITIVE("width", width)
    inputs, x = trunk.begin(shape, scaling)
    stem = trunk.multiple_of_8(STEM * width)
    x = conv_block(x, stem, config, strides=2, padding=0, names=("features_0", None))
    for index, fire in enumerate(FIRES, start=2):
        if fire == POOL:
            # The last window may reach over the end; a zero there is below what ReLU leaves.
            x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
        else:
            squeezed, expanded = (trunk.multiple_of_8(filters * width) for filters in fire)
            x = _fire(x, squeezed, expanded, config, f"features_{index}")
    return trunk.finish(inputs, x, num_classes, task, config, name, "squeezenet", dropout=dropout)


def _fire(x, squeezed: int, expanded: int, config: BlockConfig, name: str):
    """Few channels, of which half of the new ones see one place and half 3 × 3."""
    x = conv_block(x, squeezed, config, kernel_size=1, names=(f"{name}_squeeze", None))
    parts = [
        conv_block(x, expanded // 2, config, kernel_size=size, names=(f"{name}_{expand}", None))
        for size, expand in ((1, "expand1x1"), (3, "expand3x3"))
    ]
    return layers.Concatenate()(parts)
