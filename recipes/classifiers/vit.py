"""Vision transformers."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import BlockConfig, rising
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.classifiers.tokens import (
    OF_TORCH,
    PLACES,
    ClassToken,
    PositionEmbedding,
    SelfAttention,
    added,
    check_patches,
    dense,
    dropped,
    ended,
    patches,
    two_dense,
)
from recipes.rules import COUNT

# Channels, blocks, heads (table 1; tiny and small are DeiT's, arXiv 2012.12877).
SIZES = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}
WIDER = 4  # by which the dense layers of a block are


def _heads(setting: Mapping) -> dict:
    """A search's heads: one for every 32 channels, where none are given."""
    width = setting.get("width")
    return {"heads": max(1, width // 32)} if width and "heads" not in setting else {}


@register(
    space={
        "width": [64, 96, 128, 192],
        "depth": (2, 8),
        "patch_size": 4,
        "normalization": ["layer", "rms", "batch"],
        "norm_position": list(PLACES),
        "drop_path": (0.0, 0.3),
        **trunk.INGREDIENTS,
    },
    sizes=_heads,
)
def vit(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    size: str = "base",
    patch_size: int = 16,
    width: int | None = None,
    depth: int | None = None,
    heads: int | None = None,
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
    """A vision transformer: attention between the patches of a picture.

    Args:
        input_shape: (height, width, channels), multiples of the patch size.
        num_classes: as for `mlp`.
        size: "tiny", "small", "base", "large" or "huge".
        patch_size: side of the patches.
        width: channels, instead of the size's.
        depth: blocks, instead of the size's.
        heads: of the attention, instead of the size's; they divide the width.
        activation: of the dense layers: name, function or layer.
        normalization: name or layer.
        norm_position: of attention and dense layers: "before" them, "after" the sum, or "both"
            before them and after them.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after the embedding and after each dense layer.
        drop_path: the rate of the last block's stochastic depth; the first has none.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "vit", then "vit_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 2010.11929; the norm's places: 1706.03762 (after), 2002.04745 (before), 2111.09883
        and 2105.13290 (both).

    Example:
        >>> vit((32, 32, 3), 10, patch_size=8, width=32, depth=2, heads=2).output_shape
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
    parts = COUNT("heads", usual[2] if heads is None else heads)
    if channels % parts:
        raise ValueError(f"heads: {parts} do not divide a width of {channels}.")
    patch_size = COUNT("patch_size", patch_size)
    shape = trunk.picture_shape(input_shape, patch_size, fixed=True)
    check_patches(shape, patch_size)
    inputs, x = trunk.begin(shape, scaling)
    x = patches(x, channels, patch_size, config, name="patch_embed_proj")
    x = ClassToken(config.next_seed(), name="cls_token")(x)
    x = PositionEmbedding(config.next_seed(), name="pos_embed")(x)
    x = dropped(x, config)
    for index, rate in enumerate(rising(drop_path, blocks)):
        x = _block(x, parts, config, rate, f"blocks_{index}")
    x = ended(x, config, name="norm")
    x = layers.Cropping1D((0, x.shape[1] - 1))(x)  # the class token is left
    x = layers.Flatten(name="pool")(x)
    return trunk.finish(inputs, x, num_classes, task, config, name, "vit")


def _block(x, heads: int, config: BlockConfig, rate: float, name: str):
    """Attention, then dense layers, each added to its input."""
    width = x.shape[-1]

    def attention(x):
        x = dense(x, 3 * width, config, name=f"{name}_attn_qkv")
        x = SelfAttention(heads)(x)
        return dropped(dense(x, width, config, name=f"{name}_attn_proj"), config)

    def mixing(x):
        names = (f"{name}_mlp_fc1", f"{name}_mlp_fc2")
        return two_dense(x, WIDER * width, config, names)

    x = added(x, attention, config, rate=rate, name=f"{name}_norm1")
    return added(x, mixing, config, rate=rate, name=f"{name}_norm2")
