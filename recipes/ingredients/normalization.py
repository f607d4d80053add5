"""Normalization by name: Keras' own, local response and weight normalization."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from recipes.lookup import find
from recipes.saving import PACKAGE

MOST_GROUPS = 32


@keras.saving.register_keras_serializable(PACKAGE)
class LocalResponseNormalization(layers.Layer):
    """Divide each channel by `(k + alpha * mean of squares of its neighbours) ** beta`.

    Args:
        size: channels in the window, itself in the middle.
        alpha: of the mean; AlexNet and `tf.nn.lrn` multiply the sum: take their alpha times size.
        beta: the exponent.
        k: is added; 2 in AlexNet.

    Source:
        AlexNet, section 3.3, in the form of `torch.nn.LocalResponseNorm`.

    Example:
        >>> LocalResponseNormalization(size=1, alpha=1.0, beta=1.0)(np.array([[3.0]])).numpy()
        array([[0.3]], dtype=float32)
    """

    def __init__(
        self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, **options
    ):
        super().__init__(**options)
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"size: {size!r} is not a whole number from 1 up.")
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def call(self, x):
        """The input over its neighbourhood's strength."""
        before, channels = self.size // 2, x.shape[-1]
        pads = [(0, 0)] * (len(x.shape) - 1) + [(before, self.size - 1 - before)]
        squares = ops.pad(ops.square(x), pads)
        total = sum(squares[..., start : start + channels] for start in range(self.size))
        return x / ops.power(self.k + self.alpha / self.size * total, self.beta)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The arguments."""
        mine = {name: getattr(self, name) for name in ("size", "alpha", "beta", "k")}
        return {**super().get_config(), **mine}


@keras.saving.register_keras_serializable(PACKAGE)
class WeightNormalization(layers.Wrapper):
    """A layer whose kernel is `g * v / ||v||`: its length g and its direction v are learned apart.

    Args:
        layer: with a `kernel`: dense or convolution. The norm is taken over all axes but the
            last, for a depthwise kernel over its places.

    Source:
        arXiv 1602.07868; `torch.nn.utils.weight_norm` with the output axis.

    Example:
        >>> WeightNormalization(layers.Dense(2))(np.ones((1, 3))).shape
        TensorShape([1, 2])
    """

    def __init__(self, layer: layers.Layer, **options):
        options.setdefault("name", layer.name)
        super().__init__(layer, **options)

    def build(self, input_shape=None):
        """Make the layer's weights, and g such that the kernel is at first what it would be."""
        super().build(input_shape)
        kernel = self.layer.kernel
        depthwise = isinstance(self.layer, layers.DepthwiseConv2D)
        self.axes = tuple(range(len(kernel.shape) - (2 if depthwise else 1)))
        self.g = self.add_weight(
            shape=kernel.shape[len(self.axes) :], name="g", initializer="ones", trainable=True
        )
        start = keras.ops.convert_to_numpy(kernel)
        self.g.assign(np.sqrt(np.square(start).sum(axis=self.axes)))

    def call(self, x):
        """The layer with the normalized kernel."""
        direction = ops.convert_to_tensor(self.layer.kernel)
        length = ops.sqrt(ops.sum(ops.square(direction), axis=self.axes, keepdims=True) + 1e-12)
        values = {id(v): ops.convert_to_tensor(v) for v in self.layer.variables}
        values[id(self.layer.kernel)] = self.g * direction / length
        mapping = [(v, values[id(v)]) for v in self.layer.variables]
        with keras.StatelessScope(state_mapping=mapping):
            return self.layer.call(x)

    def compute_output_shape(self, input_shape):
        """The layer's."""
        return self.layer.compute_output_shape(input_shape)


@dataclass(frozen=True)
class Norm:
    """A kind of normalization and what is known about it.

    Attributes:
        make: builds the layer from the number of channels and its options; None where there is
            none.
        over: the axes over which the statistics are taken.
        shifts: whether it adds a learned shift, so that a bias right before it has no effect.
        depends_on_batch: whether the other pictures of a batch matter in training.
        parameters: learned ones a channel.
        source: the paper.
    """

    make: Callable[..., layers.Layer | None]
    over: str
    shifts: bool
    depends_on_batch: bool
    parameters: int
    source: str


