"""Initializers by name: Keras' own, and "auto", which follows the activation."""

import warnings
from collections.abc import Callable

import keras
import pandas as pd
from keras import initializers, layers

from recipes.ingredients import activations
from recipes.lookup import find

NAMES: dict[str, Callable] = {
    "zeros": initializers.Zeros,
    "random_normal": initializers.RandomNormal,
    "random_uniform": initializers.RandomUniform,
    "truncated_normal": initializers.TruncatedNormal,
    "glorot_normal": initializers.GlorotNormal,
    "glorot_uniform": initializers.GlorotUniform,
    "he_normal": initializers.HeNormal,
    "he_uniform": initializers.HeUniform,
    "lecun_normal": initializers.LecunNormal,
    "lecun_uniform": initializers.LecunUniform,
    "orthogonal": initializers.Orthogonal,
}
ALIASES = {"xavier_normal": "glorot_normal", "xavier_uniform": "glorot_uniform"}
VARIANCES = {
    "zeros": "0",
    "random_normal": "stddev**2 (0.0025 by default)",
    "random_uniform": "(maxval - minval)**2 / 12 (0.00083 by default)",
    "truncated_normal": "0.774 * stddev**2",
    "glorot_normal": "2 / (fan_in + fan_out)",
    "glorot_uniform": "2 / (fan_in + fan_out)",
    "he_normal": "2 / fan_in",
    "he_uniform": "2 / fan_in",
    "lecun_normal": "1 / fan_in",
    "lecun_uniform": "1 / fan_in",
    "orthogonal": "1 / max(fan_in, fan_out)",
}
AUTO = "auto"


def names() -> list[str]:
    """The name of every initializer for kernels.

    Example:
        >>> names()[0], "he_normal" in names()
        ('auto', True)
    """
    return [AUTO, *NAMES]


def get(
    identifier=AUTO, *, activation: layers.Layer | None = None, seed: int | None = None, **options
) -> initializers.Initializer:
    """An initializer for a kernel.

    Args:
        identifier: a name, "auto", a configuration, or an initializer, which passes through.
        activation: the layer that the kernel feeds, for "auto": LeCun for selu, Glorot for
            sigmoid, tanh and none, He for the others, with the gain that a leaky slope asks for.
        seed: of a named one.
        **options: of a named one, such as `stddev`.

    Raises:
        ValueError: the name is unknown.

    Warns:
        UserWarning: zeros: the units of a hidden layer stay identical in training.

    Example:
        >>> get("auto", activation=activations.get("selu")).__class__.__name__
        'LecunNormal'
    """
    if isinstance(identifier, dict):
        return initializers.deserialize(identifier)
    if isinstance(identifier, initializers.Initializer) or callable(identifier):
        return identifier
    if identifier == AUTO:
        return _auto(activation, seed)
    allowed = {**NAMES, AUTO: initializers.GlorotUniform}  # "auto" came back above
    make = find(ALIASES.get(identifier, identifier), allowed, what="initializer")
    if make is initializers.Zeros:
        warnings.warn(
            "initializer: with zeros all units of a hidden layer stay identical.", stacklevel=3
        )
        return make(**options)
    return make(seed=seed, **options)


def _auto(activation: layers.Layer | None, seed: int | None) -> initializers.Initializer:
    if isinstance(activation, layers.LeakyReLU):  # the gain of arXiv 1502.01852, equation 15
        scale = 2 / (1 + float(activation.negative_slope) ** 2)
        return initializers.VarianceScaling(scale, "fan_in", "truncated_normal", seed=seed)
    name = activations.name_of(activation) if activation is not None else "linear"
    facts = activations.ACTIVATIONS.get(name or "")
    kind = facts.initializer if facts else "he"
    return NAMES["glorot_uniform" if kind == "glorot" else f"{kind}_normal"](seed=seed)


def initializer_table() -> pd.DataFrame:
    """The variance that each initializer gives, and the activations that "auto" takes it for.

    Returns:
        Index `initializer`; columns `variance`, `distribution`, `auto_for`.

    Example:
        >>> initializer_table().loc["lecun_normal", "auto_for"]
        'selu'
    """
    rows = {}
    for name in NAMES:
        suited = [
            activation
            for activation in activations.ACTIVATIONS
            if _auto_name(activations.get(activation)) == name
        ]
        distribution = next(
            (kind for kind in ("uniform", "truncated", "normal") if kind in name), name
        )
        if name in ("glorot_normal", "he_normal", "lecun_normal", "truncated_normal"):
            distribution = "truncated normal"
        rows[name] = {
            "variance": VARIANCES[name],
            "distribution": distribution,
            "auto_for": ", ".join(suited),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("initializer")


def _auto_name(activation: layers.Layer) -> str:
    initializer = get(AUTO, activation=activation)
    by_class = {make: name for name, make in NAMES.items()}
    return by_class.get(type(initializer), "he_normal")


def bias_initializer(constant: float = 0.0) -> initializers.Initializer:
    """Zeros, or a small constant such as 0.01.

    Example:
        >>> bias_initializer(0.5)((2,)).numpy().tolist()
        [0.5, 0.5]
    """
    return keras.initializers.Constant(constant) if constant else keras.initializers.Zeros()
