"""Normalization by name: Keras' own and others', of outputs and of kernels."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import NoReturn

import keras
import pandas as pd
from keras import layers

from recipes.ingredients import identifiers
from recipes.ingredients.norm_facts import ALIASES, NORMS, group
from recipes.ingredients.norm_layers import (
    FilterResponseNormalization as FilterResponseNormalization,
    LocalResponseNormalization as LocalResponseNormalization,
    WeightNormalization as WeightNormalization,
    WeightStandardization as WeightStandardization,
)
from recipes.rules import COUNT

# "BatchNormalization", "BatchNorm", "LayerNorm2d", "BN1d", "BatchNormAct2d"
_ENDING = re.compile(r"(norm(alization)?)?(act|tlu)?([123]d)?$")
_LAYERS = (
    *(layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization),
    *(layers.RMSNormalization, layers.UnitNormalization),
)
_OBJECTS = "a layer that normalizes, its class or configuration"


def names() -> list[str]:
    """The name of every kind of normalization.

    Example:
        >>> "group" in names()
        True
    """
    return list(NORMS)


def _named(identifier, options: Mapping) -> str | None:
    """The name in the table that is meant; None for an object, which may be made of options."""
    if identifier is None:
        return "none"
    if not isinstance(identifier, str):
        _object(identifier, options)
        return None
    short = _ENDING.sub("", identifiers.folded(identifier))
    name = identifiers.among(short, NORMS, ALIASES)
    return name if name is not None else _refuse(identifier)


def canonical_name(identifier) -> str | None:
    """The name in the table of a name in any spelling, with options or without; None for an object.

    Raises:
        ValueError: the name is unknown, or the object is no normalization.

    Example:
        >>> canonical_name("lrn"), canonical_name(None), canonical_name("GroupNormalization")
        ('local_response', 'none', 'group')
    """
    return _named(*identifiers.parted(identifier))


def _refuse(identifier) -> NoReturn:
    identifiers.refuse("normalization", identifier, NORMS, _OBJECTS)


def _object(identifier, options: Mapping | None = None) -> layers.Layer:
    """The layer that an object, its class or its configuration stands for."""
    layer = identifiers.from_keras(
        "normalization", identifier, keras.saving.deserialize_keras_object, layers.Layer, options
    )
    of_keras = type(layer).__module__.startswith("keras.")
    if not isinstance(layer, layers.Layer) or isinstance(layer, layers.Wrapper | keras.Model):
        _refuse(identifier)
    if of_keras and not isinstance(layer, _LAYERS):
        _refuse(identifier)
    if layer.weights:
        raise ValueError(
            f"normalization: the layer {layer.name!r} has weights of its own, and each block gets "
            "a new one; give a layer that was not used yet."
        )
    return layer


def get(
    identifier="batch",
    channels: int | None = None,
    *,
    usual: Mapping[str, Mapping] | None = None,
    **options,
) -> layers.Layer | None:
    """A normalization as a new layer; None for "none", and for what wraps a kernel: see `wrapper`.

    Args:
        identifier: a name in any spelling, its class, `(name, options)`, None, a layer (of which a
            new copy is made), or a configuration.
        channels: how many will come; needed for group and instance.
        usual: options by name, for what comes by its name and leaves them open.
        **options: of a named one: `groups`, `epsilon`, `momentum`, `size`, …; for those of a
            kernel `then`, what normalizes the output besides.

    Raises:
        ValueError: the name is unknown, an option does not suit, the object is no normalization,
            or the groups do not divide the channels.

    Example:
        >>> get("group", 48).groups, get(("group", {"groups": 8}), 48).groups
        (24, 8)
        >>> get("weight_standardization", 48).groups
        24
    """
    identifier, options = identifiers.parted(identifier, options)
    name = _named(identifier, options)
    channels = None if channels is None else COUNT("channels", channels)
    if name is None:
        layer = _object(identifier, options)
        config = {k: v for k, v in layer.get_config().items() if k != "name"}
        if isinstance(layer, layers.GroupNormalization) and channels is not None:
            group(channels, config["groups"])
        return type(layer).from_config(config)
    facts = NORMS[name]
    if facts.make is None:  # it wraps what it normalizes
        return get(options.get("then", facts.then), channels, usual=usual)
    if channels is None and name in ("group", "instance"):
        raise ValueError(f"channels: {name} normalization needs their number.")
    options = {**(usual or {}).get(name, {}), **options}
    return identifiers.made("normalization", name, facts.make, channels, **options)


def wrapper(identifier) -> Callable[[layers.Layer], layers.Layer] | None:
    """What goes around a kernel layer, for a normalization of kernels; None for the others.

    Args:
        identifier: as `get` takes it.

    Example:
        >>> wrapper("weight")(layers.Dense(3)).layer.units, wrapper("batch")
        (3, None)
    """
    name = canonical_name(identifier)
    wrap = NORMS[name].wrap if name else None
    if wrap is None:
        return None
    _, options = identifiers.parted(identifier)
    options.pop("then", None)

    def wrapped(layer: layers.Layer) -> layers.Layer:
        make = identifiers.Maker(partial(wrap, name=layer.name), wrap)
        return identifiers.made("normalization", name, make, layer, **options)

    return wrapped


def of_kernels_alone(identifier) -> bool:
    """Whether it normalizes kernels, and nothing that comes from them.

    Args:
        identifier: as `get` takes it.

    Example:
        >>> of_kernels_alone("spectral"), of_kernels_alone("weight_standardization")
        (True, False)
    """
    identifier, options = identifiers.parted(identifier)
    name = _named(identifier, options)
    if name is None or NORMS[name].wrap is None:
        return False
    return canonical_name(options.get("then", NORMS[name].then)) == "none"


def shifts(identifier) -> bool:
    """Whether a bias right before this normalization has no effect.

    Args:
        identifier: as `get` takes it.

    Example:
        >>> shifts("batch"), shifts("rms"), shifts(layers.BatchNormalization(center=False))
        (True, False, False)
        >>> shifts(("batch", {"center": False}))
        False
    """
    identifier, options = identifiers.parted(identifier)
    name = _named(identifier, options)
    if name is None:
        layer = _object(identifier, options)
        return bool(getattr(layer, "center", False)) and layer.trainable
    if NORMS[name].wrap is not None:
        then = options.get("then", NORMS[name].then)
        return shifts(then)
    return NORMS[name].shifts and options.get("center", True) and options.get("trainable", True)


def normalization_table() -> pd.DataFrame:
    """The facts about every kind of normalization.

    Returns:
        Index `normalization`; columns `over`, `shifts`, `depends_on_batch`, `parameters`,
        `source`.

    Example:
        >>> bool(normalization_table().loc["batch", "depends_on_batch"])
        True
    """
    fields = ("over", "shifts", "depends_on_batch", "parameters", "source")
    rows = {name: {f: getattr(facts, f) for f in fields} for name, facts in NORMS.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("normalization")
