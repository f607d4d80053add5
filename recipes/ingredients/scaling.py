"""Input scaling as layers that live inside the saved model; `adapt` takes what they need from data.

Each feature (the last axis) has its own statistics. A missing value (NaN) becomes the feature's
mean, an infinite one its nearest finite value in the data; a constant one never divides by zero.
"""

from abc import abstractmethod

import keras
import numpy as np
from keras import layers, ops

from recipes.dtypes import at_least_float32
from recipes.ingredients import identifiers
from recipes.saving import PACKAGE

STATISTICS = ("low", "high", "mean", "deviation")


class _Scaling(layers.Layer):
    """Keeps each feature's extremes, mean and deviation; a subclass says how they scale.

    It computes in float32 at the least: what is not scaled yet may be too large for float16.
    """

    def __init__(self, **options):
        super().__init__(**{"dtype": at_least_float32(), **options})

    def build(self, input_shape):
        """Make the statistics, by which nothing changes until `adapt`."""
        for name in STATISTICS:
            start = {"low": -np.inf, "high": np.inf, "mean": 0.0, "deviation": 1.0}[name]
            variable = self.add_weight(
                shape=(input_shape[-1],),
                initializer=keras.initializers.Constant(start),
                trainable=False,
                name=name,
            )
            setattr(self, name, variable)

    def adapt(self, data) -> None:
        """Take the statistics from data.

        Args:
            data: an array or table of numbers, (n, …, features); NaN and infinity are left out.

        Raises:
            ValueError: a feature has no finite value.
        """
        data = np.asarray(data, "float64")
        if data.ndim < 2:
            raise ValueError(f"data: its shape {data.shape} has no axis of features.")
        rows = data.reshape(-1, data.shape[-1])
        rows = np.where(np.isfinite(rows), rows, np.nan)
        empty = np.flatnonzero(np.isnan(rows).all(axis=0))
        if len(empty) or not len(rows):
            raise ValueError(f"data: the features {empty.tolist()} have no finite value.")
        if not self.built:
            self.build(data.shape)
            self.built = True
        deviation = np.nanstd(rows, axis=0)
        mean = np.nanmean(rows, axis=0)
        constant = deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-12)
        self.low.assign(np.nanmin(rows, axis=0))
        self.high.assign(np.nanmax(rows, axis=0))
        self.mean.assign(mean)
        self.deviation.assign(np.where(constant, 1.0, deviation))

    def call(self, x):
        """The scaled features."""
        x = ops.cast(x, self.compute_dtype)
        x = ops.where(ops.isnan(x), ops.cast(self.mean, x.dtype), x)
        infinite = ops.isinf(x)
        bounded = ops.where(x > 0, ops.cast(self.high, x.dtype), ops.cast(self.low, x.dtype))
        return self.scale(ops.where(infinite, bounded, x))

    @abstractmethod
    def scale(self, x):
        """Finite features to scaled ones."""

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape


@keras.saving.register_keras_serializable(PACKAGE)
class MinMaxScaling(_Scaling):
    """To the range from `minimum` to `maximum`, over the data that it was adapted to.

    Args:
        minimum: what a feature's least value becomes; a constant feature becomes it too.
        maximum: what its largest becomes.

    Source:
        `sklearn.preprocessing.MinMaxScaler`.

    Example:
        >>> layer = MinMaxScaling()
        >>> layer.adapt([[1.0], [3.0]])
        >>> layer(np.array([[2.0]])).numpy().tolist()
        [[0.5]]
    """

    def __init__(self, minimum: float = 0.0, maximum: float = 1.0, **options):
        super().__init__(**options)
        if not minimum < maximum:
            raise ValueError(f"maximum: {maximum!r} is not above minimum, {minimum!r}.")
        self.minimum = minimum
        self.maximum = maximum

    def scale(self, x):
        """Linear between the extremes."""
        known = ops.isfinite(self.low)
        low = ops.where(known, self.low, 0.0)
        span = ops.where(known, self.high - low, 1.0)
        share = (x - low) / ops.where(span > 0, span, 1.0)
        return share * (self.maximum - self.minimum) + self.minimum

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "minimum": self.minimum, "maximum": self.maximum}


