"""What the recipes have in common: how a model begins, how it ends, and what all may vary."""

from collections.abc import Iterable, Sequence

import keras

from recipes.blocks import BlockConfig
from recipes.heads import classification_head
from recipes.ingredients import scaling as scalings
from recipes.keras_setup import require_channels_last
from recipes.lookup import find
from recipes.rules import COUNT

# Parts of a search space: see `registry.Recipe`.
INGREDIENTS = {
    "activation": [
        *("sigmoid", "tanh", "relu", "crelu", "leaky_relu", "prelu", "relu6"),
        *("silu", "mish", "selu", "elu", "gelu", "hard_silu", "maxout"),
    ],
    "kernel_initializer": ["auto", "glorot_uniform", "he_normal", "lecun_normal", "orthogonal"],
    "dropout": (0.0, 0.5),
}
NORMS = ["none", "batch", "layer", "group", "rms"]
LARGE_FROM = 96  # pixels; below, a stem that shrinks would leave too little


def begin(shape: Sequence[int], scaling) -> tuple:
    """The input, and the input scaled."""
    if len(shape) > 1:
        require_channels_last()
    inputs = keras.Input(shape)
    layer = scalings.get(scaling)
    return inputs, inputs if layer is None else layer(inputs)


def finish(
    inputs,
    x,
    num_classes: int,
    task: str,
    config: BlockConfig,
    name: str | None,
    recipe: str,
) -> keras.Model:
    """The model, with a classifier at its end.

    It has the name that was given, or its recipe's: the second of a recipe has a number behind it,
    as Keras numbers layers, so that both can stand in one model.
    """
    outputs = classification_head(
        x,
        num_classes,
        task,
        kernel_regularizer=config.kernel_regularizer,
        kernel_constraint=config.kernel_constraint,
        seed=config.next_seed(),
    )
    return keras.Model(inputs, outputs, name=name or numbered(recipe))


def numbered(name: str) -> str:
    """A name that no earlier model or layer was given: "cnn", then "cnn_1", "cnn_2", …

    Example:
        >>> first, second = numbered("some_model"), numbered("some_model")
        >>> first, second
        ('some_model', 'some_model_1')
    """
    before = keras.backend.get_uid(name) - 1
    return f"{name}_{before}" if before else name


def picture_shape(shape: Sequence[int], shrinks: int) -> tuple[int, int, int]:
    """The shape of a picture that leaves something when it is shrunk so many times.

    Example:
        >>> picture_shape([32, 32, 3], 8)
        (32, 32, 3)
    """
    require_channels_last()
    shape = fixed_shape(shape)
    if len(shape) != 3:
        raise ValueError(f"input_shape: {shape} is not (height, width, channels).")
    if min(shape[:2]) < shrinks:
        raise ValueError(
            f"input_shape: {shape[0]} x {shape[1]} pixels are too small; the poolings shrink them "
            f"by {shrinks}."
        )
    return shape


def fixed_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of something that is flattened, of which every side is known.

    Example:
        >>> fixed_shape(4), fixed_shape((8, 8, 3))
        ((4,), (8, 8, 3))
    """
    sides = shape if isinstance(shape, Iterable) and not isinstance(shape, str) else [shape]
    found = tuple(COUNT("input_shape", side) for side in sides)
    if not found:
        raise ValueError("input_shape: () has no side.")
    return found


def large_stem(stem: str, shape: Sequence[int]) -> bool:
    """Whether a stem shrinks the picture: "large", "small", or "auto" by the picture's size.

    Example:
        >>> large_stem("auto", (224, 224, 3)), large_stem("auto", (32, 32, 3))
        (True, False)
    """
    large = {"large": True, "small": False, "auto": min(shape[:2]) >= LARGE_FROM}
    return find(stem, large, what="stem")


def several(name: str, values: Iterable) -> list:
    """The values as a list, refused under their argument's name where it is but one.

    Example:
        >>> several("stages", ((1, 16, 1, 1),))
        [(1, 16, 1, 1)]
    """
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise ValueError(f"{name}: {values!r} are not several.")
    return list(values)


def positive(name: str, numbers: Iterable[int]) -> list[int]:
    """The numbers, refused under their argument's name where one is not a whole number from 1.

    Example:
        >>> positive("widths", (16, 32))
        [16, 32]
    """
    return [COUNT(name, number) for number in several(name, numbers)]
