"""Kernel penalties and dropout by name."""

import inspect
from collections.abc import Callable
from functools import partial
from numbers import Real

import keras
from keras import layers, ops

from recipes.ingredients import activations, identifiers
from recipes.ingredients.drop_layers import DropBlock
from recipes.rules import AT_LEAST_0, DROPOUT
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


@keras.saving.register_keras_serializable(PACKAGE)
class Orthogonal(keras.regularizers.OrthogonalRegularizer):
    """Keras' penalty of vectors that are not orthogonal, for convolution kernels too.

    Args:
        factor: of the mean product of two vectors of length 1, from 0 up.
        mode: "columns", what leads to each output; or "rows", what comes from each input.

    Source:
        `keras.regularizers.OrthogonalRegularizer`, which takes matrices alone.

    Example:
        >>> import numpy as np
        >>> float(Orthogonal()(np.eye(3, dtype="float32"))) == 0
        True
    """

    def __init__(self, factor: float = 0.01, mode: str = "columns"):
        super().__init__(factor, mode)

    def __call__(self, x):
        """The penalty, a scalar; of a single vector 0."""
        x = ops.reshape(x, (-1, x.shape[-1]))
        size = x.shape[0 if self.mode == "rows" else 1]
        return ops.sum(x) * 0 if size == 1 else super().__call__(x)


def _l1_l2(l1: float = 0.01, l2: float = 0.01) -> keras.regularizers.Regularizer:
    return keras.regularizers.L1L2(l1, l2)


NAMES: dict[str, Callable] = {
    "none": lambda: None,
    "l1": keras.regularizers.L1,
    "l2": keras.regularizers.L2,
    "l1_l2": _l1_l2,
    "lp": Lp,
    "orthogonal": Orthogonal,
}
ALIASES = {"orthogonalregularizer": "orthogonal"}
_OBJECTS = "a regularizer, its class or configuration, or a function of a kernel"


def names() -> list[str]:
    """The name of every kernel penalty.

    Example:
        >>> names()
        ['none', 'l1', 'l2', 'l1_l2', 'lp', 'orthogonal']
    """
    return list(NAMES)


def get(identifier=None, **options) -> keras.regularizers.Regularizer | None:
    """A kernel penalty; biases are not penalized.

    Args:
        identifier: a name in any spelling, `(name, options)`, None, a configuration, a class, or a
            regularizer or function of a kernel, which passes through.
        **options: of a named one: `l1`, `l2`, `factor`, `mode`, or `p` and `strength`.

    Raises:
        ValueError: the name is unknown, an option does not suit, a strength is negative, or the
            object is no regularizer.

    Example:
        >>> get("l2", l2=1e-4).get_config()["l2"] < 1e-3
        True
        >>> get(("lp", {"p": 3})).p
        3
    """
    identifier, options = identifiers.parted(identifier, options)
    for name in ("l1", "l2"):
        if name in options:
            options[name] = AT_LEAST_0(name, options[name])
    base = keras.regularizers.Regularizer
    identifier = identifiers.from_keras(
        "regularizer", identifier, keras.regularizers.deserialize, base, options
    )
    if identifier is None:
        return None
    if type(identifier) is keras.regularizers.OrthogonalRegularizer:  # which takes matrices alone
        return Orthogonal.from_config(identifier.get_config())
    function = inspect.isfunction(identifier) or isinstance(identifier, partial)
    if isinstance(identifier, base) or function:
        return identifier
    name = identifiers.among(identifier, NAMES, ALIASES) if isinstance(identifier, str) else None
    if name is not None:
        return identifiers.made("regularizer", name, NAMES[name], **options)
    identifiers.refuse("regularizer", identifier, NAMES, _OBJECTS)


DROPOUTS: dict[str, Callable[..., layers.Layer]] = {
    "dropout": layers.Dropout,
    "spatial": layers.SpatialDropout2D,
    "alpha": layers.AlphaDropout,
    "gaussian": layers.GaussianDropout,
    "drop_block": DropBlock,
}
DROPOUT_ALIASES = {
    "spatialdropout1d": "spatial",
    "spatialdropout2d": "spatial",
    "dropout1d": "spatial",
    "dropout2d": "spatial",
    "alphadropout": "alpha",
    "gaussiandropout": "gaussian",
    "dropblock2d": "drop_block",
}
SERIES, MAPS = 3, 4  # axes of a batch
_RANKS = {
    layers.SpatialDropout1D: SERIES,
    layers.SpatialDropout2D: MAPS,
    layers.SpatialDropout3D: 5,
    DropBlock: MAPS,
}
_THINGS = {SERIES: "series", MAPS: "maps", 5: "volumes"}
_DROPS = "a number from 0 to below 1, a dropout layer or its configuration"


def dropout(
    identifier, activation: layers.Layer, *, rank: int | None = None, seed: int | None = None
) -> layers.Layer | None:
    """The dropout that suits what it drops from, or None at rate 0.

    Args:
        identifier: a rate from 0 to below 1; `("gaussian", {"rate": 0.1})`, with a name of
            `DROPOUTS`; or a layer, of which a new copy is made.
        activation: with a rate alone, alpha-dropout keeps the mean and variance that selu relies
            on.
        rank: how many axes what it drops from has: with a rate alone, whole channels of `MAPS`
            are dropped. Where it is None, nothing is held against it.
        seed: of the draw.

    Raises:
        ValueError: the rate is out of its range, the object is no dropout, or it is for maps or
            series and there are none.

    Example:
        >>> dropout(0.5, activations.get("selu")).__class__.__name__
        'AlphaDropout'
        >>> dropout(("gaussian", {"rate": 0.1}), activations.get("relu")).rate
        0.1
    """
    if isinstance(identifier, Real):
        rate = DROPOUT("dropout", identifier)
        name = "spatial" if rank == MAPS else "dropout"
        name = "alpha" if activations.name_of(activation) == "selu" else name
        return DROPOUTS[name](rate, seed=seed) if rate else None
    layer = _dropout_layer(identifier, rank, seed)
    asked = _RANKS.get(type(layer))
    if rank is not None and asked is not None and asked != rank:
        raise ValueError(
            f"dropout: {type(layer).__name__} is for {_THINGS[asked]}; take a rate or 'gaussian'."
        )
    return layer


def _dropout_layer(identifier, rank: int | None, seed: int | None) -> layers.Layer:
    """A layer by name, or a copy of one, with a seed of its own."""
    identifier, options = identifiers.parted(identifier)
    identifier = identifiers.from_keras(
        "dropout", identifier, keras.saving.deserialize_keras_object, layers.Layer, options
    )
    if isinstance(identifier, layers.Layer) and hasattr(identifier, "rate"):
        config = {key: v for key, v in identifier.get_config().items() if key != "name"}
        if seed is not None and "seed" in config:
            config["seed"] = seed
        return identifiers.made("dropout", identifier.name, type(identifier).from_config, config)
    name = None
    if isinstance(identifier, str):
        name = identifiers.among(identifier, DROPOUTS, DROPOUT_ALIASES)
    if name is None:
        identifiers.refuse("dropout", identifier, DROPOUTS, _DROPS)
    if "rate" not in options:
        raise ValueError(f"dropout: {name!r} needs a rate: ({name!r}, {{'rate': 0.1}}).")
    options["rate"] = DROPOUT("dropout", options["rate"])
    series = name == "spatial" and rank == SERIES
    make = layers.SpatialDropout1D if series else DROPOUTS[name]
    return identifiers.made("dropout", name, make, **{"seed": seed, **options})
