"""LeNet-5."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, conv_block, dense_block
from recipes.classifiers import trunk
from recipes.classifiers.registry import register


def _widths(setting: Mapping) -> dict:
    """A search's width: the first convolution's, to which the second's is as in the paper."""
    width = setting.get("width")
    return {"widths": (width, width * 8 // 3)} if width else {}


@register(
    space={
        "width": [6, 12, 24],
        "units": [(64,), (120, 84), (256, 128)],
        "normalization": trunk.NORMS,
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    },
    sizes=_widths,
)
def lenet(
    input_shape: Sequence[int],
    num_classes: int,
    *,
    widths: Sequence[int] = (6, 16),
    units: Sequence[int] = (120, 84),
    activation="tanh",
    normalization="none",
    norm_position: str = "before",
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
    """LeNet-5: two convolutions with average pooling, two dense layers.

    As is usual today, the pooling has no weights, every map sees all maps before it, and the
    classifier is a softmax.

    Args:
        input_shape: (height, width, channels), from 12 pixels up; 28 in the paper, whose border is
            padded here.
        num_classes: as for `mlp`.
        widths: filters of the two convolutions.
        units: width of each dense layer.
        activation: name, function or layer.
        normalization: of the convolutions: name or layer.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after each activation of the dense layers.
        scaling: "pixels" takes 0 to 255; None takes the input as it is.
        task: as for `mlp`.
        seed: of the initializers and the dropout.
        name: of the model; "lenet", then "lenet_1", … by default.

    Returns:
        (batch, height, width, channels) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range.

    Source:
        LeCun et al., Gradient-based learning applied to document recognition, 1998, section II.

    Example:
        >>> lenet((28, 28, 1), 10).count_params()
        61706
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
    )
    shape = trunk.picture_shape(input_shape, 12, fixed=True)
    widths = trunk.positive("widths", widths)
    if len(widths) != 2:
        raise ValueError(f"widths: {widths} are not two.")
    first, second = widths
    maps = config.but(dropout=0.0)
    inputs, x = trunk.begin(shape, scaling)
    x = conv_block(x, first, maps, kernel_size=5)
    x = layers.AveragePooling2D(2)(x)
    x = conv_block(x, second, maps, kernel_size=5, padding=0)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(x)
    for width in trunk.positive("units", units):
        x = dense_block(x, width, trunk.without_norm(config))
    return trunk.finish(inputs, x, num_classes, task, config, name, "lenet")
