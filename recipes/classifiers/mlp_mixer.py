"""MLP-Mixer."""

from collections.abc import Sequence

import keras
from keras import layers

from recipes.blocks import BlockConfig, rising
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.classifiers.tokens import (
    OF_TORCH,
    PLACES,
    added,
    check_patches,
    ended,
    patches,
    two_dense,
)
from recipes.rules import COUNT

# Channels, blocks (table 1); the dense layers over tokens are half as wide, those over channels 4
# times.
SIZES = {"small": (512, 8), "base": (768, 12), "large": (1024, 24)}


@register(
    space={
        "width": [64, 96, 128, 192],
        "depth": (2, 8),
        "patch_size": 4,
        "normalization": ["layer", "rms", "batch"],
        "norm_position": list(PLACES),
        "drop_path": (0.0, 0.3),
        **trunk.INGREDIENTS,
    }
)
def mlp_mixer(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    size: str = "base",
    patch_size: int = 16,
    width: int | None = None,
    depth: int | None = None,
    activation="gelu",
    normalization="layer",
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
    """MLP-Mixer: dense layers over the patches of a picture, and over their channels, in turn.

    Args:
        input_shape: (height, width, channels), multiples of the patch size.
        num_classes: as for `mlp`.
        size: "small", "base" or "large".
        patch_size: side of the patches.
        width: channels, instead of the size's.
        depth: blocks, instead of the size's.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" the dense layers, "after" the sum, or "both" before them and after
            them.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after each dense layer.
        drop_path: the rate of the last block's stochastic depth; the first has none.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "mlp_mixer", then "mlp_mixer_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 2105.01601.

    Example:
        >>> mlp_mixer((32, 32, 3), 10, patch_size=8, width=32, depth=2).output_shape
        (None, 10)
    """
    config = BlockConfig(
        activation=activation,
        normalization=normalization,
        norm_position=norm_position,
        positions=PLACES,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=kernel_regularizer,
        kernel_constraint=kernel_constraint,
        bias_initializer=bias_initializer,
        dropout=dropout,
        seed=seed,
        norm_options=OF_TORCH,
    )
    usual = trunk.published("size", size, SIZES)
    channels = COUNT("width", usual[0] if width is None else width)
    blocks = COUNT("depth", usual[1] if depth is None else depth)
    patch_size = COUNT("patch_size", patch_size)
    shape = trunk.picture_shape(input_shape, patch_size, fixed=True)
    check_patches(shape, patch_size)
    inputs, x = trunk.begin(shape, scaling)
    x = patches(x, channels, patch_size, config, name="stem_proj")
    for index, rate in enumerate(rising(drop_path, blocks)):
        x = _block(x, config, rate, f"blocks_{index}")
    x = ended(x, config, name="norm")
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return trunk.finish(inputs, x, num_classes, task, config, name, "mlp_mixer")


def _block(x, config: BlockConfig, rate: float, name: str):
    """Over the tokens, then over the channels, each added to its input."""
    width = x.shape[-1]

    def over_tokens(x):
        names = (f"{name}_mlp_tokens_fc1", f"{name}_mlp_tokens_fc2")
        x = layers.Permute((2, 1))(x)
        return layers.Permute((2, 1))(two_dense(x, width // 2, config, names))

    def over_channels(x):
        names = (f"{name}_mlp_channels_fc1", f"{name}_mlp_channels_fc2")
        return two_dense(x, 4 * width, config, names)

    x = added(x, over_tokens, config, rate=rate, name=f"{name}_norm1")
    return added(x, over_channels, config, rate=rate, name=f"{name}_norm2")
