"""Activations of one value that Keras has not: with parameters, learned ones, drawn ones."""

from typing import final

import keras
import numpy as np
from keras import layers, ops

from recipes.saving import PACKAGE


class Elementwise(layers.Layer):
    """An activation that leaves its input's shape."""

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape


@final
@keras.saving.register_keras_serializable(PACKAGE)
class KerasFunction(Elementwise):
    """A function of `keras.activations` with parameters of its own.

    Args:
        function: its name.
        parameters: its arguments besides the tensor.

    Example:
        >>> KerasFunction("soft_shrink", {"threshold": 1.0})(np.array([3.0])).numpy().tolist()
        [2.0]
    """

    def __init__(self, function: str, parameters: dict, **options):
        super().__init__(**options)
        self.function = function
        self.parameters = dict(parameters)
        keras.activations.get(function)(np.zeros((1, 2), "float32"), **parameters)

    def call(self, x):
        """The function."""
        return keras.activations.get(self.function)(x, **self.parameters)

    def get_config(self):
        """The arguments."""
        mine = {"function": self.function, "parameters": self.parameters}
        return {**super().get_config(), **mine}


@final
@keras.saving.register_keras_serializable(PACKAGE)
class QuickGELU(Elementwise):
    """`x * sigmoid(1.702 x)`, as CLIP has it.

    Source:
        arXiv 1606.08415, section 2; `timm.layers.QuickGELU`.

    Example:
        >>> QuickGELU()(np.array([0.0])).numpy().tolist()
        [0.0]
    """

    def call(self, x):
        """The approximate GELU."""
        return x * ops.sigmoid(1.702 * x)


@final
@keras.saving.register_keras_serializable(PACKAGE)
class HardMish(Elementwise):
    """`x / 2 * clip(x + 2, 0, 2)`.

    Source:
        `timm.layers.HardMish`.

    Example:
        >>> HardMish()(np.array([-1.0, 3.0])).numpy().tolist()
        [-0.5, 3.0]
    """

    def call(self, x):
        """The piecewise parabola."""
        return 0.5 * (x * ops.clip(x + 2, 0, 2))


@final
@keras.saving.register_keras_serializable(PACKAGE)
class ScaledTanh(Elementwise):
    """`scale * tanh(slope * x)`, by default with the values ±1 at ±1, where it bends most.

    Args:
        scale: the height.
        slope: before the hyperbolic tangent.

    Source:
        LeCun et al., Efficient BackProp, section 4.4.

    Example:
        >>> ScaledTanh()(np.array([1.0])).numpy().round(3).tolist()
        [1.0]
    """

    def __init__(self, scale: float = 1.7159, slope: float = 2 / 3, **options):
        super().__init__(**options)
        self.scale = scale
        self.slope = slope

    def call(self, x):
        """The scaled hyperbolic tangent."""
        return self.scale * ops.tanh(self.slope * x)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "scale": self.scale, "slope": self.slope}


@final
@keras.saving.register_keras_serializable(PACKAGE)
class RReLU(Elementwise):
    """Leaky ReLU whose slope is drawn anew for each value in training, and is their mean after it.

    Args:
        lower: the least slope.
        upper: the largest.
        seed: of the draw.

    Source:
        arXiv 1505.00853; `torch.nn.RReLU`.

    Example:
        >>> RReLU(0.25, 0.75)(np.array([-2.0, 2.0])).numpy().tolist()
        [-1.0, 2.0]
    """

    def __init__(
        self, lower: float = 1 / 8, upper: float = 1 / 3, seed: int | None = None, **options
    ):
        super().__init__(**options)
        if not 0 <= lower <= upper:
            raise ValueError(f"upper: {upper!r} is below lower, {lower!r}, or one is negative.")
        self.lower = lower
        self.upper = upper
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        """The positive part, and the negative one by its slope."""
        slope = (self.lower + self.upper) / 2
        if training:
            slope = keras.random.uniform(
                ops.shape(x), self.lower, self.upper, dtype=x.dtype, seed=self.seed_generator
            )
        return ops.where(x >= 0, x, slope * x)

    def get_config(self):
        """The arguments."""
        mine = {"lower": self.lower, "upper": self.upper, "seed": self.seed}
        return {**super().get_config(), **mine}


@final
@keras.saving.register_keras_serializable(PACKAGE)
class TLU(Elementwise):
    """`max(x, tau)` with a learned threshold a channel; what follows filter response normalization.

    Source:
        arXiv 1911.09737.

    Example:
        >>> TLU()(np.array([[-1.0, 2.0]])).numpy().tolist()
        [[0.0, 2.0]]
    """

    def build(self, input_shape):
        """Make the thresholds: with 0 it is a ReLU."""
        self.tau = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="tau")

    def call(self, x):
        """The larger of value and threshold."""
        return ops.maximum(x, ops.cast(self.tau, x.dtype))


@final
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
