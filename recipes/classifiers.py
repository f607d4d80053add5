"""Recipe functions: classifiers as plain, uncompiled Keras models."""

from collections.abc import Sequence

import keras
from keras import layers

from recipes import blocks
from recipes.blocks import BlockConfig
from recipes.heads import classification_head
from recipes.ingredients import scaling as scalings
from recipes.lookup import find

POOLINGS = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}
# Blocks of each stage, and whether they are bottlenecks (arXiv 1512.03385, table 1).
RESNETS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
# Expansion, filters, repeats, stride of the first (arXiv 1801.04381, table 2).
MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
LARGE_FROM = 96


def mlp(
    input_shape: int | Sequence[int],
    num_classes: int,
    *,
    units: Sequence[int] = (128, 64),
    activation="relu",
    normalization="none",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    bias_initializer: float = 0.0,
    dropout: float = 0.0,
    scaling=None,
    task: str = "multiclass",
    seed: int | None = None,
) -> keras.Model:
    """A multilayer perceptron for feature vectors.

    Args:
        input_shape: the number of features, or a shape that is flattened.
        num_classes: 2 or more for "multiclass"; 1 for "binary"; the number of labels for
            "multilabel".
        units: width of each hidden layer.
        activation: name, function or layer; see `recipes.activation_table()`.
        normalization: name or layer; see `recipes.normalization_table()`.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer; "auto" follows the activation.
        kernel_regularizer: "l1", "l2", "l1_l2", "lp" or a Keras regularizer; biases stay free.
        bias_initializer: a constant.
        dropout: the share dropped after each activation; 0 costs nothing.
        scaling: of the input, inside the model: a name or an adapted layer; see
            `recipes.scaling`.
        task: "multiclass" (softmax), "binary" (one sigmoid) or "multilabel" (a sigmoid a label).
        seed: of the initializers and the dropout.

    Returns:
        (batch, *input_shape) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range; the text names it.

    Example:
        >>> model = mlp(4, 3, units=(16,), activation="mish", normalization="layer", seed=0)
        >>> model.output_shape
        (None, 3)
    """
    config = _config(locals(), ("before", "after"))
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    inputs, x = _inputs(shape, scaling)
    if len(shape) > 1:
        x = layers.Flatten()(x)
    for width in _positive("units", units):
        x = blocks.dense_block(x, width, config)
    return _finish(inputs, x, num_classes, task, config, "mlp")


def cnn(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    widths: Sequence[int] = (32, 64, 128),
    depth: int = 2,
    kernel_size: int = 3,
    pooling: str = "max",
    activation="relu",
    normalization="batch",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    bias_initializer: float = 0.0,
    dropout: float = 0.0,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
) -> keras.Model:
    """A plain convolutional network in the manner of VGG.

    Args:
        input_shape: (height, width, channels).
        num_classes: as for `mlp`.
        widths: filters of each stage; a pooling that halves the maps follows each.
        depth: convolutions a stage.
        kernel_size: side of the kernels.
        pooling: "max" or "average".
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

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range, or the pictures are too small for so many
            poolings.

    Source:
        arXiv 1409.1556.

    Example:
        >>> model = cnn((32, 32, 3), 10, widths=(8, 16), norm_position="after", dropout=0.1)
        >>> model.output_shape
        (None, 10)
    """
    config = _config(locals(), ("before", "after"))
    shape = _picture_shape(input_shape, 2 ** len(widths))
    make_pooling = find(pooling, POOLINGS, what="pooling")
    _positive("depth", [depth])
    inputs, x = _inputs(shape, scaling)
    for width in _positive("widths", widths):
        for _ in range(depth):
            x = blocks.conv_block(x, width, config, kernel_size=kernel_size)
        x = make_pooling(2)(x)
    return _finish(inputs, x, num_classes, task, config, "cnn")


