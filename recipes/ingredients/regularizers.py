"""Kernel penalties and dropout by name."""

from collections.abc import Callable

import keras
from keras import layers, ops

from recipes.ingredients import activations
from recipes.lookup import find
from recipes.saving import PACKAGE


@keras.saving.register_keras_serializable(PACKAGE)
class Lp(keras.regularizers.Regularizer):
    """The penalty `strength * sum(|w| ** p)`.

    Args:
        p: from 1 up; below 1 the gradient at zero has no bound.
        strength: of the penalty, from 0 up.

    Example:
        >>> import numpy as np
        >>> float(Lp(p=3, strength=0.5)(np.array([1.0, -2.0])))
        4.5
    """

    def __init__(self, p: float = 2.0, strength: float = 0.01):
        if not p >= 1:
            raise ValueError(f"p: {p!r} is not a number from 1 up.")
        if not strength >= 0:
            raise ValueError(f"strength: {strength!r} is negative.")
        self.p = p
        self.strength = strength

    def __call__(self, x):
        """The penalty, a scalar."""
        return self.strength * ops.sum(ops.power(ops.abs(x), self.p))

    def get_config(self):
        """The arguments."""
        return {"p": self.p, "strength": self.strength}


NAMES: dict[str, Callable] = {
    "none": lambda: None,
    "l1": keras.regularizers.L1,
    "l2": keras.regularizers.L2,
    "l1_l2": keras.regularizers.L1L2,
    "lp": Lp,
}


def names() -> list[str]:
    """The name of every kernel penalty.

    Example:
        >>> names()
        ['none', 'l1', 'l2', 'l1_l2', 'lp']
    """
    return list(NAMES)


def get(identifier=None, **options) -> keras.regularizers.Regularizer | None:
    """A kernel penalty; biases are not penalized.

    Args:
        identifier: a name, None, a configuration, or a regularizer, which passes through.
        **options: of a named one: `l1`, `l2`, or `p` and `strength`.

    Raises:
        ValueError: the name is unknown, or a strength is negative.

    Example:
        >>> get("l2", l2=1e-4).get_config()["l2"] < 1e-3
        True
    """
    for name in ("l1", "l2"):
        if options.get(name, 0) < 0:
            raise ValueError(f"{name}: {options[name]!r} is negative.")
    if isinstance(identifier, dict):
        return keras.regularizers.deserialize(identifier)
    if identifier is not None and not isinstance(identifier, str):
        return keras.regularizers.get(identifier)
    return find("none" if identifier is None else identifier, NAMES, what="regularizer")(**options)


def dropout(
    rate: float, activation: layers.Layer, *, maps: bool = False, seed: int | None = None
) -> layers.Layer | None:
    """The dropout that suits what it drops from, or None at rate 0.

    Args:
        rate: from 0 to below 1.
        activation: alpha-dropout keeps the mean and variance that selu relies on.
        maps: whether whole channels of feature maps are dropped.
        seed: of the draw.

    Raises:
        ValueError: the rate is out of its range.

    Example:
        >>> dropout(0.5, activations.get("selu")).__class__.__name__
        'AlphaDropout'
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: {rate!r} is not a number from 0 to below 1.")
    if rate == 0:
        return None
    if activations.name_of(activation) == "selu":
        return layers.AlphaDropout(rate, seed=seed)
    return (layers.SpatialDropout2D if maps else layers.Dropout)(rate, seed=seed)
