"""VGG."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, conv_block, dense_block
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.ingredients.normalization import canonical_name, of_kernels_alone

# Convolutions of each stage (table 1, columns A, B, D and E).
DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
WIDTHS = (64, 128, 256, 512, 512)


def _stages(setting: Mapping) -> dict:
    """A search's stages, depth and width: each stage twice as wide as the one before."""
    stages, depth = setting.get("stages"), setting.get("depth") or 1
    width = setting.get("width") or 64
    if not stages:
        return {}
    return {
        "depth": (depth,) * stages,
        "widths": tuple(width * 2**stage for stage in range(stages)),
    }


@register(
    space={
        "stages": (1, 4),
        "depth": (1, 3),
        "width": [16, 32, 64],
        "units": [(64,), (256,), (256, 256)],
        "normalization": trunk.NORMS,
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    },
    sizes=_stages,
)
def vgg(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    depth: int | Sequence[int] = 16,
    widths: Sequence[int] | None = None,
    units: Sequence[int] = (4096, 4096),
    activation="relu",
    normalization="none",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout=0.5,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """VGG: stages of 3 × 3 convolutions with pooling after each, then dense layers.

    Args:
        input_shape: (height, width, channels).
        num_classes: as for `mlp`.
        depth: 11, 13, 16 or 19; or the convolutions of each stage.
        widths: filters of each stage; (64, 128, 256, 512, 512) by default.
        units: width of each dense layer.
        activation: name, function or layer.
        normalization: of the convolutions: name or layer; "batch" is torchvision's `vgg16_bn`.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after each activation of the dense layers.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "vgg", then "vgg_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1409.1556.

    Example:
        >>> model = vgg((32, 32, 3), 10, depth=(1, 1), widths=(8, 16), units=(32,))
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
        seed=seed,
        norm_options=trunk.BATCH_OF_TORCH,
    )
    blocks = trunk.blocks_of(depth, DEPTHS)
    widths = trunk.positive("widths", WIDTHS[: len(blocks)] if widths is None else widths)
    if len(widths) != len(blocks):
        raise ValueError(f"widths: {len(widths)} for {len(blocks)} stages of depth.")
    shape = trunk.picture_shape(input_shape, 2 ** len(blocks), fixed=True)
    maps = config.but(dropout=0.0)
    bare = canonical_name(normalization) == "none" or of_kernels_alone(normalization)
    step = 2 if bare else 3  # torchvision counts all layers
    inputs, x = trunk.begin(shape, scaling)
    index = 0
    for width, repeats in zip(widths, blocks, strict=True):
        for _ in range(repeats):
            x = conv_block(x, width, maps, names=(f"features_{index}", f"features_{index + 1}"))
            index += step
        x = layers.MaxPooling2D(2)(x)
        index += 1
    x = layers.Flatten()(x)
    for index, width in enumerate(trunk.positive("units", units)):
        names = (f"classifier_{3 * index}", None)
        x = dense_block(x, width, trunk.without_norm(config), names=names)
    return trunk.finish(inputs, x, num_classes, task, config, name, "vgg")
