"""AlexNet."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, conv_block, dense_block
from recipes.classifiers import trunk
from recipes.classifiers.registry import register
from recipes.ingredients import normalization as norms
from recipes.rules import COUNT

LOCAL = "local_response"
# Section 3.3; the layer takes the mean of the squares, the paper their sum.
NORM_OPTIONS = {LOCAL: {"size": 5, "alpha": 5e-4, "beta": 0.75, "k": 2.0}}
# Kernel size, strides, zeros on each side, whether pooling follows (section 3.5).
LAYERS = ((11, 4, 2, True), (5, 1, 2, True), (3, 1, 1, False), (3, 1, 1, False), (3, 1, 1, True))
DIVIDED = (1, 3, 4)  # the convolutions that saw one GPU's half of the maps
WIDTHS = (96, 256, 384, 384, 256)
NAMES = (0, 3, 6, 8, 10)  # of torchvision's "features"


def _widths(setting: Mapping) -> dict:
    """A search's width: the first convolution's, to which the others' are as in the paper."""
    width = setting.get("width")
    return {"widths": tuple(width * n // 96 for n in WIDTHS)} if width else {}


@register(
    space={
        "width": [24, 48, 96],
        "units": [(64,), (256, 256), (1024, 1024)],
        "normalization": [LOCAL, *trunk.NORMS],
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    },
    sizes=_widths,
)
def alexnet(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    widths: Sequence[int] = WIDTHS,
    units: Sequence[int] = (4096, 4096),
    groups: int = 2,
    activation="relu",
    normalization=LOCAL,
    norm_position: str = "after",
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
    """AlexNet: five convolutions, two dense layers, local response normalization.

    Args:
        input_shape: (height, width, channels), from 63 pixels up; 224 in the paper.
        num_classes: as for `mlp`.
        widths: filters of the five convolutions.
        units: width of each dense layer.
        groups: of channels in the convolutions that the paper divided between two GPUs; 1 for
            torchvision's, whose widths are (64, 192, 384, 256, 256).
        activation: name, function or layer.
        normalization: of the convolutions: name or layer. Local response normalization stands
            behind the first two, as in the paper, any other behind all.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after each activation of the dense layers.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "alexnet", then "alexnet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        Krizhevsky et al., ImageNet classification with deep convolutional neural networks, 2012.

    Example:
        >>> model = alexnet((64, 64, 3), 10, widths=(8, 16, 16, 16, 8), units=(32,))
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
        norm_options=NORM_OPTIONS,
    )
    shape = trunk.picture_shape(input_shape, 63, fixed=True)
    widths, groups = trunk.positive("widths", widths), COUNT("groups", groups)
    if len(widths) != len(LAYERS):
        raise ValueError(f"widths: {widths} are not five.")
    if any(widths[i - 1] % groups or widths[i] % groups for i in DIVIDED):
        raise ValueError(f"groups: {groups} do not divide the widths {widths}.")
    maps = config.but(dropout=0.0)
    norm = norms.get(normalization, widths[0])
    local_alone = isinstance(norm, norms.LocalResponseNormalization)
    inputs, x = trunk.begin(shape, scaling)
    for index, (kernel_size, strides, padding, pools) in enumerate(LAYERS):
        local = local_alone and index > 1
        x = conv_block(
            x,
            widths[index],
            trunk.without_norm(maps) if local else maps,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            groups=groups if index in DIVIDED else 1,
            names=(f"features_{NAMES[index]}", None),
        )
        x = layers.MaxPooling2D(3, 2)(x) if pools else x
    x = layers.Flatten()(x)
    for index, width in enumerate(trunk.positive("units", units)):
        names = (f"classifier_{1 + 3 * index}", None)
        x = dense_block(x, width, trunk.without_norm(config), names=names)
    return trunk.finish(inputs, x, num_classes, task, config, name, "alexnet")
