"""Initializers by name: Keras' own and others', and "auto", which follows the activation."""

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import NoReturn

import keras
import pandas as pd
from keras import initializers, layers

from recipes.ingredients import activations, identifiers
from recipes.ingredients.initializer_classes import DeltaOrthogonal, Dirac, Sparse, Structured
from recipes.rules import NUMBER


def _he_fan_out(distribution: str) -> Callable[..., initializers.Initializer]:
    def he(seed=None) -> initializers.Initializer:
        return initializers.VarianceScaling(2.0, "fan_out", distribution, seed=seed)

    return he


NAMES: dict[str, Callable] = {
    "zeros": initializers.Zeros,
    "random_normal": initializers.RandomNormal,
    "random_uniform": initializers.RandomUniform,
    "truncated_normal": initializers.TruncatedNormal,
    "variance_scaling": initializers.VarianceScaling,
    "glorot_normal": initializers.GlorotNormal,
    "glorot_uniform": initializers.GlorotUniform,
    "he_normal": initializers.HeNormal,
    "he_uniform": initializers.HeUniform,
    "he_normal_fan_out": _he_fan_out("truncated_normal"),
    "he_uniform_fan_out": _he_fan_out("uniform"),
    "lecun_normal": initializers.LecunNormal,
    "lecun_uniform": initializers.LecunUniform,
    "orthogonal": initializers.Orthogonal,
    "delta_orthogonal": DeltaOrthogonal,
    "dirac": Dirac,
    "sparse": Sparse,
}
ALIASES = {
    "xaviernormal": "glorot_normal",
    "xavieruniform": "glorot_uniform",
    "kaimingnormal": "he_normal",
    "kaiminguniform": "he_uniform",
    "kaimingnormalfanout": "he_normal_fan_out",
    "kaiminguniformfanout": "he_uniform_fan_out",
    "truncnormal": "truncated_normal",
    "truncnormaltf": "truncated_normal",
    "normal": "random_normal",
    "uniform": "random_uniform",
    "zero": "zeros",
    "orthogonalinitializer": "orthogonal",
}
# Keras' others, for single layers: units that are identical, matrices, Fourier transforms.
OF_KERAS = {
    "ones": initializers.Ones,
    "constant": initializers.Constant,
    "identity": initializers.Identity,
    "stft": initializers.STFT,
}
OF_KERAS_ALIASES = {
    "one": "ones",
    "eye": "identity",
    "identityinitializer": "identity",
    "stftinitializer": "stft",
}
FACTS = {  # variance, distribution
    "zeros": ("0", "zeros"),
    "random_normal": ("stddev**2 (0.0025 by default)", "normal"),
    "random_uniform": ("(maxval - minval)**2 / 12 (0.00083 by default)", "uniform"),
    "truncated_normal": ("0.774 * stddev**2", "truncated normal"),
    "variance_scaling": ("scale / fan (1 / fan_in by default)", "truncated normal"),
    "glorot_normal": ("2 / (fan_in + fan_out)", "truncated normal"),
    "glorot_uniform": ("2 / (fan_in + fan_out)", "uniform"),
    "he_normal": ("2 / fan_in", "truncated normal"),
    "he_uniform": ("2 / fan_in", "uniform"),
    "he_normal_fan_out": ("2 / fan_out", "truncated normal"),
    "he_uniform_fan_out": ("2 / fan_out", "uniform"),
    "lecun_normal": ("1 / fan_in", "truncated normal"),
    "lecun_uniform": ("1 / fan_in", "uniform"),
    "orthogonal": ("1 / max(fan_in, fan_out)", "orthogonal"),
    "delta_orthogonal": ("1 / max(in, out) at the middle place", "orthogonal"),
    "dirac": ("the identity at the middle place", "identity"),
    "sparse": ("(1 - sparsity) * stddev**2 (0.00009 by default)", "normal"),
}
AUTO = "auto"
_OTHERS = "an initializer, its class or configuration, or a function of shape and dtype"
_NO_INITIALIZERS = (layers.Layer, keras.regularizers.Regularizer, keras.constraints.Constraint)


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
        identifier: a name in any spelling, "auto", `(name, options)`, a configuration, a function
            of shape and dtype, or an initializer or its class.
        activation: the layer that the kernel feeds, for "auto": LeCun for selu and scaled tanh,
            Glorot for what saturates on both sides and none, He for the others, with the gain that
            a leaky slope asks for.
        seed: of the draw. An initializer that has a seed is copied with this one.
        **options: of a named one, such as `stddev`.

    Raises:
        ValueError: the name is unknown, an option does not suit, or the object is no initializer.

    Warns:
        UserWarning: zeros: the units of a hidden layer stay identical in training.

    Example:
        >>> get("auto", activation=activations.get("selu")).__class__.__name__
        'LecunNormal'
        >>> get(("RandomNormal", {"stddev": 0.1})).stddev
        0.1
    """
    identifier, options = identifiers.parted(identifier, options)
    identifier = identifiers.from_keras(
        "initializer", identifier, initializers.deserialize, initializers.Initializer, options
    )
    if isinstance(identifier, initializers.Initializer):
        return _redrawn(identifier, seed)
    if callable(identifier) and not inspect.isclass(identifier):
        _check_function(identifier)
        return identifier
    if not isinstance(identifier, str):
        _refuse(identifier)
    if identifier == AUTO:
        options["seed"] = options.get("seed") if seed is None else seed
        return identifiers.made("initializer", AUTO, partial(_auto, activation), **options)
    made = _named(identifier, seed, options)
    if isinstance(made, initializers.Zeros | initializers.Ones | initializers.Constant):
        kind = type(made).__name__.lower()
        warnings.warn(
            f"initializer: with {kind} all units of a hidden layer stay identical.", stacklevel=3
        )
    return made


def _check_function(function: Callable) -> None:
    """Refuse what cannot be called as Keras does."""
    try:
        inspect.signature(function).bind((), dtype=None)
    except TypeError:
        _refuse(function)
    except ValueError:  # it does not say what it takes
        return
    if isinstance(function, _NO_INITIALIZERS):
        _refuse(function)


def _refuse(identifier) -> NoReturn:
    identifiers.refuse("initializer", identifier, [AUTO, *NAMES], _OTHERS)


def _named(identifier: str, seed: int | None, options: dict) -> initializers.Initializer:
    """The initializer of a name: ours or Keras'."""
    name = identifiers.among(identifier, NAMES, ALIASES)
    make = NAMES.get(name or "")
    if make is None:
        name = identifiers.among(identifier, OF_KERAS, OF_KERAS_ALIASES)
        make = OF_KERAS.get(name or "")
    if make is not None:
        if seed is not None and "seed" in inspect.signature(make).parameters:
            options = {**options, "seed": seed}
        return identifiers.made("initializer", name, make, **options)
    try:
        make = type(initializers.get(identifier))
    except (TypeError, ValueError):
        _refuse(identifier)
    return _redrawn(identifiers.made("initializer", identifier, make, **options), seed)


