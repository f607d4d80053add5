"""Normalization by name: Keras' own and others', of outputs and of kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import keras
import pandas as pd
from keras import layers

from recipes.ingredients import identifiers
from recipes.ingredients.norm_layers import (
    FilterResponseNormalization,
    LocalResponseNormalization,
    WeightNormalization,
    WeightStandardization,
)
from recipes.rules import COUNT

MOST_GROUPS = 32


@dataclass(frozen=True)
class Norm:
    """A kind of normalization and what is known about it.

    Attributes:
        make: builds the layer from the number of channels and its options; None for nothing.
        over: the axes over which the statistics are taken.
        shifts: whether it adds a learned shift, so that a bias right before it has no effect.
        depends_on_batch: whether the other pictures of a batch matter in training.
        parameters: learned ones a channel.
        source: the paper.
        wrap: around a kernel layer, for those that normalize the kernel.
        then: for those, what normalizes the output by default.
    """

    make: Callable[..., layers.Layer] | None
    over: str
    shifts: bool
    depends_on_batch: bool
    parameters: int
    source: str
    wrap: Callable[..., layers.Layer] | None = None
    then: str = "none"


def _group(channels: int, groups: int | None = None, **options) -> layers.Layer:
    if groups is None:
        groups = next(g for g in range(min(MOST_GROUPS, channels), 0, -1) if channels % g == 0)
    if COUNT("groups", groups) > channels or channels % groups:
        raise ValueError(f"groups: {groups!r} does not divide {channels} channels.")
    return layers.GroupNormalization(groups, **options)


def _anyhow(make: Callable[..., layers.Layer], **fixed) -> Callable[..., layers.Layer]:
    """A layer that need not know how many channels come."""
    return lambda channels, **options: make(**fixed, **options)


def _instance(channels: int, **options) -> layers.Layer:
    return layers.GroupNormalization(channels, **options)


_BATCH, _KERNEL = "batch and places", "the kernel, not its output"
NORMS = {
    "batch": Norm(_anyhow(layers.BatchNormalization), _BATCH, True, True, 2, "arXiv 1502.03167"),
    "sync_batch": Norm(
        _anyhow(layers.BatchNormalization, synchronized=True),
        *("batch, of all devices, and places", True, True, 2, "arXiv 1711.07240"),
    ),
    "frozen_batch": Norm(
        _anyhow(layers.BatchNormalization, trainable=False),
        *("nothing: its statistics stay", False, False, 0, "torchvision.ops.FrozenBatchNorm2d"),
    ),
    "layer": Norm(
        _anyhow(layers.LayerNormalization), "channels", True, False, 2, "arXiv 1607.06450"
    ),
    "group": Norm(_group, "places and a group of channels", True, False, 2, "arXiv 1803.08494"),
    "instance": Norm(_instance, "places", True, False, 2, "arXiv 1607.08022"),
    "rms": Norm(
        _anyhow(layers.RMSNormalization),
        *("channels, without the mean", False, False, 1, "arXiv 1910.07467"),
    ),
    "unit": Norm(
        _anyhow(layers.UnitNormalization),
        *("channels, to length 1", False, False, 0, "keras.layers.UnitNormalization"),
    ),
    "filter_response": Norm(
        _anyhow(FilterResponseNormalization),
        *("places, without the mean", False, False, 2, "arXiv 1911.09737"),
    ),
    "local_response": Norm(
        _anyhow(LocalResponseNormalization),
        *("neighbouring channels", False, False, 0, "AlexNet, section 3.3"),
    ),
    "weight": Norm(None, _KERNEL, False, False, 1, "arXiv 1602.07868", WeightNormalization),
    "weight_standardization": Norm(
        *(None, f"{_KERNEL}; a norm follows", True, False, 2, "arXiv 1903.10520"),
        wrap=WeightStandardization,
        then="group",
    ),
    "spectral": Norm(
        *(None, _KERNEL, False, False, 0, "arXiv 1802.05957"), wrap=layers.SpectralNormalization
    ),
    "none": Norm(None, "nothing", False, False, 0, ""),
}
ALIASES = {
    "lrn": "local_response",
    "bn": "batch",
    "gn": "group",
    "ln": "layer",
    "in": "instance",
    "frn": "filter_response",
    "ws": "weight_standardization",
    "syncbn": "sync_batch",
    "synchronizedbatch": "sync_batch",
    "frozenbn": "frozen_batch",
    "identity": "none",
}
_ENDINGS = ("normalization", "norm2d", "norm")  # "BatchNormalization", "LayerNorm2d", "BatchNorm"
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


def canonical_name(identifier) -> str | None:
    """The name in the table of a name in any spelling, with options or without; None for an object.

    Raises:
        ValueError: the name is unknown, or the object is no normalization.

    Example:
        >>> canonical_name("lrn"), canonical_name(None), canonical_name("GroupNormalization")
        ('local_response', 'none', 'group')
    """
    identifier, _ = identifiers.parted(identifier)
    if identifier is None:
        return "none"
    if not isinstance(identifier, str):
        _object(identifier)
        return None
    short = identifiers.folded(identifier)
    ending = next((e for e in _ENDINGS if short.endswith(e) and short != e), "")
    name = identifiers.among(short.removesuffix(ending), NORMS, ALIASES)
    return name if name is not None else _refuse(identifier)


def _refuse(identifier) -> NoReturn:
    identifiers.refuse("normalization", identifier, NORMS, _OBJECTS)


def _object(identifier) -> layers.Layer:
    """The layer that an object, its class or its configuration stands for."""
    layer = identifiers.from_keras(
        "normalization", identifier, keras.saving.deserialize_keras_object, layers.Layer
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


def get(identifier="batch", channels: int | None = None, **options) -> layers.Layer | None:
    """A normalization as a new layer; None for "none", and for what wraps a kernel: see `wrapper`.

    Args:
        identifier: a name in any spelling, `(name, options)`, None, a layer (of which a new copy is
            made), its class, or a configuration.
        channels: how many will come; needed for group and instance.
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
    name = canonical_name(identifier)
    channels = None if channels is None else COUNT("channels", channels)
    if name is None:
        layer = _object(identifier)
        config = {k: v for k, v in layer.get_config().items() if k != "name"}
        if isinstance(layer, layers.GroupNormalization) and channels is not None:
            _group(channels, config["groups"])
        return type(layer).from_config(config)
    facts = NORMS[name]
    if facts.wrap is not None:
        then = options.get("then", facts.then)
        return None if then == "none" else get(then, channels)
    if channels is None and name in ("group", "instance"):
        raise ValueError(f"channels: {name} normalization needs their number.")
    if facts.make is None:
        return None
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
    return lambda layer: identifiers.made("normalization", name, wrap, layer, **options)


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
    name = canonical_name(identifier)
    _, options = identifiers.parted(identifier)
    if name is None:
        layer = _object(identifier)
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
