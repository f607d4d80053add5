"""ConvNeXt."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import (
    DEPTHWISE,
    PLAIN,
    BlockConfig,
    added,
    bare_convolution,
    depthwise_options,
    normalized,
    rising,
    wrapped,
)
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.classifiers.residual import LayerScale
from recipes.classifiers.tokens import OF_TORCH, dense, dropped
from recipes.ingredients import activations
from recipes.rules import COUNT

# Channels and blocks of each stage (section 3.2).
SIZES = {
    "tiny": ((96, 192, 384, 768), (3, 3, 9, 3)),
    "small": ((96, 192, 384, 768), (3, 3, 27, 3)),
    "base": ((128, 256, 512, 1024), (3, 3, 27, 3)),
    "large": ((192, 384, 768, 1536), (3, 3, 27, 3)),
    "xlarge": ((256, 512, 1024, 2048), (3, 3, 27, 3)),
}
WIDER = 4  # by which the dense layers of a block are


def _stages(setting: Mapping) -> dict:
    """A search's stages, depth and width: each stage twice as wide as the one before."""
    stages, depth, width = (setting.get(name) for name in ("stages", "depth", "width"))
    if not stages:
        return {}
    widths = tuple((width or 32) * 2**stage for stage in range(stages))
    return {"widths": widths, "depths": (depth or 1,) * stages}


@register(
    space={
        "stages": (1, 3),
        "depth": (1, 3),
        "width": [16, 32, 48],
        "patch_size": [2, 4],
        "normalization": ["layer", "rms", "batch"],
        "norm_position": list(PLAIN),
        "drop_path": (0.0, 0.3),
        **trunk.INGREDIENTS,
    },
    sizes=_stages,
)
def convnext(
    input_shape: Sequence[int | None],
    num_classes: int,
    *,
    size: str = "tiny",
    widths: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    patch_size: int = 4,
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
    """ConvNeXt: 7 × 7 depthwise convolutions, then two dense layers at each place.

    Args:
        input_shape: (height, width, channels); None for a side of any size.
        num_classes: as for `mlp`.
        size: "tiny", "small", "base", "large" or "xlarge".
        widths: channels of each stage, instead of the size's.
        depths: blocks of each stage, instead of the size's.
        patch_size: side of the patches of the stem; smaller suits smaller pictures.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: of a block's norm: "before" both dense layers, as in the paper, or "after"
            the activation between them.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after each activation.
        drop_path: the rate of the last block's stochastic depth; 0.1 (tiny) to 0.5 (large) in the
            paper.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "convnext", then "convnext_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 2201.03545.

    Example:
        >>> convnext((32, 32, 3), 10, widths=(8, 16), depths=(1, 1)).output_shape
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
        norm_options=OF_TORCH,
    )
    usual = trunk.published("size", size, SIZES)
    widths = trunk.positive("widths", usual[0] if widths is None else widths)
    depths = trunk.positive("depths", usual[1] if depths is None else depths)
    if len(widths) != len(depths):
        raise ValueError(f"widths: {len(widths)} for {len(depths)} stages of depths.")
    patch_size = COUNT("patch_size", patch_size)
    shape = trunk.picture_shape(input_shape, patch_size * 2 ** (len(depths) - 1))
    rates = iter(rising(drop_path, sum(depths)))
    inputs, x = trunk.begin(shape, scaling)
    x = _shrunk(x, widths[0], config, patch_size, "stem_0")
    x = normalized(x, config, name="stem_1")
    for stage, (width, repeats) in enumerate(zip(widths, depths, strict=True)):
        if stage:
            x = normalized(x, config, name=f"stages_{stage}_downsample_0")
            x = _shrunk(x, width, config, 2, f"stages_{stage}_downsample_1")
        for repeat in range(repeats):
            x = _block(x, config, next(rates), f"stages_{stage}_blocks_{repeat}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = normalized(x, config, name="head_norm")
    return trunk.finish(inputs, x, num_classes, task, config, name, "convnext")


def _shrunk(x, width: int, config: BlockConfig, side: int, name: str):
    """Patches of so many places, each projected to so many channels."""
    how = {"kernel_size": side, "strides": side, "padding": 0}
    return bare_convolution(x, width, config, **how, name=name)


def _block(x, config: BlockConfig, rate: float, name: str):
    """Each channel by its neighbourhood, then all channels of a place by two dense layers."""
    channels = x.shape[-1]
    y = _depthwise(x, config, f"{name}_conv_dw")
    if config.norm_position == "before":
        y = normalized(y, config, name=f"{name}_norm")
    activation = config.new_activation()
    wide = activations.kernel_units(activation, WIDER * channels)
    y = dense(y, wide, config, activation=activation, name=f"{name}_mlp_fc1")
    y = activations.applied(activation, y)
    if config.norm_position == "after":
        y = normalized(y, config, name=f"{name}_norm")
    y = dense(dropped(y, config), channels, config, name=f"{name}_mlp_fc2")
    y = LayerScale(name=f"{name}_gamma")(y)
    return added(x, y, config, rate)


def _depthwise(x, config: BlockConfig, name: str):
    options = depthwise_options(config.kernel_options(None, use_bias=True, axis=DEPTHWISE))
    return wrapped(layers.DepthwiseConv2D(7, padding="same", name=name, **options), config)(x)
