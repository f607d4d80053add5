"""What is known of each normalization: how it is made, over what, and whether it shifts."""

from collections.abc import Callable
from dataclasses import dataclass

from keras import layers

from recipes.dtypes import at_least_float32
from recipes.ingredients.identifiers import Maker
from recipes.ingredients.norm_layers import (
    FilterResponseNormalization,
    LocalResponseNormalization,
    SpectralNormalization,
    WeightNormalization,
    WeightStandardization,
)
from recipes.rules import COUNT

MOST_GROUPS = 32


@dataclass(frozen=True)
class Norm:
    """A kind of normalization and what is known about it.

    Attributes:
        make: builds the layer from the number of channels and its options; None for what wraps.
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


def group(channels: int, groups: int | None = None, **options) -> layers.Layer:
    """Group normalization, by default with as many groups as divide the channels, at most 32.

    Raises:
        ValueError: the groups do not divide the channels.

    Example:
        >>> group(48).groups
        24
    """
    if groups is None:
        groups = next(g for g in range(min(MOST_GROUPS, channels), 0, -1) if channels % g == 0)
    if COUNT("groups", groups) > channels or channels % groups:
        raise ValueError(f"groups: {groups!r} does not divide {channels} channels.")
    return layers.GroupNormalization(groups, **options)


def _anyhow(make: Callable[..., layers.Layer], **fixed) -> Callable[..., layers.Layer]:
    """A layer that need not know how many channels come."""
    return Maker(lambda channels, **options: make(**fixed, **options), make)


def _instance(channels: int, **options) -> layers.Layer:
    return layers.GroupNormalization(channels, **options)


def _unit(channels: int, **options) -> layers.Layer:
    """In float32 at the least: the square of a length is soon infinite in float16."""
    return layers.UnitNormalization(**{"dtype": at_least_float32(), **options})


def _nothing(channels: int | None) -> None:
    """No layer."""


_GROUP, _INSTANCE = (Maker(make, layers.GroupNormalization) for make in (group, _instance))
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
    "group": Norm(_GROUP, "places and a group of channels", True, False, 2, "arXiv 1803.08494"),
    "instance": Norm(_INSTANCE, "places", True, False, 2, "arXiv 1607.08022"),
    "rms": Norm(
        _anyhow(layers.RMSNormalization),
        *("channels, without the mean", False, False, 1, "arXiv 1910.07467"),
    ),
    "unit": Norm(
        Maker(_unit, layers.UnitNormalization),
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
        *(None, _KERNEL, False, False, 0, "arXiv 1802.05957"), wrap=SpectralNormalization
    ),
    "none": Norm(_nothing, "nothing", False, False, 0, ""),
}
ALIASES = {
    "lrn": "local_response",
    "crossmaplrn": "local_response",
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
