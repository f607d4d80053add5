"""Networks for small devices: MobileNet v1, v2 and v3."""

from collections.abc import Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, conv_block, dense_block, depthwise_block, rising
from recipes.classifiers import trunk
from recipes.classifiers.inverted import Names, Squeeze, inverted_residual, names_in_row
from recipes.classifiers.registry import register
from recipes.classifiers.trunk import multiple_of_8
from recipes.lookup import find
from recipes.rules import COUNT, POSITIVE

# Filters and stride of each block (arXiv 1704.04861, table 1).
V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
# Expansion, filters, repeats, stride of the first (arXiv 1801.04381, table 2).
V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# Kernel size, expanded channels, filters, whether it squeezes, activation, stride (arXiv
# 1905.02244, tables 1 and 2).
RELU, HARD = "relu", "hard_silu"
V3 = {
    "large": (
        (3, 16, 16, False, RELU, 1),
        (3, 64, 24, False, RELU, 2),
        (3, 72, 24, False, RELU, 1),
        (5, 72, 40, True, RELU, 2),
        (5, 120, 40, True, RELU, 1),
        (5, 120, 40, True, RELU, 1),
        (3, 240, 80, False, HARD, 2),
        (3, 200, 80, False, HARD, 1),
        (3, 184, 80, False, HARD, 1),
        (3, 184, 80, False, HARD, 1),
        (3, 480, 112, True, HARD, 1),
        (3, 672, 112, True, HARD, 1),
        (5, 672, 160, True, HARD, 2),
        (5, 960, 160, True, HARD, 1),
        (5, 960, 160, True, HARD, 1),
    ),
    "small": (
        (3, 16, 16, True, RELU, 2),
        (3, 72, 24, False, RELU, 2),
        (3, 88, 24, False, RELU, 1),
        (5, 96, 40, True, HARD, 2),
        (5, 240, 40, True, HARD, 1),
        (5, 240, 40, True, HARD, 1),
        (5, 120, 48, True, HARD, 1),
        (5, 144, 48, True, HARD, 1),
        (5, 288, 96, True, HARD, 2),
        (5, 576, 96, True, HARD, 1),
        (5, 576, 96, True, HARD, 1),
    ),
}
LAST = {"large": 1280, "small": 1024}  # units of version 3 before the classifier
COLUMNS = {
    1: ("filters", "stride"),
    2: ("expansion", "filters", "repeats", "stride"),
    3: ("kernel_size", "expanded", "filters", "squeezes", "activation", "stride"),
}


