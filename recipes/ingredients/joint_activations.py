"""Activations of several channels: most of them change the width."""

from abc import abstractmethod
from typing import final

import keras
from keras import layers, ops

from recipes.dtypes import widened
from recipes.rules import COUNT
from recipes.saving import PACKAGE


@final
@keras.saving.register_keras_serializable(PACKAGE)
class Sparsemax(layers.Layer):
    """The nearest point with values from 0 up that sum to 1: a softmax with zeros.

    `keras.activations.sparsemax` of Keras 3.15 is another function: its values need not sum to 1.

    Source:
        arXiv 1602.02068.

    Example:
        >>> Sparsemax()(ops.array([[1.0, 0.5, -3.0]])).numpy().tolist()
        [[0.75, 0.25, 0.0]]
    """

    def call(self, x):
        """What is above the threshold by which the rest sums to 1; it is found in float32."""
        values = widened(x)
        falling = -ops.sort(-values, axis=-1)
        counts = ops.arange(1, x.shape[-1] + 1, dtype=values.dtype)
        thresholds = (ops.cumsum(falling, axis=-1) - 1) / counts
        above = ops.relu(values - ops.max(thresholds, axis=-1, keepdims=True))
        return ops.cast(above, x.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape


@final
@keras.saving.register_keras_serializable(PACKAGE)
class CReLU(layers.Layer):
    """`concat(relu(x), relu(-x))` on the channel axis, which it doubles.

    Args:
        axis: of the channels.

    Source:
        arXiv 1603.05201.

    Example:
        >>> CReLU()(ops.array([[1.0, -2.0]])).numpy().tolist()
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


class Narrowing(layers.Layer):
    """An activation that leaves one channel of each `pieces`, which divide their number."""

    pieces: int

    def build(self, input_shape):
        """Check that the pieces divide the channels."""
        if input_shape[-1] % self.pieces:
            raise ValueError(f"pieces: {self.pieces} does not divide {input_shape[-1]} channels.")

    def compute_output_shape(self, input_shape):
        """The input's, with one channel for each `pieces`."""
        return (*input_shape[:-1], input_shape[-1] // self.pieces)


@final
@keras.saving.register_keras_serializable(PACKAGE)
class Maxout(Narrowing):
    """The largest of each `pieces` neighbouring channels, of which it leaves one.

    Args:
        pieces: how many linear pieces the learned activation has; it divides the channels.

    Source:
        arXiv 1302.4389.

    Example:
        >>> Maxout(2)(ops.array([[1.0, 3.0, -2.0, -5.0]])).numpy().tolist()
        [[3.0, -2.0]]
    """

    def __init__(self, pieces: int = 2, **options):
        super().__init__(**options)
        self.pieces = COUNT("pieces", pieces)
        if self.pieces < 2:
            raise ValueError(f"pieces: {pieces!r} is not a whole number from 2 up.")

    def call(self, x):
        """The largest piece."""
        shape = (*ops.shape(x)[:-1], x.shape[-1] // self.pieces, self.pieces)
        return ops.max(ops.reshape(x, shape), axis=-1)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "pieces": self.pieces}


class Gated(Narrowing):
    """One half of the channels lets the other through."""

    pieces = 2

    def call(self, x):
        """The product of the halves, one of them behind a function."""
        half = x.shape[-1] // 2
        return self.product(x[..., :half], x[..., half:])

    @abstractmethod
    def product(self, first, second):
        """Of the two halves."""


@final
@keras.saving.register_keras_serializable(PACKAGE)
class GLU(Gated):
    """`a * sigmoid(b)` of the halves a and b of the channels: the gated linear unit.

    Source:
        arXiv 1612.08083; `torch.nn.GLU`.

    Example:
        >>> GLU()(ops.array([[4.0, 0.0]])).numpy().tolist()
        [[2.0]]
    """

    def product(self, first, second):
        """The second half is the gate."""
        return first * ops.sigmoid(second)


@final
@keras.saving.register_keras_serializable(PACKAGE)
class SwiGLU(Gated):
    """`silu(a) * b` of the halves a and b of the channels.

    Source:
        arXiv 2002.05202; `timm.layers.SwiGLUPacked`.

    Example:
        >>> SwiGLU()(ops.array([[0.0, 5.0]])).numpy().tolist()
        [[0.0]]
    """

    def product(self, first, second):
        """The first half is the gate."""
        return ops.silu(first) * second
