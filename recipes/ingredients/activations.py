"""Activations by name: Keras' own, CReLU and Maxout, and the facts about them."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from recipes.lookup import find
from recipes.saving import PACKAGE


@keras.saving.register_keras_serializable(PACKAGE)
class CReLU(layers.Layer):
    """`concat(relu(x), relu(-x))` on the channel axis, which it doubles.

    Args:
        axis: of the channels.

    Source:
        arXiv 1603.05201.

    Example:
        >>> CReLU()(np.array([[1.0, -2.0]])).numpy().tolist()
        [[1.0, 0.0, 0.0, 2.0]]
    """

    def __init__(self, axis: int = -1, **options):
        super().__init__(**options)
        self.axis = axis

    def call(self, x):
        """Both halves of the input."""
        return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=self.axis)

    def compute_output_shape(self, input_shape):
        """The input's, with twice the channels."""
        shape = list(input_shape)
        shape[self.axis] = None if shape[self.axis] is None else 2 * shape[self.axis]
        return tuple(shape)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "axis": self.axis}


@keras.saving.register_keras_serializable(PACKAGE)
class Maxout(layers.Layer):
    """The largest of each `pieces` neighbouring channels, of which it leaves one.

    Args:
        pieces: how many linear pieces the learned activation has; it divides the channels.

    Source:
        arXiv 1302.4389.

    Example:
        >>> Maxout(2)(np.array([[1.0, 3.0, -2.0, -5.0]])).numpy().tolist()
        [[3.0, -2.0]]
    """

    def __init__(self, pieces: int = 2, **options):
        super().__init__(**options)
        if not isinstance(pieces, int) or pieces < 2:
            raise ValueError(f"pieces: {pieces!r} is not a whole number from 2 up.")
        self.pieces = pieces

    def build(self, input_shape):
        """Check that the pieces divide the channels."""
        if input_shape[-1] % self.pieces:
            raise ValueError(f"pieces: {self.pieces} does not divide {input_shape[-1]} channels.")

    def call(self, x):
        """The largest piece."""
        shape = (*ops.shape(x)[:-1], x.shape[-1] // self.pieces, self.pieces)
        return ops.max(ops.reshape(x, shape), axis=-1)

    def compute_output_shape(self, input_shape):
        """The input's, with one channel for each `pieces`."""
        return (*input_shape[:-1], input_shape[-1] // self.pieces)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "pieces": self.pieces}


@dataclass(frozen=True)
class Activation:
    """An activation and what is known about it.

    Attributes:
        make: builds the layer from its options.
        low: the infimum of its values.
        high: the supremum.
        zero_centred: whether positive and negative values occur in like measure.
        saturating: where the gradient vanishes: "both sides", "left side" or "no".
        monotonic: whether it never falls.
        smooth: whether it has a derivative everywhere.
        parameters: learned ones of a channel.
        initializer: of the kernel that feeds it: "glorot", "he" or "lecun".
    """

    make: Callable[..., layers.Layer]
    low: float
    high: float
    zero_centred: bool
    saturating: str
    monotonic: bool
    smooth: bool
    parameters: int
    initializer: str


def _function(name: str) -> Callable[..., layers.Layer]:
    return lambda **options: layers.Activation(name, **options)


@keras.saving.register_keras_serializable(PACKAGE)
class ChannelPReLU(layers.PReLU):
    """PReLU with one slope a channel; Keras' own must be told over which axes it is shared.

    Example:
        >>> layer = ChannelPReLU()
        >>> layer(np.ones((1, 8, 8, 3))).shape, layer.alpha.shape
        (TensorShape([1, 8, 8, 3]), TensorShape([1, 1, 3]))
    """

    def build(self, input_shape):
        """Share the slope over all axes but the batch's and the channels'."""
        self.shared_axes = list(range(1, len(input_shape) - 1)) or None
        super().build(input_shape)


_INF = float("inf")
BOTH, LEFT, NO = "both sides", "left side", "no"
ACTIVATIONS = {
    "sigmoid": Activation(_function("sigmoid"), 0, 1, False, BOTH, True, True, 0, "glorot"),
    "tanh": Activation(_function("tanh"), -1, 1, True, BOTH, True, True, 0, "glorot"),
    "relu": Activation(layers.ReLU, 0, _INF, False, LEFT, True, False, 0, "he"),
    "crelu": Activation(CReLU, 0, _INF, False, NO, False, False, 0, "he"),
    "leaky_relu": Activation(layers.LeakyReLU, -_INF, _INF, False, NO, True, False, 0, "he"),
    "prelu": Activation(ChannelPReLU, -_INF, _INF, False, NO, True, False, 1, "he"),
    "relu6": Activation(_function("relu6"), 0, 6, False, BOTH, True, False, 0, "he"),
    "silu": Activation(_function("silu"), -0.2784645, _INF, False, LEFT, False, True, 0, "he"),
    "mish": Activation(_function("mish"), -0.3088427, _INF, False, LEFT, False, True, 0, "he"),
    "selu": Activation(_function("selu"), -1.7580993, _INF, True, LEFT, True, False, 0, "lecun"),
    "elu": Activation(layers.ELU, -1, _INF, False, LEFT, True, True, 0, "he"),
    "gelu": Activation(_function("gelu"), -0.1699708, _INF, False, LEFT, False, True, 0, "he"),
    "hard_silu": Activation(
        _function("hard_silu"), -0.375, _INF, False, LEFT, False, False, 0, "he"
    ),
    "maxout": Activation(Maxout, -_INF, _INF, True, NO, True, False, 0, "he"),
    "linear": Activation(_function("linear"), -_INF, _INF, True, NO, True, True, 0, "glorot"),
}
ALIASES = {"swish": "silu", "hard_swish": "hard_silu", None: "linear", "none": "linear"}


def names() -> list[str]:
    """The name of every activation for hidden layers.

    Example:
        >>> "mish" in names()
        True
    """
    return list(ACTIVATIONS)


def get(identifier=None, **options) -> layers.Layer:
    """An activation as a new layer.

    Args:
        identifier: a name, a function of a tensor, a layer (of which a new copy is made), or a
            configuration that Keras serialized.
        **options: of a named activation: `negative_slope` (leaky_relu), `pieces` (maxout),
            `alpha` (elu), `max_value` (relu).

    Raises:
        ValueError: the name is unknown, or it is softmax, which is for output layers.

    Example:
        >>> get("leaky_relu", negative_slope=0.5)(np.array([-2.0])).numpy().tolist()
        [-1.0]
    """
    if isinstance(identifier, dict):
        identifier = keras.saving.deserialize_keras_object(identifier)
    if isinstance(identifier, layers.Layer):
        config = {k: v for k, v in identifier.get_config().items() if k != "name"}
        return type(identifier).from_config(config)
    if callable(identifier):
        identifier_name = getattr(identifier, "__name__", "")
        _refuse_softmax(identifier_name)
        return layers.Activation(identifier, **options)
    _refuse_softmax(identifier)
    name = ALIASES.get(identifier, identifier)
    return find(name, ACTIVATIONS, what="activation").make(**options)


def _refuse_softmax(name) -> None:
    if name in ("softmax", "log_softmax"):
        raise ValueError(
            f"activation: {name!r} is for the output layer; as a hidden activation it makes the "
            f"units share one sum. Allowed: {', '.join(ACTIVATIONS)}."
        )


def name_of(layer: layers.Layer) -> str | None:
    """The name of an activation layer in the table, or None where it has none there.

    Example:
        >>> name_of(get("swish")), name_of(Maxout(3)), name_of(layers.Dropout(0.5))
        ('silu', 'maxout', None)
    """
    if isinstance(layer, layers.Activation):
        name = getattr(layer.activation, "__name__", None)
        return name if name in ACTIVATIONS else None
    kinds = {
        layers.ReLU: "relu6" if getattr(layer, "max_value", None) == 6 else "relu",
        layers.LeakyReLU: "leaky_relu",
        layers.PReLU: "prelu",
        layers.ELU: "elu",
        CReLU: "crelu",
        Maxout: "maxout",
    }
    return next((name for kind, name in kinds.items() if isinstance(layer, kind)), None)


def kernel_units(layer: layers.Layer, units: int) -> int:
    """The width of the kernel before an activation that leaves `units` channels.

    Raises:
        ValueError: CReLU doubles, so it cannot leave an odd number.

    Example:
        >>> kernel_units(CReLU(), 64), kernel_units(Maxout(3), 64), kernel_units(get("relu"), 64)
        (32, 192, 64)
    """
    if isinstance(layer, CReLU):
        if units % 2:
            raise ValueError(f"units: {units} is odd; crelu leaves an even number of channels.")
        return units // 2
    return units * layer.pieces if isinstance(layer, Maxout) else units


def activation_table(*, measure_cost: bool = False, repeats: int = 20) -> pd.DataFrame:
    """The facts about every hidden activation.

    Args:
        measure_cost: whether to time each, forward, beside ReLU on this machine.
        repeats: timings of each, of which the median counts.

    Returns:
        Index `activation`; columns `low`, `high`, `zero_centred`, `saturating`, `monotonic`,
        `smooth`, `parameters`, `initializer`, and `cost` (1 is ReLU's) where it was measured.

    Example:
        >>> table = activation_table()
        >>> table.loc["tanh", ["saturating", "initializer"]].tolist()
        ['both sides', 'glorot']
    """
    rows = {
        name: {field: value for field, value in vars(facts).items() if field != "make"}
        for name, facts in ACTIVATIONS.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("activation")
    if measure_cost:
        seconds = {name: _seconds(name, repeats) for name in ACTIVATIONS}
        table["cost"] = [seconds[name] / seconds["relu"] for name in table.index]
    return table


def _seconds(name: str, repeats: int) -> float:
    """The median time of the activation alone, forward, on a million values."""
    model = keras.Sequential([keras.Input((1024,)), get(name)])
    x = np.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")
    model.predict_on_batch(x)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        model.predict_on_batch(x)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def plot_activation(name: str, *, low: float = -5.0, high: float = 5.0, ax=None, **options):
    """Draw an activation and its derivative.

    Args:
        name: of an activation of one value: not crelu or maxout.
        low: left end.
        high: right end.
        ax: matplotlib axes; new ones by default.
        **options: of the activation.

    Returns:
        The axes.
    """
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.figure(figsize=(4, 3), layout="constrained").gca()
    x = np.linspace(low, high, 1001).astype("float32")
    layer = get(name, **options)
    if isinstance(layer, CReLU | Maxout):
        raise ValueError(f"name: {name!r} takes several values; it has no curve.")
    y = keras.ops.convert_to_numpy(layer(x[:, None]))[:, 0]
    ax.plot(x, y, label=name)
    ax.plot(x, np.gradient(y, x), linestyle="--", label="derivative")
    ax.axhline(0, color="gray", linewidth=0.5)
    ax.legend()
    return ax
