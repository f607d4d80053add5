"""Gains: by how much a kernel has to be larger, so that a signal keeps its strength."""

import math

import keras
import numpy as np
import pandas as pd

from recipes.ingredients import activations

# Those that torch.nn.init.calculate_gain has, besides leaky_relu. The others are measured.
TORCH = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def gain(activation, **options) -> float:
    """The gain of an activation: a kernel's deviation is `gain / sqrt(fan_in)`.

    It is what PyTorch has where it has one. For the others it is `1 / sqrt(E[f(z)²])` of a
    standard normal z, by which the mean square of a signal stays; for ReLU, leaky ReLU and linear
    the two are the same.

    Args:
        activation: as `activations.get` takes it; of those that take several values, maxout, glu,
            swiglu and sparsemax are not among them.
        **options: of the activation.

    Raises:
        ValueError: the activation is unknown, or takes several values.

    Source:
        `torch.nn.init.calculate_gain`; arXiv 1502.01852, equations 10 and 15.

    Example:
        >>> round(gain("relu") ** 2, 6), round(gain("leaky_relu", negative_slope=1.0), 6)
        (2.0, 1.0)
        >>> round(gain("silu"), 4)
        1.6765
    """
    layer = activations.get(activation, **options)
    name = activations.name_of(layer)
    if name in TORCH and _usual(layer, name):
        return TORCH[name]
    if name == "sparsemax" or isinstance(layer, activations.Narrowing):
        raise ValueError(f"activation: {name!r} takes several values; it has no gain.")
    z = np.linspace(-10, 10, 20_001)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    values = keras.ops.convert_to_numpy(layer(z.astype("float32")[:, None])).astype("float64")
    square = np.trapezoid(density * np.square(values).sum(axis=1), z)
    return float(1 / math.sqrt(square))


def _usual(layer: keras.Layer, name: str) -> bool:
    """Whether an activation has the options that its name alone gives."""
    own, plain = (one.get_config() for one in (layer, activations.get(name)))
    shared = own.keys() & plain.keys() - {"name", "dtype"}
    return all(own[key] == plain[key] for key in shared)


def gain_table() -> pd.DataFrame:
    """The gain of every activation that has one.

    Returns:
        Index `activation`; columns `gain`, and `source`: "torch" or "measured".

    Example:
        >>> gain_table().loc["tanh", "source"]
        'torch'
    """
    without = {"sparsemax", "maxout", "glu", "swiglu"}
    rows = {
        name: {"gain": gain(name), "source": "torch" if name in TORCH else "measured"}
        for name in activations.names()
        if name not in without
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("activation")
