"""Dropout of what Keras cannot drop: places together, and whole branches."""

from typing import final

import keras
from keras import layers, ops

from recipes.rules import COUNT, DROPOUT
from recipes.saving import PACKAGE


class Drop(layers.Layer):
    """Drops in training, and leaves the shape.

    Args:
        rate: the share that is dropped, from 0 to below 1.
        seed: of the draw.
    """

    def __init__(self, rate: float, seed: int | None = None, **options):
        super().__init__(**options)
        self.rate = DROPOUT("rate", rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@final
@keras.saving.register_keras_serializable(PACKAGE)
class DropPath(Drop):
    """Leave out a branch for whole samples, and make it stronger for the others.

    Args:
        rate: the share of samples that go without it.
        seed: of the draw.

    Source:
        Stochastic depth, arXiv 1603.09382; `timm.layers.DropPath`.

    Example:
        >>> DropPath(0.5)(keras.ops.ones((2, 3))).numpy().tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def call(self, x, training=False):
        """The branch of the samples that keep it, over the share of them."""
        if not training or self.rate == 0:
            return x
        shape = (ops.shape(x)[0], *(1,) * (len(x.shape) - 1))
        lots = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        return x * ops.cast(lots >= self.rate, x.dtype) / (1 - self.rate)


def _real(number):
    """A whole number that may be a tensor, to divide by."""
    return float(number) if isinstance(number, int) else ops.cast(number, "float32")


@final
@keras.saving.register_keras_serializable(PACKAGE)
class DropBlock(Drop):
    """Drop squares of places, of all channels together, and make the rest stronger.

    Args:
        rate: the share of places that are dropped, about.
        block_size: side of the squares; a map that is smaller is one square.
        seed: of the draw.

    Source:
        arXiv 1810.12890; `timm.layers.drop_block_2d`.

    Example:
        >>> DropBlock(0.5)(keras.ops.ones((1, 2, 2, 1))).numpy().ravel().tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, rate: float, block_size: int = 7, seed: int | None = None, **options):
        super().__init__(rate, seed, **options)
        self.block_size = COUNT("block_size", block_size)

    def call(self, x, training=False):
        """The maps without the squares, times places by places that are left."""
        if not training or self.rate == 0:
            return x
        sides = ops.shape(x)[1:3]  # tensors where they vary
        lengths = [self._length(side) for side in sides]
        share = self.rate
        for side, length in zip(sides, lengths, strict=True):
            share = share * _real(side) / _real(length) / _real(side - length + 1)
        window = [length if isinstance(length, int) else self.block_size for length in lengths]
        shape = (ops.shape(x)[0], *sides, 1)
        lots = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        middles = ops.cast(lots < share, "float32")
        kept = 1 - ops.max_pool(middles, tuple(window), strides=1, padding="same")
        kept = kept / (ops.mean(kept) + 1e-7)
        return x * ops.cast(kept, x.dtype)

    def _length(self, side):
        """Of a square on a map of this side."""
        known = isinstance(side, int)
        return min(self.block_size, side) if known else ops.minimum(self.block_size, side)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "block_size": self.block_size}
