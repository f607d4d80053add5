"""Normalizations that Keras has not: of outputs, and of the kernels that give them."""

from abc import abstractmethod
from typing import final

import keras
import numpy as np
from keras import layers, ops

from recipes.dtypes import widened
from recipes.rules import COUNT
from recipes.saving import PACKAGE


@final
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
        self.size = COUNT("size", size)
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def call(self, x):
        """The input over its neighbourhood's strength, which is taken in float32."""
        before, channels = self.size // 2, x.shape[-1]
        pads = [(0, 0)] * (len(x.shape) - 1) + [(before, self.size - 1 - before)]
        squares = ops.pad(ops.square(widened(x)), pads)
        total = sum(squares[..., start : start + channels] for start in range(self.size))
        strength = ops.power(self.k + self.alpha / self.size * total, self.beta)
        return ops.cast(widened(x) / strength, x.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The arguments."""
        mine = {name: getattr(self, name) for name in ("size", "alpha", "beta", "k")}
        return {**super().get_config(), **mine}


@final
@keras.saving.register_keras_serializable(PACKAGE)
class FilterResponseNormalization(layers.Layer):
    """Divide each channel by the root mean square over its places, then scale and shift it.

    Args:
        epsilon: is added to the mean of squares.
        gamma_initializer: of the scale.

    Source:
        arXiv 1911.09737, whose activation is "tlu"; `timm.layers.FilterResponseNormTlu2d`.

    Example:
        >>> x = np.full((1, 2, 2, 1), 5.0)
        >>> FilterResponseNormalization()(x).numpy().ravel().round(3).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, epsilon: float = 1e-6, gamma_initializer="ones", **options):
        super().__init__(**options)
        self.epsilon = epsilon
        self.gamma_initializer = keras.initializers.get(gamma_initializer)

    def build(self, input_shape):
        """Make scale and shift."""
        if len(input_shape) < 3:
            raise ValueError(
                "normalization: 'filter_response' normalizes over the places of maps, and vectors "
                "have none; take 'layer' or 'rms'."
            )
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer=self.gamma_initializer, name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def call(self, x):
        """The normalized channels; the mean is taken in float32."""
        places = tuple(range(1, len(x.shape) - 1))
        squares = ops.mean(ops.square(widened(x)), axis=places, keepdims=True)
        x = x * ops.cast(ops.rsqrt(squares + self.epsilon), x.dtype)
        return x * ops.cast(self.gamma, x.dtype) + ops.cast(self.beta, x.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The arguments."""
        start = keras.initializers.serialize(self.gamma_initializer)
        return {**super().get_config(), "epsilon": self.epsilon, "gamma_initializer": start}


class KernelNormalization(layers.Wrapper):
    """A layer with a `kernel`, dense or convolution, that another kernel takes the place of.

    Statistics are taken over all axes of the kernel but the last; of a depthwise one over its
    places.
    """

    def __init__(self, layer: layers.Layer, **options):
        options.setdefault("name", layer.name)
        super().__init__(layer, **options)

    def build(self, input_shape=None):
        """Make the layer's weights."""
        super().build(input_shape)
        depthwise = isinstance(self.layer, layers.DepthwiseConv2D)
        self.axes = tuple(range(len(self.layer.kernel.shape) - (2 if depthwise else 1)))

    def call(self, x):
        """The layer with the normalized kernel."""
        values = {id(v): ops.convert_to_tensor(v) for v in self.layer.variables}
        kernel = self.layer.kernel
        own = ops.convert_to_tensor(kernel)
        values[id(kernel)] = ops.cast(self.normalized(widened(own)), own.dtype)
        mapping = [(v, values[id(v)]) for v in self.layer.variables]
        with keras.StatelessScope(state_mapping=mapping):
            return self.layer.call(x)

    @abstractmethod
    def normalized(self, kernel):
        """The kernel that is used, from one that is in float32 at the least."""

    def compute_output_shape(self, input_shape):
        """The layer's."""
        return self.layer.compute_output_shape(input_shape)


@final
@keras.saving.register_keras_serializable(PACKAGE)
class WeightNormalization(KernelNormalization):
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

    def build(self, input_shape=None):
        """Make the layer's weights, and g such that the kernel is at first what it would be."""
        super().build(input_shape)
        kernel = self.layer.kernel
        self.g = self.add_weight(
            shape=kernel.shape[len(self.axes) :], name="g", initializer="ones", trainable=True
        )
        start = keras.ops.convert_to_numpy(kernel)
        self.g.assign(np.sqrt(np.square(start).sum(axis=self.axes)))

    def normalized(self, kernel):
        """The direction, g long."""
        length = ops.sqrt(ops.sum(ops.square(kernel), axis=self.axes, keepdims=True) + 1e-12)
        return widened(ops.convert_to_tensor(self.g)) * kernel / length


@final
@keras.saving.register_keras_serializable(PACKAGE)
class WeightStandardization(KernelNormalization):
    """A layer whose kernel has mean 0 and variance 1 for each of its outputs.

    What leaves it is large, about the root of its fan-in: a norm has to follow.

    Args:
        layer: with a `kernel`: dense or convolution.
        epsilon: is added to the variance.

    Source:
        arXiv 1903.10520; `timm.layers.StdConv2d`.

    Example:
        >>> y = WeightStandardization(layers.Dense(2))(np.ones((1, 3))).numpy()
        >>> bool(np.abs(y).max() < 1e-4)  # the values of a kernel sum to 0
        True
    """

    def __init__(self, layer: layers.Layer, epsilon: float = 1e-6, **options):
        super().__init__(layer, **options)
        self.epsilon = epsilon

    def normalized(self, kernel):
        """The standardized kernel."""
        mean = ops.mean(kernel, axis=self.axes, keepdims=True)
        variance = ops.mean(ops.square(kernel - mean), axis=self.axes, keepdims=True)
        return (kernel - mean) * ops.rsqrt(variance + self.epsilon)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}


@final
@keras.saving.register_keras_serializable(PACKAGE)
class SpectralNormalization(layers.SpectralNormalization):
    """Keras' layer of this name, with its power iteration in float32 under every policy.

    Keras iterates in the half precision of a mixed policy, where the squares of small numbers are
    0 and the kernel becomes 0 / 0, and writes the kernel back as rounded as it read it.

    Args:
        layer: with a `kernel`.
        power_iterations: at each call in training.

    Source:
        arXiv 1802.05957; `keras.layers.SpectralNormalization`.

    Example:
        >>> SpectralNormalization(layers.Dense(2))(np.ones((1, 3))).shape
        TensorShape([1, 2])
    """

    def __init__(self, layer: layers.Layer, power_iterations: int = 1, **options):
        # The wrapped layer has the policy; what goes in and comes out is its own.
        super().__init__(layer, power_iterations, **{**options, "dtype": "float32"})
        self.autocast = False