def seed_of(identifier) -> int | None:
    """The seed that an initializer has of its own, as an object or in its options.

    Example:
        >>> seed_of(initializers.HeNormal(seed=3)), seed_of("he_normal")
        (3, None)
    """
    name, options = identifiers.parted(identifier)
    if isinstance(identifier, initializers.Initializer):
        options = identifier.get_config()
    elif isinstance(name, dict):
        options = name.get("config") or {}
    seed = options.get("seed")
    return seed if isinstance(seed, int) else None


def _redrawn(initializer, seed: int | None) -> initializers.Initializer:
    """A copy with another seed, so that each layer has a draw of its own."""
    if not isinstance(initializer, initializers.Initializer):
        return initializer
    config = initializer.get_config()
    own = config.get("seed")
    draws = "seed" in config and (own is None or isinstance(own, int))
    if not draws or (seed is None and own is not None):
        return initializer
    return type(initializer).from_config({**config, "seed": seed})


def for_depthwise(initializer: initializers.Initializer) -> initializers.Initializer:
    """The same for a depthwise kernel, which a structure has to know of.

    Example:
        >>> for_depthwise(Dirac()).depthwise
        True
    """
    if not isinstance(initializer, Structured):
        return initializer
    return type(initializer).from_config({**initializer.get_config(), "depthwise": True})


def _auto(activation: layers.Layer | None, seed: int | None) -> initializers.Initializer:
    leaky = isinstance(activation, layers.LeakyReLU | layers.ReLU)
    slope = float(activation.negative_slope) if leaky else 0.0
    if slope:  # the gain of arXiv 1502.01852, equation 15
        scale = 2 / (1 + slope**2)
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
        'selu, scaled_tanh'
    """
    suited = {name: _auto_name(activations.get(name)) for name in activations.names()}
    rows = {
        name: {
            "variance": variance,
            "distribution": distribution,
            "auto_for": ", ".join(one for one, auto in suited.items() if auto == name),
        }
        for name, (variance, distribution) in FACTS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("initializer")


def _auto_name(activation: layers.Layer) -> str:
    initializer = get(AUTO, activation=activation)
    by_class = {make: name for name, make in NAMES.items()}
    return by_class.get(type(initializer), "he_normal")


def bias_initializer(identifier=0.0, seed: int | None = None) -> initializers.Initializer:
    """An initializer for a bias.

    Args:
        identifier: a number, such as 0.01, or what `get` takes but "auto".
        seed: of a draw.

    Raises:
        ValueError: it is neither.

    Example:
        >>> bias_initializer(0.5)((2,)).numpy().tolist(), bias_initializer("ones")((1,)).numpy()
        ([0.5, 0.5], array([1.], dtype=float32))
    """
    if isinstance(identifier, Real) and not isinstance(identifier, bool):
        number = NUMBER("bias_initializer", identifier)
        return initializers.Constant(number) if number else initializers.Zeros()
    if identifier is None or (isinstance(identifier, str) and identifier == AUTO):
        raise ValueError(
            f"bias_initializer: {identifier!r} is not a number, a name or an initializer."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # identical biases are usual
        return get(identifier, seed=seed)
