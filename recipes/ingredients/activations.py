"""Activations by name: Keras' own and others', and the facts about them."""

import inspect
import time
from collections.abc import Callable
from typing import NoReturn

import keras
import numpy as np
import pandas as pd
from keras import layers

from recipes.ingredients import identifiers
from recipes.ingredients.activation_facts import ACTIVATIONS, ALIASES, CLASSES, PRESETS
from recipes.ingredients.activation_layers import KerasFunction
from recipes.ingredients.joint_activations import CReLU, Maxout as Maxout, Narrowing

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
        identifier: a name in any spelling ("hard_silu", "HardSiLU"), its class, `(name, options)`,
            a function of a tensor, a layer (of which a new copy is made), or a configuration.
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
    if isinstance(identifier, str):
        identifier, preset = PRESETS.get(identifiers.folded(identifier), (identifier, {}))
        options = {**preset, **options}
    identifier = identifiers.from_keras(
        "activation", identifier, keras.saving.deserialize_keras_object, layers.Layer, options
    )
    if isinstance(identifier, layers.Layer):
        return _copy(identifier)
    if callable(identifier) and not inspect.isclass(identifier):
        _check_function(identifier)
        return layers.Activation(identifier)
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


def _check_function(function: Callable) -> None:
    function = getattr(function, "func", function)  # of a partial one
    _refuse_softmax(getattr(function, "__name__", ""))
    if function is keras.activations.glu:
        raise ValueError("activation: Keras' function glu halves the channels; take 'glu'.")


def _copy(layer: layers.Layer) -> layers.Layer:
    """A new layer of the same configuration, refused where it is no activation."""
    if isinstance(layer, layers.Activation | layers.Softmax):
        _check_function(getattr(layer, "activation", keras.activations.softmax))
    of_keras = type(layer).__module__.startswith("keras.")
    kinds = (layers.Activation, layers.Lambda, *CLASSES)
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
    return next((name for kind, name in CLASSES.items() if isinstance(layer, kind)), None)


def kernel_units(layer: layers.Layer, units: int) -> int:
    """The width of the kernel before an activation that leaves `units` channels.

    Raises:
        ValueError: CReLU doubles, so it cannot leave an odd number.

    Example:
        >>> kernel_units(CReLU(), 64), kernel_units(Maxout(3), 64), kernel_units(get("glu"), 64)
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
    name = getattr(function, "__name__", None) or str(function or type(layer).__name__)
    shape = y.shape
    own = function is not None and function is not _of_keras(function)
    if own and isinstance(layer, layers.Activation):
        shape = _shape_of(function, x, name)  # `Activation` takes it to be the input's
    if tuple(shape) != tuple(x.shape) and not isinstance(layer, CHANGE_WIDTH):
        raise ValueError(
            f"activation: {name} makes {tuple(shape)} of {tuple(x.shape)}. Of those that change "
            "the width, blocks know 'crelu', 'maxout', 'glu' and 'swiglu'."
        )
    return y


def _of_keras(function) -> Callable | None:
    """What Keras calls by this function's name."""
    return getattr(keras.activations, getattr(function, "__name__", ""), None)


def _shape_of(function: Callable, x, name: str) -> tuple:
    """Of what a function makes of a symbolic tensor; refused where it makes no tensor of it."""
    try:
        return layers.Lambda(function)(x).shape
    except Exception as error:  # whatever another framework's function raises
        allowed = ", ".join(ACTIVATIONS)
        raise ValueError(
            f"activation: {name} makes no tensor of a Keras tensor. Names: {allowed}."
        ) from error


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