@register(
    space={
        "width": [0.25, 0.5, 1.0],
        "normalization": ["batch", "group"],
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    }
)
def mobilenet(
    input_shape: Sequence[int | None],
    num_classes: int,
    *,
    version: int = 2,
    size: str | None = None,
    width: float = 1.0,
    stages: Sequence[Sequence] | None = None,
    kernel_size: int | None = None,
    stem: str = "auto",
    convention: str = "keras",
    activation="auto",
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
    """Depthwise convolutions: MobileNet v1; with inverted residuals and linear bottlenecks v2, v3.

    Args:
        input_shape: (height, width, channels); None for a side of any size.
        num_classes: as for `mlp`.
        version: 1, 2 or 3.
        size: of version 3: "large" (the default) or "small".
        width: by which every number of filters is multiplied, to multiples of 8.
        stages: instead of the paper's, a row each. Version 1: (filters, stride) of a block; 2:
            (expansion, filters, repeats, stride of the first); 3: (kernel size, expanded channels,
            filters, whether it squeezes, activation, stride) of a block.
        kernel_size: side of the depthwise kernels of versions 1 and 2; 3 by default.
        stem: "large" (stride 2), "small" (stride 1), or "auto": large from 96 pixels up.
        convention: "keras" or "torch": whose padding, and whose epsilon and momentum of batch
            normalization; PyTorch's weights are right with "torch".
        activation: name, function or layer; "auto" is the paper's: relu (v1), relu6 (v2), relu
            and then hard_silu (v3).
        normalization: name or layer.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share of channels dropped after each activation.
        drop_path: the rate of the last block's stochastic depth; version 1 has none.
        zero_init_last: whether each block begins as its shortcut alone, by a scale of 0 in its last
            norm; of versions 2 and 3.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "mobilenet", then "mobilenet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1704.04861 (v1), 1801.04381 (v2), 1905.02244 (v3).

    Example:
        >>> model = mobilenet((32, 32, 3), 10, stages=((1, 16, 1, 1), (6, 24, 2, 2)))
        >>> model.output_shape
        (None, 10)
    """
    build = trunk.published("version", version, {1: _v1, 2: _v2, 3: _v3})
    if size is not None and version != 3:
        raise ValueError(f"size: version {version} has none; it has a width.")
    size = "large" if size is None else size
    table = {1: V1, 2: V2, 3: trunk.published("size", size, V3)}[version]
    own = {1: RELU, 2: "relu6", 3: HARD}[version]
    usual = isinstance(activation, str) and activation == "auto"
    conventions = dict(find(convention, trunk.CONVENTIONS, what="convention"))
    if version == 3:
        conventions.pop("norm_options", None)  # theirs are Keras' own
    config = BlockConfig(
        activation=own if usual else activation,
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
        **conventions,
    )
    shape = trunk.picture_shape(input_shape, 2)
    width = POSITIVE("width", width)
    kernel_size = None if kernel_size is None else COUNT("kernel_size", kernel_size)
    if kernel_size is not None and version == 3:
        raise ValueError("kernel_size: version 3 has one in each row of its stages.")
    for option, given in (("drop_path", drop_path), ("zero_init_last", zero_init_last)):
        if given and version == 1:
            raise ValueError(f"{option}: version 1 has no blocks that are added to their input.")
    stages = trunk.rows("stages", table if stages is None else stages, COLUMNS[version])
    strides = 2 if trunk.large_stem(stem, shape) else 1
    inputs, x = trunk.begin(shape, scaling)
    filters = multiple_of_8((16 if version == 3 else 32) * width)
    x = conv_block(x, filters, config, strides=strides, names=("features_0_0", "features_0_1"))
    how = {"kernel_size": kernel_size or 3} if version < 3 else {"fixed": not usual}
    x = build(x, stages, config, width, drop_path=drop_path, **how)
    if version == 3:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        last = multiple_of_8(LAST[size] * width)
        x = dense_block(x, last, trunk.without_norm(config), names=("classifier_0", None))
    return trunk.finish(inputs, x, num_classes, task, config, name, "mobilenet")


def _v1(x, stages, config: BlockConfig, width: float, *, kernel_size: int, drop_path: float):
    """Each convolution in two: depthwise, then of one place."""
    for filters, stride in stages:
        x = depthwise_block(x, config, kernel_size=kernel_size, strides=stride)
        x = conv_block(x, multiple_of_8(filters * width), config, kernel_size=1)
    return x


def _v2(x, stages, config: BlockConfig, width: float, *, kernel_size: int, drop_path: float):
    """Inverted residuals, and a wide convolution of one place at the end."""
    blocks = [
        (expansion, filters, 1 if repeat else stride)
        for expansion, filters, repeats, stride in stages
        for repeat in range(repeats)
    ]
    rates = rising(drop_path, len(blocks))
    for index, (expansion, filters, stride) in enumerate(blocks, start=1):
        x = inverted_residual(
            x,
            multiple_of_8(filters * width),
            config,
            expanded=expansion * x.shape[-1],
            kernel_size=kernel_size,
            strides=stride,
            rate=rates[index - 1],
            names=_names(f"features_{index}_conv", expands=expansion != 1),
        )
    names = (f"features_{len(blocks) + 1}_0", f"features_{len(blocks) + 1}_1")
    return conv_block(x, multiple_of_8(1280 * max(width, 1.0)), config, kernel_size=1, names=names)


def _names(block: str, *, expands: bool) -> Names:
    """Torchvision's of version 2, where the projection is not in a part of its own."""
    last = 1 + expands
    names = names_in_row(block, expands=expands, squeezes=False)
    return Names(names.expand, names.depthwise, None, (f"{block}_{last}", f"{block}_{last + 1}"))


def _v3(x, stages, config: BlockConfig, width: float, *, fixed: bool, drop_path: float):
    """Inverted residuals, some of which squeeze; with one activation for all where it is fixed."""
    rates = rising(drop_path, len(stages))
    for index, (kernel_size, expanded, filters, squeezes, own, stride) in enumerate(stages, 1):
        expanded = multiple_of_8(expanded * width)
        between = config.activation if fixed else RELU
        x = inverted_residual(
            x,
            multiple_of_8(filters * width),
            config if fixed else config.but(activation=own),
            expanded=expanded,
            kernel_size=kernel_size,
            strides=stride,
            squeeze=Squeeze(multiple_of_8(expanded // 4), "hard_sigmoid", between)
            if squeezes
            else None,
            rate=rates[index - 1],
            names=names_in_row(
                f"features_{index}_block", expands=expanded != x.shape[-1], squeezes=squeezes
            ),
        )
    names = (f"features_{len(stages) + 1}_0", f"features_{len(stages) + 1}_1")
    return conv_block(x, multiple_of_8(6 * x.shape[-1]), config, kernel_size=1, names=names)
