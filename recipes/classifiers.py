"""Recipe functions: classifiers as plain, uncompiled Keras models, and their losses and metrics."""

from collections.abc import Sequence

import keras
from keras import layers, ops

from callbacks.lookup import find
from recipes import blocks
from recipes.blocks import BlockConfig
from recipes.ingredients import regularizers
from recipes.ingredients import scaling as scalings

TASKS = ("multiclass", "binary", "multilabel")
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


def classification_head(
    x,
    num_classes: int,
    task: str = "multiclass",
    *,
    dropout: float = 0.0,
    kernel_regularizer=None,
    seed: int | None = None,
):
    """Features to probabilities: average pooling of maps, dropout, one dense layer in float32.

    Args:
        x: (batch, height, width, channels) or (batch, features).
        num_classes: 2 or more for "multiclass"; 1 for "binary"; the number of labels for
            "multilabel".
        task: decides the activation: softmax, or a sigmoid a unit.
        dropout: the share of features dropped in training.
        kernel_regularizer: name or regularizer.
        seed: of the kernel and the dropout.

    Returns:
        (batch, num_classes).

    Raises:
        ValueError: the task is unknown, or the number does not suit it.

    Example:
        >>> classification_head(keras.Input((8, 8, 16)), 3).shape
        (None, 3)
    """
    find(task, dict.fromkeys(TASKS), what="task")
    least = 2 if task == "multiclass" else 1
    whole = isinstance(num_classes, int) and num_classes >= least
    if not whole or (task == "binary" and num_classes != 1):
        allowed = {"multiclass": "2 or more", "binary": "1", "multilabel": "1 or more"}[task]
        raise ValueError(f"num_classes: {num_classes!r}; {task} takes {allowed}.")
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=seed, name="head_dropout")(x)
    return layers.Dense(
        num_classes,
        activation="softmax" if task == "multiclass" else "sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        kernel_regularizer=regularizers.get(kernel_regularizer),
        dtype="float32",
        name="predictions",
    )(x)


@keras.saving.register_keras_serializable("recipes")
class SmoothedSparseCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels with label smoothing, which Keras has for one-hot ones only.

    Args:
        label_smoothing: the share of each label that is spread over all classes.

    Source:
        arXiv 1512.00567, section 7.

    Example:
        >>> import numpy as np
        >>> probabilities = np.array([[0.5, 0.5]])
        >>> round(float(SmoothedSparseCrossentropy(0.1)(np.array([0]), probabilities)), 4)
        0.6931
    """

    def __init__(self, label_smoothing: float = 0.0, **options):
        super().__init__(**{"name": "smoothed_sparse_crossentropy", **options})
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """The loss of each sample."""
        labels = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            labels, y_pred, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def compile_classifier(
    model: keras.Model,
    *,
    optimizer="adam",
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float = 0.0,
    one_hot: bool = False,
    **options,
) -> keras.Model:
    """Compile a classifier with the loss and the metrics that match its head.

    Args:
        model: with a softmax or sigmoid output.
        optimizer: a name, or an optimizer.
        learning_rate: of a named optimizer; Keras' own by default.
        weight_decay: decoupled, of a named optimizer; biases and norms are left out.
        label_smoothing: from 0 to below 1.
        one_hot: whether the labels of a softmax come as one-hot vectors, not as integers.
        **options: of `model.compile`.

    Returns:
        The model.

    Raises:
        ValueError: the output is neither softmax nor sigmoid, or a rate is out of its range.

    Example:
        >>> model = compile_classifier(mlp(4, 3), learning_rate=1e-2, label_smoothing=0.1)
        >>> model.loss.name
        'smoothed_sparse_crossentropy'
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing: {label_smoothing!r} is not from 0 to below 1.")
    for name, value in (("learning_rate", learning_rate), ("weight_decay", weight_decay)):
        if value is not None and not value >= 0:
            raise ValueError(f"{name}: {value!r} is negative.")
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
        given = {"learning_rate": learning_rate, "weight_decay": weight_decay}
        config = {k: v for k, v in given.items() if v is not None}
        optimizer = type(optimizer).from_config({**optimizer.get_config(), **config})
        if weight_decay:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    elif learning_rate is not None or weight_decay is not None:
        raise ValueError("learning_rate: set it and weight_decay on the optimizer itself.")
    loss, metrics = _loss_and_metrics(model, label_smoothing, one_hot)
    model.compile(optimizer, loss=loss, metrics=metrics, **options)
    return model


def _loss_and_metrics(model: keras.Model, label_smoothing: float, one_hot: bool):
    activation = getattr(model.layers[-1], "activation", None)
    if activation is keras.activations.softmax:
        if one_hot:
            return keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing), [
                "accuracy"
            ]
        if label_smoothing:
            return SmoothedSparseCrossentropy(label_smoothing), ["accuracy"]
        return keras.losses.SparseCategoricalCrossentropy(), ["accuracy"]
    if activation is keras.activations.sigmoid:
        loss = keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)
        auc = keras.metrics.AUC(name="auc", multi_label=model.output_shape[-1] > 1)
        return loss, [keras.metrics.BinaryAccuracy(name="accuracy"), auc]
    raise ValueError("model: its last layer is neither a softmax nor a sigmoid.")


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
