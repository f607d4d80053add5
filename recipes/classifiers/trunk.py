"""What the recipes have in common: how a model begins, how it ends, and what all may vary."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import keras
from keras import layers

from recipes.blocks import BlockConfig
from recipes.heads import classification_head
from recipes.ingredients import normalization, scaling as scalings
from recipes.keras_setup import require_channels_last
from recipes.lookup import find
from recipes.rules import COUNT, DROPOUT

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
# What differs between a published network in Keras and in PyTorch; weights fit theirs alone.
BATCH_OF_TORCH: dict[str, dict[str, Any]] = {
    name: {"epsilon": 1e-5, "momentum": 0.9} for name in ("batch", "sync_batch", "frozen_batch")
}
CONVENTIONS: dict[str, dict[str, Any]] = {
    "keras": {},
    "torch": {"symmetric": True, "norm_options": BATCH_OF_TORCH},
}
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
    *,
    dropout: float = 0.0,
) -> keras.Model:
    """The model, with a classifier at its end; dropout is of the features before it.

    It has the name that was given, or its recipe's: the second of a recipe has a number behind it,
    as Keras numbers layers, so that both can stand in one model.
    """
    outputs = classification_head(
        x,
        num_classes,
        task,
        dropout=DROPOUT("dropout", dropout),
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


def picture_shape(shape: Sequence[int | None], least: int, *, fixed: bool = False) -> tuple:
    """The shape of a picture, of which something is left when the recipe has shrunk it.

    Args:
        shape: (height, width, channels); None for a side that varies.
        least: the side from which on something is left.
        fixed: whether the recipe's layers depend on the size.

    Raises:
        ValueError: the shape is another one, too small, or not known where it must be.

    Example:
        >>> picture_shape([32, 32, 3], 8), picture_shape((None, None, 1), 8)
        ((32, 32, 3), (None, None, 1))
    """
    require_channels_last()
    shape = _sides(shape)
    if len(shape) != 3 or shape[2] is None or (fixed and None in shape):
        known = ", of a fixed size" if fixed else ""
        raise ValueError(f"input_shape: {shape} is not (height, width, channels){known}.")
    if any(side is not None and side < least for side in shape[:2]):
        raise ValueError(
            f"input_shape: {shape[0]} x {shape[1]} pixels are too small; each side has {least} or "
            "more."
        )
    return shape


def series_shape(shape: Sequence[int | None], least: int) -> tuple:
    """The shape of a series, of which something is left when the recipe has shrunk it.

    Args:
        shape: (steps, channels); None for steps that vary.
        least: the steps from which on something is left.

    Example:
        >>> series_shape([None, 6], 8)
        (None, 6)
    """
    require_channels_last()
    shape = _sides(shape)
    if len(shape) != 2 or shape[1] is None:
        raise ValueError(f"input_shape: {shape} is not (steps, channels).")
    if shape[0] is not None and shape[0] < least:
        raise ValueError(f"input_shape: {shape[0]} steps are too few; it takes {least} or more.")
    return shape


def fixed_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of something that is flattened, of which every side is known.

    Example:
        >>> fixed_shape(4), fixed_shape((8, 8, 3))
        ((4,), (8, 8, 3))
    """
    sides = shape if are_several(shape) else [shape]
    found = tuple(COUNT("input_shape", side) for side in sides)
    if not found:
        raise ValueError("input_shape: () has no side.")
    return found


def _sides(shape) -> tuple[int | None, ...]:
    """Whole numbers, and None for what varies."""
    sides = shape if are_several(shape) else [shape]
    return tuple(None if side is None else COUNT("input_shape", side) for side in sides)


def large_stem(stem: str, shape: Sequence[int]) -> bool:
    """Whether a stem shrinks the picture: "large", "small", or "auto" by the picture's size.

    A picture of any size counts as large.

    Example:
        >>> large_stem("auto", (224, 224, 3)), large_stem("auto", (32, 32, 3))
        (True, False)
    """
    large = {
        "large": True,
        "small": False,
        "auto": all(side is None or side >= LARGE_FROM for side in shape[:2]),
    }
    return find(stem, large, what="stem")


def several(name: str, values: Iterable) -> list:
    """The values as a list, refused under their argument's name where it is but one.

    Example:
        >>> several("stages", ((1, 16, 1, 1),))
        [(1, 16, 1, 1)]
    """
    if not are_several(values):
        raise ValueError(f"{name}: {values!r} are not several.")
    return list(values)


def are_several(values: Any) -> TypeGuard[Sequence]:
    """Whether it is a row of values: a text is none, nor is an array without a side.

    Example:
        >>> are_several((16, 32)), are_several("16")
        (True, False)
    """
    return (
        isinstance(values, Iterable)
        and not isinstance(values, str)
        and getattr(values, "ndim", 1) > 0
    )


def blocks_of(given, table: Mapping):
    """The blocks of each stage, as they were given, or as a paper has them for a depth.

    Example:
        >>> blocks_of((2, 2), {}), blocks_of(11, {11: [1, 1]})
        ([2, 2], [1, 1])
    """
    return positive("depth", given) if are_several(given) else published("depth", given, table)


def positive(name: str, numbers: Iterable[int]) -> list[int]:
    """The numbers, refused under their argument's name where one is not a whole number from 1.

    Example:
        >>> positive("widths", (16, 32))
        [16, 32]
    """
    return [COUNT(name, number) for number in several(name, numbers)]


def multiple_of_8(filters: float) -> int:
    """The nearest multiple of 8, not more than a tenth below.

    Example:
        >>> multiple_of_8(11), multiple_of_8(12)
        (16, 16)
    """
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def published(name: str, given: Any, table: Mapping) -> Any:
    """What the paper has for a depth or a size, whose letters may be large; refused without one.

    Example:
        >>> published("depth", 11, {11: "A", 13: "B"}), published("size", "B0", {"b0": 1.0})
        ('A', 1.0)
    """
    given = given.lower() if isinstance(given, str) else given
    if isinstance(given, bool) or not isinstance(given, Hashable) or given not in table:
        raise ValueError(f"{name}: {given!r} is not among {', '.join(map(str, table))}.")
    return table[given]


def rows(name: str, given: Iterable[Iterable], columns: Sequence[str]) -> list[list]:
    """The rows of a table, refused where one has not as many values as there are columns.

    Whole numbers are from 1 up; texts, True and False stay as they are.

    Example:
        >>> rows("stages", [(16, 2)], ("filters", "stride"))
        [[16, 2]]
    """
    found = []
    for row in several(name, given):
        values = several(name, row)
        if len(values) != len(columns):
            raise ValueError(f"{name}: {row!r} is not ({', '.join(columns)}).")
        kept = [isinstance(value, bool | str) for value in values]
        numbers = zip(values, kept, strict=True)
        found.append([value if keep else COUNT(name, value) for value, keep in numbers])
    return found


def without_norm(config: BlockConfig) -> BlockConfig:
    """For dense layers behind the maps, which published networks do not normalize."""
    kept = normalization.of_kernels_alone(config.normalization)
    return config if kept else config.but(normalization="none")


def wide_pool(x, *, symmetric: bool = True):
    """The largest of 3 × 3 places, every second one; as in PyTorch, or with Keras' "same".

    Both take a border of any size as if nothing were there.
    """
    if not symmetric:
        return layers.MaxPooling2D(3, 2, padding="same")(x)
    x = layers.MaxPooling2D(3, 1, padding="same")(x)
    return layers.MaxPooling2D(1, 2)(x)