def resnet(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    depth: int | Sequence[int] = 18,
    width: int = 64,
    bottleneck: bool | None = None,
    stem: str = "auto",
    activation="relu",
    normalization="batch",
    norm_position: str = "before",
    kernel_initializer="auto",
    kernel_regularizer=None,
    bias_initializer: float = 0.0,
    dropout: float = 0.0,
    scaling="pixels",
    task: str = "multiclass",
    seed: int | None = None,
) -> keras.Model:
    """A residual network.

    Args:
        input_shape: (height, width, channels).
        num_classes: as for `mlp`.
        depth: 18, 34, 50, 101 or 152; or the blocks of each stage.
        width: filters of the first stage; each further stage has twice as many.
        bottleneck: whether blocks are bottlenecks; by default from 50 layers up.
        stem: "large" (7 × 7 with stride 2, then pooling), "small" (3 × 3), or "auto": large from
            96 pixels up.
        activation: name, function or layer.
        normalization: name or layer.
        norm_position: "before" or "after" the activation (v1), or "preactivation" (v2).
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        bias_initializer: a constant.
        dropout: the share of channels dropped after each activation inside the blocks.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        arXiv 1512.03385 (v1) and 1603.05027 (v2).

    Example:
        >>> model = resnet((32, 32, 3), 10, depth=(1, 1), width=8, norm_position="preactivation")
        >>> model.output_shape
        (None, 10)
    """
    config = _config(locals(), tuple(blocks.ORDERS))
    stages, deep = RESNETS.get(depth, (None, False)) if isinstance(depth, int) else (depth, False)
    if stages is None:
        raise ValueError(f"depth: {depth!r} is not among {', '.join(map(str, RESNETS))}.")
    bottleneck = deep if bottleneck is None else bottleneck
    shape = _picture_shape(input_shape, 4)
    large = {"large": True, "small": False, "auto": min(shape[:2]) >= LARGE_FROM}
    preactivated = norm_position == "preactivation"
    _positive("width", [width])
    inputs, x = _inputs(shape, scaling)
    kernel_size, strides = (7, 2) if find(stem, large, what="stem") else (3, 1)
    if preactivated:  # the first block brings the norm
        options = config.kernel_options(None, use_bias=True)
        kernel = layers.Conv2D(width, kernel_size, strides, padding="same", **options)
        x = blocks.wrapped(kernel, config)(x)
    else:
        x = blocks.conv_block(x, width, config, kernel_size=kernel_size, strides=strides)
    if large[stem]:
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, repeats in enumerate(_positive("depth", stages)):
        for repeat in range(repeats):
            x = blocks.residual_block(
                x,
                width * 2**stage,
                config,
                strides=2 if stage and not repeat else 1,
                bottleneck=bottleneck,
            )
    if preactivated:
        x = blocks.norm_and_activation(x, config)
    return _finish(inputs, x, num_classes, task, config, "resnet")


def mobilenet(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    width: float = 1.0,
    stages: Sequence[Sequence[int]] = MOBILENET_STAGES,
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
    config = _config(locals(), ("before", "after"))
    shape = _picture_shape(input_shape, 2)
    if not width > 0:
        raise ValueError(f"width: {width!r} is not positive.")
    strides = {"large": 2, "small": 1, "auto": 2 if min(shape[:2]) >= LARGE_FROM else 1}
    inputs, x = _inputs(shape, scaling)
    x = blocks.conv_block(
        x, _multiple_of_8(32 * width), config, strides=find(stem, strides, what="stem")
    )
    for expansion, filters, repeats, stride in stages:
        filters = _multiple_of_8(filters * width)
        for repeat in range(repeats):
            entry, step = x, stride if repeat == 0 else 1
            if expansion != 1:
                x = blocks.conv_block(x, expansion * entry.shape[-1], config, kernel_size=1)
            x = blocks.depthwise_block(x, config, kernel_size=kernel_size, strides=step)
            x = blocks.conv_block(x, filters, config, kernel_size=1, activate=False)
            if x.shape == entry.shape:
                x = layers.Add()([entry, x])
    x = blocks.conv_block(x, _multiple_of_8(1280 * max(width, 1.0)), config, kernel_size=1)
    return _finish(inputs, x, num_classes, task, config, "mobilenet")


def _fields(arguments: dict) -> dict:
    """Those arguments of a recipe that the blocks share."""
    names = (f.name for f in BlockConfig.__dataclass_fields__.values() if f.init)
    return {name: arguments[name] for name in names}


def _config(arguments: dict, positions: tuple[str, ...]) -> BlockConfig:
    find(arguments["norm_position"], dict.fromkeys(positions), what="norm_position")
    return BlockConfig(**_fields(arguments))


def _inputs(shape: tuple, scaling) -> tuple:
    inputs = keras.Input(shape)
    layer = scalings.get(scaling)
    return inputs, inputs if layer is None else layer(inputs)


def _finish(inputs, x, num_classes, task, config: BlockConfig, name: str) -> keras.Model:
    outputs = classification_head(
        x,
        num_classes,
        task,
        kernel_regularizer=config.kernel_regularizer,
        seed=config.next_seed(),
    )
    return keras.Model(inputs, outputs, name=name)


def _picture_shape(shape: Sequence[int], shrinks: int) -> tuple[int, int, int]:
    shape = tuple(shape)
    if len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(f"input_shape: {shape} is not (height, width, channels).")
    if min(shape[:2]) < shrinks:
        raise ValueError(
            f"input_shape: {shape[0]} x {shape[1]} pixels are too small; the poolings shrink them "
            f"by {shrinks}."
        )
    return shape


def _positive(name: str, numbers: Sequence[int]) -> Sequence[int]:
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        raise ValueError(f"{name}: {list(numbers)} are not whole numbers from 1 up.")
    return numbers


def _multiple_of_8(filters: float) -> int:
    """The nearest multiple of 8, not more than a tenth below."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