def _group(channels: int, groups: int | None = None, **options) -> layers.Layer:
    if groups is None:
        groups = next(g for g in range(min(MOST_GROUPS, channels), 0, -1) if channels % g == 0)
    if not isinstance(groups, int) or groups < 1 or channels % groups:
        raise ValueError(f"groups: {groups!r} does not divide {channels} channels.")
    return layers.GroupNormalization(groups, **options)


NORMS = {
    "batch": Norm(
        lambda channels, **options: layers.BatchNormalization(**options),
        "batch and places",
        True,
        True,
        2,
        "arXiv 1502.03167",
    ),
    "layer": Norm(
        lambda channels, **options: layers.LayerNormalization(**options),
        "channels",
        True,
        False,
        2,
        "arXiv 1607.06450",
    ),
    "group": Norm(_group, "places and a group of channels", True, False, 2, "arXiv 1803.08494"),
    "instance": Norm(
        lambda channels, **options: layers.GroupNormalization(channels, **options),
        "places",
        True,
        False,
        2,
        "arXiv 1607.08022",
    ),
    "rms": Norm(
        lambda channels, **options: layers.RMSNormalization(**options),
        "channels, without the mean",
        False,
        False,
        1,
        "arXiv 1910.07467",
    ),
    "local_response": Norm(
        lambda channels, **options: LocalResponseNormalization(**options),
        "neighbouring channels",
        False,
        False,
        0,
        "AlexNet, section 3.3",
    ),
    "weight": Norm(
        lambda channels: None, "the kernel, not its output", False, False, 1, "arXiv 1602.07868"
    ),
    "none": Norm(lambda channels: None, "nothing", False, False, 0, ""),
}
ALIASES = {None: "none", "lrn": "local_response", "bn": "batch", "gn": "group"}


def names() -> list[str]:
    """The name of every kind of normalization.

    Example:
        >>> "group" in names()
        True
    """
    return list(NORMS)


def canonical_name(identifier) -> str | None:
    """The name in the table of a name or alias; None for an object.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> canonical_name("lrn"), canonical_name(None)
        ('local_response', 'none')
    """
    if identifier is not None and not isinstance(identifier, str):
        return None
    name = ALIASES.get(identifier, identifier)
    find(name, NORMS, what="normalization")
    return str(name)


def get(identifier="batch", channels: int | None = None, **options) -> layers.Layer | None:
    """A normalization as a new layer; None for "none", and for "weight", which wraps a kernel.

    Args:
        identifier: a name, None, a layer (of which a new copy is made), or a configuration.
        channels: how many will come; needed for group and instance.
        **options: of a named one: `groups`, `epsilon`, `momentum`, `size`, …

    Raises:
        ValueError: the name is unknown, or the groups do not divide the channels.

    Example:
        >>> get("group", 48).groups
        24
    """
    if isinstance(identifier, dict):
        identifier = keras.saving.deserialize_keras_object(identifier)
    if isinstance(identifier, layers.Layer):
        config = {k: v for k, v in identifier.get_config().items() if k != "name"}
        if isinstance(identifier, layers.GroupNormalization) and channels is not None:
            _group(channels, config["groups"])
        return type(identifier).from_config(config)
    name = canonical_name(identifier) or ""
    if channels is None and name in ("group", "instance"):
        raise ValueError(f"channels: {name} normalization needs their number.")
    return NORMS[name].make(channels, **options)


def shifts(identifier) -> bool:
    """Whether a bias right before this normalization has no effect.

    Args:
        identifier: as `get` takes it.

    Example:
        >>> shifts("batch"), shifts("rms"), shifts(layers.BatchNormalization(center=False))
        (True, False, False)
    """
    name = canonical_name(identifier)
    return NORMS[name].shifts if name else bool(getattr(identifier, "center", False))


def normalization_table() -> pd.DataFrame:
    """The facts about every kind of normalization.

    Returns:
        Index `normalization`; columns `over`, `shifts`, `depends_on_batch`, `parameters`,
        `source`.

    Example:
        >>> bool(normalization_table().loc["batch", "depends_on_batch"])
        True
    """
    rows = {
        name: {field: value for field, value in vars(facts).items() if field != "make"}
        for name, facts in NORMS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("normalization")
