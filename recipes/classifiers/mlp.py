"""Multilayer perceptrons."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from recipes.blocks import PLAIN, BlockConfig, dense_block
from recipes.classifiers import trunk
from recipes.classifiers.registry import register


def _units(setting: Mapping) -> dict:
    """A search's depth and width: so many layers, all as wide."""
    width, depth = setting.get("width"), setting.get("depth") or 1
    return {"units": (width,) * depth} if width else {}


@register(
    space={
        "depth": (1, 4),
        "width": [16, 32, 64, 128, 256],
        "normalization": trunk.NORMS,
        "norm_position": list(PLAIN),
        **trunk.INGREDIENTS,
    },
    sizes=_units,
)
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
    kernel_constraint=None,
    bias_initializer=0.0,
    dropout=0.0,
    scaling=None,
    task: str = "multiclass",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """A multilayer perceptron for feature vectors.

    Args:
        input_shape: the number of features, or a shape that is flattened.
        num_classes: 2 or more for "multiclass"; 1 for "binary"; the number of labels for
            "multilabel".
        units: width of each hidden layer.
        activation: name, `(name, options)`, function or layer; see `recipes.activation_table()`.
        normalization: name, `(name, options)` such as `("group", {"groups": 8})`, or layer; see
            `recipes.normalization_table()`.
        norm_position: "before" or "after" the activation.
        kernel_initializer: name or initializer; "auto" follows the activation.
        kernel_regularizer: "l1", "l2", "l1_l2", "lp", "orthogonal" or a Keras regularizer; biases
            stay free.
        kernel_constraint: "max_norm", "unit_norm", "non_neg", "min_max_norm" or a Keras constraint.
        bias_initializer: a number, name or initializer.
        dropout: the share dropped after each activation, 0 costs nothing; or a dropout by name,
            `("gaussian", {"rate": 0.1})`, or a layer.
        scaling: of the input, inside the model: a name or an adapted layer; see
            `recipes.scaling`.
        task: "multiclass" (softmax), "binary" (one sigmoid) or "multilabel" (a sigmoid a label).
        seed: of the initializers and the dropout.
        name: of the model; "mlp", then "mlp_1", … by default.

    Returns:
        (batch, *input_shape) to probabilities (batch, num_classes), not compiled.

    Raises:
        ValueError: an argument is out of its range; the text names it.

    Example:
        >>> model = mlp(4, 3, units=(16,), activation="mish", normalization="layer", seed=0)
        >>> model.output_shape
        (None, 3)
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
    shape = trunk.fixed_shape(input_shape)
    inputs, x = trunk.begin(shape, scaling)
    if len(shape) > 1:
        x = layers.Flatten(data_format="channels_last")(x)
    for width in trunk.positive("units", units):
        x = dense_block(x, width, config)
    return trunk.finish(inputs, x, num_classes, task, config, name, "mlp")