@keras.saving.register_keras_serializable(PACKAGE)
class Standardization(_Scaling):
    """To mean 0 and variance 1; a constant feature becomes 0.

    Source:
        `sklearn.preprocessing.StandardScaler`.

    Example:
        >>> layer = Standardization()
        >>> layer.adapt([[1.0], [3.0]])
        >>> layer(np.array([[3.0]])).numpy().tolist()
        [[1.0]]
    """

    def scale(self, x):
        """`(x - mean) / deviation`."""
        return (x - self.mean) / self.deviation


@keras.saving.register_keras_serializable(PACKAGE)
class LogScaling(_Scaling):
    """`sign(u) * log(1 + |u|)` of `u = x / deviation`: long tails become short ones.

    Example:
        >>> LogScaling()(np.array([[0.0]])).numpy().tolist()
        [[0.0]]
    """

    def scale(self, x):
        """The signed logarithm."""
        x = x / self.deviation
        return ops.sign(x) * ops.log(1 + ops.abs(x))  # ONNX has no log1p


@keras.saving.register_keras_serializable(PACKAGE)
class ArctanScaling(_Scaling):
    """`2 / pi * arctan((x - mean) / deviation)`: everything into -1 to 1.

    Example:
        >>> ArctanScaling()(np.array([[1.0]])).numpy().round(3).tolist()
        [[0.5]]
    """

    def scale(self, x):
        """The arctangent."""
        return 2 / np.pi * ops.arctan((x - self.mean) / self.deviation)


@keras.saving.register_keras_serializable(PACKAGE)
class PowerScaling(_Scaling):
    """`sign(u) * |u| ** power` of `u = x / deviation`.

    Args:
        power: above 0; below 1 it shortens tails.

    Example:
        >>> PowerScaling(0.5)(np.array([[-4.0]])).numpy().tolist()
        [[-2.0]]
    """

    def __init__(self, power: float = 0.5, **options):
        super().__init__(**options)
        if not power > 0:
            raise ValueError(f"power: {power!r} is not positive.")
        self.power = power

    def scale(self, x):
        """The signed power."""
        x = x / self.deviation
        return ops.sign(x) * ops.power(ops.abs(x), self.power)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "power": self.power}


def _pixels(**options) -> layers.Layer:
    return layers.Rescaling(1 / 127.5, offset=-1.0, **{"dtype": at_least_float32(), **options})


NAMES = {
    "none": lambda: None,
    "pixels": _pixels,
    "min_max": MinMaxScaling,
    "standard": Standardization,
    "log": LogScaling,
    "arctan": ArctanScaling,
    "power": PowerScaling,
}
ALIASES = {
    "minmaxscaling": "min_max",
    "minmaxscaler": "min_max",
    "standardization": "standard",
    "standardscaler": "standard",
    "logscaling": "log",
    "arctanscaling": "arctan",
    "powerscaling": "power",
}


def get(identifier=None, *, data=None, **options) -> layers.Layer | None:
    """An input scaling as a layer.

    Args:
        identifier: "none" or None; "pixels", 0 to 255 to -1 to 1; "min_max", "standard", "log",
            "arctan", "power"; `(name, options)`; a layer, which passes through, or its class; or a
            configuration.
        data: what the layer is adapted to, (n, …, features): without it, it scales nothing.
        **options: of a named one.

    Raises:
        ValueError: the name is unknown, an option does not suit, or the object is no layer.

    Example:
        >>> get("standard", data=[[1.0], [3.0]])(np.array([[2.0]])).numpy().tolist()
        [[0.0]]
    """
    identifier, options = identifiers.parted(identifier, options)
    identifier = identifiers.from_keras(
        "scaling", identifier, keras.saving.deserialize_keras_object, layers.Layer, options
    )
    if not isinstance(identifier, layers.Layer):
        given = "none" if identifier is None else identifier
        name = identifiers.among(given, NAMES, ALIASES) if isinstance(given, str) else None
        if name is None:
            identifiers.refuse("scaling", given, NAMES, "a layer, its class or configuration")
        identifier = identifiers.made("scaling", name, NAMES[name], **options)
    if data is not None and hasattr(identifier, "adapt"):
        identifier.adapt(data)
    return identifier
