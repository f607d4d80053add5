"""DenseNet."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import ORDERS, BlockConfig, conv_block, norm_and_activation
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.rules import COUNT

# Layers of each block, growth, filters of the stem (table 1; 161 is section 4.4's wider one).
DEPTHS = {
    121: ((6, 12, 24, 16), 32, 64),
    161: ((6, 12, 36, 24), 48, 96),
    169: ((6, 12, 32, 32), 32, 64),
    201: ((6, 12, 48, 32), 32, 64),
}
BOTTLENECK = 4  # by which a layer's first convolution is wider than the growth


def _blocks(setting: Mapping) -> dict:
    """A search's stages and depth: so many layers in each block."""
    stages, depth = setting.get("stages"), setting.get("depth") or 4
    return {"depth": (depth,) * stages} if stages else {}


@register(
    space={
        "stages": (1, 3),
        "depth": (2, 6),
        "growth": [8, 12, 24],
        "normalization": ["batch", "group", "layer"],
        "norm_position": list(ORDERS),
        **trunk.INGREDIENTS,
    },
    sizes=_blocks,
)
def densenet(
    input_shape: Sequence[int | None],
    num_classes: int,
    *,
    depth: int | Sequence[int] = 121,
    growth: int | None = None,
    stem: str = "auto",
    activation="relu",
    normalization="batch",
    norm_position: str = "preactivation",
    kernel_initializer="auto",
    kernel_regularizer=None,
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout=0.0,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """DenseNet: each layer of a block sees what all layers before it made.

    Args:
        input_shape: (height, width, channels); None for a side of any size.
        num_classes: as for `mlp`.
        depth: 121, 161, 169 or 201; or the layers of each block.
        growth: channels that a layer adds; 32 by default, 48 at depth 161.
        stem: "large" (7 × 7 with stride 2, then pooling), "small" (3 × 3), or "auto": large from
            96 pixels up.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "preactivation", as in the paper, or "before" or "after" the activation,
            with the convolution first.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share of channels dropped after each activation.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "densenet", then "densenet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1608.06993.

    Example:
        >>> densenet((32, 32, 3), 10, depth=(2, 2), growth=8).output_shape
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
        seed=seed,
        **trunk.CONVENTIONS["torch"],
    )
    if trunk.are_several(depth):
        blocks, usual = trunk.positive("depth", depth), (32 if growth is None else growth)
        first = 2 * COUNT("growth", usual)
    else:
        blocks, usual, first = trunk.published("depth", depth, DEPTHS)
    added = COUNT("growth", usual if growth is None else growth)
    large = trunk.large_stem(stem, trunk.picture_shape(input_shape, 1))
    before = 2 ** (len(blocks) - 1)  # the poolings between the blocks
    shape = trunk.picture_shape(input_shape, 4 * before - 3 if large else before)
    preactivated = norm_position == "preactivation"
    inputs, x = trunk.begin(shape, scaling)
    x = _stem(x, first, config, large=large)
    for index, repeats in enumerate(blocks, start=1):
        for layer in range(1, repeats + 1):
            y = _layer(x, added, config, f"features_denseblock{index}_denselayer{layer}")
            x = layers.Concatenate()([x, y])
        if index < len(blocks):
            x = _transition(x, config, f"features_transition{index}")
    if preactivated:
        x = norm_and_activation(x, config, name="features_norm5")
    return trunk.finish(inputs, x, num_classes, task, config, name, "densenet")


def _stem(x, filters: int, config: BlockConfig, *, large: bool):
    """As in a ResNet; also a preactivated network begins with a convolution."""
    if config.norm_position == "preactivation":
        config = config.but(norm_position="before")
    kernel_size, strides = (7, 2) if large else (3, 1)
    names = ("features_conv0", "features_norm0")
    x = conv_block(x, filters, config, kernel_size=kernel_size, strides=strides, names=names)
    return trunk.wide_pool(x) if large else x


def _layer(x, growth: int, config: BlockConfig, name: str):
    """1 × 1 to so many channels, then 3 × 3 to those that are added; each begins with a norm."""
    how = {"norm_follows": config.norm_position == "preactivation"}
    names = [(f"{name}_conv{index}", f"{name}_norm{index}") for index in (1, 2)]
    x = conv_block(x, BOTTLENECK * growth, config, kernel_size=1, names=names[0], **how)
    return conv_block(x, growth, config, names=names[1], **how)


def _transition(x, config: BlockConfig, name: str):
    """Half the channels and half the sides."""
    how = {"norm_follows": config.norm_position == "preactivation"}
    names = (f"{name}_conv", f"{name}_norm")
    x = conv_block(x, x.shape[-1] // 2, config, kernel_size=1, names=names, **how)
    return layers.AveragePooling2D(2)(x)
