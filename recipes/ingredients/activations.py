"""Activations by name: Keras' own and others', and the facts about them."""

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import keras
import numpy as np
import pandas as pd
from keras import layers

from recipes.ingredients import identifiers
from recipes.ingredients.activation_layers import (
    TLU,
    ChannelPReLU,
    HardMish,
    KerasFunction,
    QuickGELU,
    RReLU,
    ScaledTanh,
)
from recipes.ingredients.joint_activations import (
    GLU,
    CReLU,
    Maxout,
    Narrowing,
    Sparsemax,
    SwiGLU,
)


@dataclass(frozen=True)
class Activation:
    """An activation and what is known about it.

    Attributes:
        make: builds the layer from its options.
        low: the infimum of its values.
        high: the supremum.
        zero_centred: whether positive and negative values occur in like measure.
        saturating: where the gradient vanishes: "both sides", "left side", "right side" or "no".
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


def _function(name: str, **defaults) -> Callable[..., layers.Layer]:
    """Keras' function of a name; as a layer of our own where it has parameters."""

    def make(**options):
        parameters = {**defaults, **options}
        return KerasFunction(name, parameters) if parameters else layers.Activation(name)

    return make


_INF = float("inf")
BOTH, LEFT, RIGHT, NO = "both sides", "left side", "right side", "no"
GLOROT, HE, LECUN = "glorot", "he", "lecun"
_FACTS = {  # low, high, zero-centred, saturating, monotonic, smooth, parameters, initializer
    "sigmoid": (_function("sigmoid"), 0, 1, False, BOTH, True, True, 0, GLOROT),
    "tanh": (_function("tanh"), -1, 1, True, BOTH, True, True, 0, GLOROT),
    "relu": (layers.ReLU, 0, _INF, False, LEFT, True, False, 0, HE),
    "crelu": (CReLU, 0, _INF, False, NO, False, False, 0, HE),
    "leaky_relu": (layers.LeakyReLU, -_INF, _INF, False, NO, True, False, 0, HE),
    "prelu": (ChannelPReLU, -_INF, _INF, False, NO, True, False, 1, HE),
    "rrelu": (RReLU, -_INF, _INF, False, NO, True, False, 0, HE),
    "tlu": (TLU, -_INF, _INF, False, LEFT, True, False, 1, HE),
    "threshold": (
        _function("threshold", threshold=1.0, default_value=0.0),
        *(0, _INF, False, LEFT, True, False, 0, HE),
    ),
    "relu6": (_function("relu6"), 0, 6, False, BOTH, True, False, 0, HE),
    "silu": (_function("silu"), -0.2784645, _INF, False, LEFT, False, True, 0, HE),
    "hard_silu": (_function("hard_silu"), -0.375, _INF, False, LEFT, False, False, 0, HE),
    "mish": (_function("mish"), -0.3088427, _INF, False, LEFT, False, True, 0, HE),
    "hard_mish": (HardMish, -0.5, _INF, False, LEFT, False, False, 0, HE),
    "gelu": (_function("gelu"), -0.1699708, _INF, False, LEFT, False, True, 0, HE),
    "quick_gelu": (QuickGELU, -0.1636101, _INF, False, LEFT, False, True, 0, HE),
    "selu": (_function("selu"), -1.7580993, _INF, True, LEFT, True, False, 0, LECUN),
    "elu": (layers.ELU, -1, _INF, False, LEFT, True, True, 0, HE),
    "celu": (_function("celu"), -1, _INF, False, LEFT, True, True, 0, HE),
    "softplus": (_function("softplus"), 0, _INF, False, LEFT, True, True, 0, HE),
    "squareplus": (_function("squareplus"), 0, _INF, False, LEFT, True, True, 0, HE),
    "sparse_plus": (_function("sparse_plus"), 0, _INF, False, LEFT, True, True, 0, HE),
    "exponential": (_function("exponential"), 0, _INF, False, LEFT, True, True, 0, GLOROT),
    "log_sigmoid": (_function("log_sigmoid"), -_INF, 0, False, RIGHT, True, True, 0, GLOROT),
    "hard_sigmoid": (_function("hard_sigmoid"), 0, 1, False, BOTH, True, False, 0, GLOROT),
    "sparse_sigmoid": (_function("sparse_sigmoid"), 0, 1, False, BOTH, True, False, 0, GLOROT),
    "sparsemax": (Sparsemax, 0, 1, False, BOTH, True, False, 0, GLOROT),
    "hard_tanh": (_function("hard_tanh"), -1, 1, True, BOTH, True, False, 0, GLOROT),
    "scaled_tanh": (ScaledTanh, -1.7159, 1.7159, True, BOTH, True, True, 0, LECUN),
    "softsign": (_function("softsign"), -1, 1, True, BOTH, True, True, 0, GLOROT),
    "tanh_shrink": (_function("tanh_shrink"), -_INF, _INF, True, NO, True, True, 0, GLOROT),
    "soft_shrink": (_function("soft_shrink"), -_INF, _INF, True, NO, True, False, 0, GLOROT),
    "hard_shrink": (_function("hard_shrink"), -_INF, _INF, True, NO, True, False, 0, GLOROT),
    "maxout": (Maxout, -_INF, _INF, True, NO, True, False, 0, HE),
    "glu": (GLU, -_INF, _INF, True, NO, False, True, 0, GLOROT),
    "swiglu": (SwiGLU, -_INF, _INF, True, NO, False, True, 0, HE),
    "linear": (_function("linear"), -_INF, _INF, True, NO, True, True, 0, GLOROT),
}
ACTIVATIONS = {name: Activation(*facts) for name, facts in _FACTS.items()}
ALIASES = {
    "swish": "silu",
    "hardswish": "hard_silu",
    "none": "linear",
    "identity": "linear",
    "thresholdedrelu": "threshold",
    "thresholdedlinearunit": "tlu",
    "mishhard": "hard_mish",
}
_CLASSES = {  # the layers that have a name in the table
    **{make: name for name, (make, *_) in _FACTS.items() if inspect.isclass(make)},
    layers.PReLU: "prelu",
}
_OBJECTS = "a function of a tensor, a layer that is an activation, its class or configuration"
CHANGE_WIDTH = (CReLU, Narrowing)


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
        identifier: a name in any spelling ("hard_silu", "HardSiLU"), `(name, options)`, a function
            of a tensor, a layer (of which a new copy is made), its class, or a configuration.
        **options: of a named activation: `negative_slope` (leaky_relu), `pieces` (maxout),
            `alpha` (elu, celu), `max_value` (relu), `threshold`, `approximate` (gelu), …

    Raises:
        ValueError: the name is unknown, or it is softmax, which is for output layers; an option
            does not suit; or the object is no activation.

    Example:
        >>> get("leaky_relu", negative_slope=0.5)(np.array([-2.0])).numpy().tolist()
        [-1.0]
        >>> get(("Soft_Shrink", {"threshold": 1.0}))(np.array([3.0])).numpy().tolist()
        [2.0]
    """
    identifier, options = identifiers.parted(identifier, options)
    identifier = identifiers.from_keras(
        "activation", identifier, keras.saving.deserialize_keras_object, layers.Layer
    )
    if isinstance(identifier, layers.Layer):
        return _copy(identifier)
    if callable(identifier) and not inspect.isclass(identifier):
        return _of_function(identifier, options)
    if identifier is None:
        identifier = "linear"
    if not isinstance(identifier, str):
        _refuse(identifier)
    _refuse_softmax(identifier)
    name = identifiers.among(identifier, ACTIVATIONS, ALIASES)
    if name is not None:
        return identifiers.made("activation", name, ACTIVATIONS[name].make, **options)
    try:
        return layers.Activation(keras.activations.get(identifier), **options)
    except ValueError:
        _refuse(identifier)


def _refuse(identifier) -> NoReturn:
    identifiers.refuse("activation", identifier, ACTIVATIONS, _OBJECTS)


def _refuse_softmax(name: str) -> None:
    if identifiers.folded(name) in ("softmax", "logsoftmax"):
        raise ValueError(
            f"activation: {name!r} is for the output layer; as a hidden activation it makes the "
            f"units share one sum. Allowed: {', '.join(ACTIVATIONS)}."
        )


def _of_function(function: Callable, options: Mapping) -> layers.Layer:
    _check_function(function)
    return layers.Activation(function, **options)


def _check_function(function: Callable) -> None:
    _refuse_softmax(getattr(function, "__name__", ""))
    if function is keras.activations.glu:
        raise ValueError("activation: Keras' function glu halves the channels; take 'glu'.")


def _copy(layer: layers.Layer) -> layers.Layer:
    """A new layer of the same configuration, refused where it is no activation."""
    if isinstance(layer, layers.Activation | layers.Softmax):
        _check_function(getattr(layer, "activation", keras.activations.softmax))
    of_keras = type(layer).__module__.startswith("keras.")
    kinds = (layers.Activation, layers.Lambda, *_CLASSES)
    if isinstance(layer, layers.Wrapper | keras.Model) or (
        of_keras and not isinstance(layer, kinds)
    ):
        _refuse(layer)
    if layer.weights:
        raise ValueError(
            f"activation: the layer {layer.name!r} has weights of its own, and each block gets a "
            "new one; give a layer that was not used yet."
        )
    config = {k: v for k, v in layer.get_config().items() if k != "name"}
    return identifiers.made("activation", layer.name, type(layer).from_config, config)


def name_of(layer: layers.Layer) -> str | None:
    """The name of an activation layer in the table, or None where it has none there.

    Example:
        >>> name_of(get("swish")), name_of(Maxout(3)), name_of(layers.Dropout(0.5))
        ('silu', 'maxout', None)
    """
    if isinstance(layer, layers.Activation | KerasFunction):
        name = getattr(layer, "function", None) or getattr(layer.activation, "__name__", None)
        return name if name in ACTIVATIONS else None
    if isinstance(layer, layers.ReLU) and layer.max_value == 6:
        return "relu6"
    return next((name for kind, name in _CLASSES.items() if isinstance(layer, kind)), None)


def kernel_units(layer: layers.Layer, units: int) -> int:
    """The width of the kernel before an activation that leaves `units` channels.

    Raises:
        ValueError: CReLU doubles, so it cannot leave an odd number.

    Example:
        >>> kernel_units(CReLU(), 64), kernel_units(Maxout(3), 64), kernel_units(GLU(), 64)
        (32, 192, 128)
    """
    if isinstance(layer, CReLU):
        if units % 2:
            raise ValueError(f"units: {units} is odd; crelu leaves an even number of channels.")
        return units // 2
    return units * layer.pieces if isinstance(layer, Narrowing) else units


def applied(layer: layers.Layer, x):
    """The activation of a symbolic tensor.

    Raises:
        ValueError: it leaves another number of channels, and is none that `kernel_units` knows.

    Example:
        >>> applied(get("swiglu"), keras.Input((8,))).shape
        (None, 4)
    """
    y = layer(x)
    function = getattr(layer, "activation", None)
    shape = y.shape
    if isinstance(layer, layers.Activation) and name_of(layer) is None:
        shape = layers.Lambda(function)(x).shape  # `Activation` takes it to be the input's
    if tuple(shape) != tuple(x.shape) and not isinstance(layer, CHANGE_WIDTH):
        raise ValueError(
            f"activation: {getattr(function, '__name__', type(layer).__name__)} makes "
            f"{tuple(shape)} of {tuple(x.shape)}. Of those that change the width, blocks know "
            "'crelu', 'maxout', 'glu' and 'swiglu'."
        )
    return y


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
        name: of an activation of one value: not crelu, maxout, glu, swiglu or sparsemax.
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
    if isinstance(layer, CHANGE_WIDTH) or name_of(layer) == "sparsemax":
        raise ValueError(f"name: {name!r} takes several values; it has no curve.")
    y = keras.ops.convert_to_numpy(layer(x[:, None]))[:, 0]
    ax.plot(x, y, label=name)
    ax.plot(x, np.gradient(y, x), linestyle="--", label="derivative")
    ax.axhline(0, color="gray", linewidth=0.5)
    ax.legend()
    return ax
