"""What the recipes have in common: how a model begins, how it ends, and what all may vary."""

from collections.abc import Sequence

import keras

from recipes.blocks import BlockConfig
from recipes.heads import classification_head
from recipes.ingredients import activations, scaling as scalings
from recipes.lookup import find

# Parts of a search space: see `registry.Recipe`.
INGREDIENTS = {
    "activation": [name for name in activations.names() if name != "linear"],
    "kernel_initializer": ["auto", "glorot_uniform", "he_normal", "lecun_normal", "orthogonal"],
    "dropout": (0.0, 0.5),
}
NORMS = ["none", "batch", "layer", "group", "rms"]
LARGE_FROM = 96  # pixels; below, a stem that shrinks would leave too little


def begin(shape: Sequence[int], scaling) -> tuple:
    """The input, and the input scaled."""
    inputs = keras.Input(shape)
    layer = scalings.get(scaling)
    return inputs, inputs if layer is None else layer(inputs)


def finish(inputs, x, num_classes: int, task: str, config: BlockConfig, name: str) -> keras.Model:
    """The model, with a classifier at its end."""
    outputs = classification_head(
        x,
        num_classes,
        task,
        kernel_regularizer=config.kernel_regularizer,
        seed=config.next_seed(),
    )
    return keras.Model(inputs, outputs, name=name)


def picture_shape(shape: Sequence[int], shrinks: int) -> tuple[int, int, int]:
    """The shape of a picture that leaves something when it is shrunk so many times.

    Example:
        >>> picture_shape([32, 32, 3], 8)
        (32, 32, 3)
    """
    shape = tuple(shape)
    if len(shape) != 3 or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(f"input_shape: {shape} is not (height, width, channels).")
    if min(shape[:2]) < shrinks:
        raise ValueError(
            f"input_shape: {shape[0]} x {shape[1]} pixels are too small; the poolings shrink them "
            f"by {shrinks}."
        )
    return shape


def large_stem(stem: str, shape: Sequence[int]) -> bool:
    """Whether a stem shrinks the picture: "large", "small", or "auto" by the picture's size.

    Example:
        >>> large_stem("auto", (224, 224, 3)), large_stem("auto", (32, 32, 3))
        (True, False)
    """
    large = {"large": True, "small": False, "auto": min(shape[:2]) >= LARGE_FROM}
    return find(stem, large, what="stem")


def positive(name: str, numbers: Sequence[int]) -> Sequence[int]:
    """The numbers, refused under their argument's name where one is not a whole number from 1."""
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        raise ValueError(f"{name}: {list(numbers)} are not whole numbers from 1 up.")
    return numbers
