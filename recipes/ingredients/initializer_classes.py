"""Initializers that Keras has not: kernels with a structure."""

import math
import random
from abc import abstractmethod
from typing import final

import keras
import numpy as np
from keras import ops

from recipes.rules import DROPOUT
from recipes.saving import PACKAGE


class Structured(keras.initializers.Initializer):
    """An initializer of matrices and of convolution kernels (places…, in, out).

    Args:
        seed: of the draw.
        depthwise: whether the last axes are channels and multiples of each, which blocks say
            where it is so.
    """

    def __init__(self, seed: int | None = None, depthwise: bool = False):
        self.seed = seed
        self.depthwise = depthwise
        self._drawn_by = random.randrange(2**30) if seed is None else seed

    def __call__(self, shape, dtype=None):
        """A kernel of a shape."""
        dtype = dtype or keras.config.floatx()
        if len(shape) < 2:
            raise ValueError(f"initializer: {type(self).__name__} is for kernels, not for {shape}.")
        return ops.cast(self.kernel(tuple(shape)), dtype)

    @abstractmethod
    def kernel(self, shape: tuple[int, ...]):
        """A kernel of a shape, in float32."""

    def normal(self, shape):
        """A draw from the normal distribution."""
        return keras.random.normal(shape, dtype="float32", seed=self._drawn_by)

    def get_config(self) -> dict:
        """The arguments."""
        return {"seed": self.seed, "depthwise": self.depthwise}


def _in_the_middle(matrix, shape: tuple[int, ...]):
    """A kernel that is a matrix at its middle place and zero elsewhere."""
    places = shape[:-2]
    if not places:
        return matrix
    middle = np.zeros((*places, 1, 1), "float32")
    middle[tuple(side // 2 for side in places)] = 1
    return middle * matrix


@final
@keras.saving.register_keras_serializable(PACKAGE)
class Dirac(Structured):
    """A kernel that passes its input on: the identity, at the middle place of a convolution.

    Args:
        seed: is not used; every initializer takes one.
        depthwise: see `Structured`.

    Source:
        `torch.nn.init.dirac_`.

    Example:
        >>> Dirac()((1, 1, 2, 2)).numpy().tolist()
        [[[[1.0, 0.0], [0.0, 1.0]]]]
    """

    def kernel(self, shape):
        """The identity, or ones for each channel."""
        inputs, outputs = shape[-2:]
        eye = np.ones((inputs, outputs)) if self.depthwise else np.eye(inputs, outputs)
        return _in_the_middle(eye.astype("float32"), shape)


@final
@keras.saving.register_keras_serializable(PACKAGE)
class DeltaOrthogonal(Structured):
    """An orthogonal matrix at the middle place of a convolution, and zero elsewhere.

    Where as many channels come as leave, or fewer, it keeps the length of what comes.

    Args:
        gain: by which the matrix is multiplied.
        seed: of the draw.
        depthwise: see `Structured`.

    Source:
        arXiv 1806.05393; `jax.nn.initializers.delta_orthogonal`.

    Example:
        >>> w = DeltaOrthogonal(seed=0)((3, 3, 2, 2)).numpy()
        >>> np.round(np.abs(w[1, 1] @ w[1, 1].T), 4).tolist(), float(np.abs(w[0]).sum())
        ([[1.0, 0.0], [0.0, 1.0]], 0.0)
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None, depthwise: bool = False):
        super().__init__(seed, depthwise)
        self.gain = gain

    def kernel(self, shape):
        """The orthogonal matrix, or rows of length 1 for each channel."""
        if self.depthwise:
            rows = self.normal(shape[-2:])
            matrix = rows / ops.sqrt(ops.sum(ops.square(rows), axis=-1, keepdims=True))
        else:
            matrix = keras.initializers.Orthogonal(seed=self._drawn_by)(shape[-2:], "float32")
        return _in_the_middle(self.gain * matrix, shape)

    def get_config(self) -> dict:
        """The arguments."""
        return {**super().get_config(), "gain": self.gain}


@final
@keras.saving.register_keras_serializable(PACKAGE)
class Sparse(Structured):
    """Normal values, of which an equal share is zero for each input.

    Args:
        sparsity: the share of zeros, from 0 to below 1; rounded up to a whole number of outputs.
        stddev: of the others.
        seed: of the draw.
        depthwise: see `Structured`.

    Source:
        `torch.nn.init.sparse_`.

    Example:
        >>> w = Sparse(sparsity=0.5, seed=0)((3, 4)).numpy()
        >>> (w == 0).sum(axis=1).tolist()
        [2, 2, 2]
    """

    def __init__(
        self,
        sparsity: float = 0.1,
        stddev: float = 0.01,
        seed: int | None = None,
        depthwise: bool = False,
    ):
        super().__init__(seed, depthwise)
        self.sparsity = DROPOUT("sparsity", sparsity)
        self.stddev = stddev

    def kernel(self, shape):
        """Values, those of the lowest lots replaced by zero."""
        outputs = shape[-1] * (shape[-2] if self.depthwise else 1)
        rows = (math.prod(shape) // outputs, outputs)
        values = self.stddev * self.normal(rows)
        lots = keras.random.uniform(rows, dtype="float32", seed=self._drawn_by + 1)
        ranks = ops.argsort(ops.argsort(lots, axis=-1), axis=-1)
        kept = ranks >= math.ceil(self.sparsity * outputs)
        return ops.reshape(ops.where(kept, values, 0.0), shape)

    def get_config(self) -> dict:
        """The arguments."""
        return {**super().get_config(), "sparsity": self.sparsity, "stddev": self.stddev}
