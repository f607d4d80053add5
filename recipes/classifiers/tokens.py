"""What networks on tokens share: (batch, tokens, channels) in, the same shape out."""

from collections.abc import Callable, Sequence
from numbers import Real

import keras
from keras import layers, ops

from recipes.blocks import (
    UNNAMED,
    BlockConfig,
    added as plainly_added,
    bare_convolution,
    normalized,
    wrapped,
)
from recipes.classifiers.trunk import BATCH_OF_TORCH
from recipes.ingredients import activations, regularizers
from recipes.saving import PACKAGE

PLACES = ("before", "after", "both")  # of the norm, around attention and around the dense layers
OF_TORCH = {"layer": {"epsilon": 1e-6}, **BATCH_OF_TORCH}


def patches(x, width: int, patch_size: int, config: BlockConfig, *, name: str):
    """A picture's patches as tokens, each projected to so many channels."""
    x = bare_convolution(
        x, width, config, kernel_size=patch_size, strides=patch_size, padding=0, name=name
    )
    return layers.Reshape((x.shape[1] * x.shape[2], width))(x)


def check_patches(shape: Sequence[int], patch_size: int) -> None:
    """Refuse patches that do not fill the picture.

    Raises:
        ValueError: the sides are not multiples of the patch's.

    Example:
        >>> check_patches((32, 32, 3), 8)
    """
    if any(side % patch_size for side in shape[:2]):
        raise ValueError(
            f"patch_size: {patch_size} does not divide {shape[0]} x {shape[1]} pixels."
        )


def dense(x, units: int, config: BlockConfig, *, activation=None, name: str | None = None):
    """A dense layer alone, with its bias, that feeds this activation."""
    options = config.kernel_options(activation, use_bias=True)
    return wrapped(layers.Dense(units, name=name, **options), config)(x)


def dropped(x, config: BlockConfig):
    """The configuration's dropout alone; with a rate, of single values."""
    activation = activations.get(config.activation)
    rank = None if isinstance(config.dropout, Real) else len(x.shape)
    layer = regularizers.dropout(config.dropout, activation, rank=rank, seed=config.next_seed())
    return x if layer is None else layer(x)


def two_dense(x, units: int, config: BlockConfig, names: Sequence[str | None] = UNNAMED):
    """A wide dense layer with its activation, and one back to the channels that came."""
    activation = config.new_activation()
    wide = activations.kernel_units(activation, units)
    y = dense(x, wide, config, activation=activation, name=names[0])
    y = activations.applied(activation, y)
    y = dense(dropped(y, config), x.shape[-1], config, name=names[1])
    return dropped(y, config)


def added(x, branch: Callable, config: BlockConfig, *, rate: float, name: str):
    """A branch added to its input, with the norm before the branch, after the sum, or twice.

    Args:
        x: (batch, tokens, channels).
        branch: keeps the shape.
        config: "before" is `x + branch(norm(x))`, "after" `norm(x + branch(x))`, "both"
            `x + norm(branch(norm(x)))`.
        rate: of the branch's stochastic depth.
        name: of the norm; a second one is named after it.
    """
    place = config.norm_position
    y = x if place == "after" else normalized(x, config, name=name)
    y = branch(y)
    if place == "both":
        y = normalized(y, config, name=f"{name}_after")
    x = plainly_added(x, y, config, rate)
    return normalized(x, config, name=name) if place == "after" else x


def ended(x, config: BlockConfig, *, name: str):
    """The norm behind all blocks, where the last of them has none at its end."""
    return x if config.norm_position == "after" else normalized(x, config, name=name)


@keras.saving.register_keras_serializable(PACKAGE)
class SelfAttention(layers.Layer):
    """What each token takes from all tokens; the projections before and after are not in it.

    Args:
        heads: into which the channels are divided.

    Source:
        arXiv 1706.03762, section 3.2.

    Example:
        >>> SelfAttention(2)(ops.zeros((1, 5, 3 * 8))).shape
        TensorShape([1, 5, 8])
    """

    def __init__(self, heads: int, **options):
        super().__init__(**options)
        self.heads = heads

    def call(self, x):
        """Queries, keys and values (batch, tokens, 3 × channels) to (batch, tokens, channels)."""
        tokens, channels = x.shape[1], x.shape[2] // 3
        of_head = channels // self.heads
        x = ops.reshape(x, (-1, tokens, 3, self.heads, of_head))
        x = ops.transpose(x, (2, 0, 3, 1, 4))
        queries, keys, values = x[0], x[1], x[2]
        likeness = ops.matmul(queries * of_head**-0.5, ops.transpose(keys, (0, 1, 3, 2)))
        x = ops.matmul(ops.softmax(likeness, axis=-1), values)
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, tokens, channels))

    def compute_output_shape(self, input_shape):
        """A third of the channels."""
        return (*input_shape[:-1], input_shape[-1] // 3)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable(PACKAGE)
class ClassToken(layers.Layer):
    """A learned token before all others.

    Args:
        seed: of its first value.

    Source:
        arXiv 2010.11929.

    Example:
        >>> ClassToken()(ops.zeros((1, 4, 8))).shape
        TensorShape([1, 5, 8])
    """

    def __init__(self, seed: int | None = None, **options):
        super().__init__(**options)
        self.seed = seed

    def build(self, input_shape):
        """The token."""
        initializer = keras.initializers.TruncatedNormal(stddev=0.02, seed=self.seed)
        shape = (1, 1, input_shape[-1])
        self.token = self.add_weight(shape=shape, initializer=initializer, name="token")

    def call(self, x):
        """One token more."""
        token = ops.broadcast_to(ops.cast(self.token, x.dtype), (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1)

    def compute_output_shape(self, input_shape):
        """One token more."""
        return (input_shape[0], input_shape[1] + 1, input_shape[2])

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(PACKAGE)
class PositionEmbedding(layers.Layer):
    """A learned vector for each place, which is added to its token.

    Args:
        seed: of the first values.

    Example:
        >>> PositionEmbedding()(ops.zeros((1, 4, 8))).shape
        TensorShape([1, 4, 8])
    """

    def __init__(self, seed: int | None = None, **options):
        super().__init__(**options)
        self.seed = seed

    def build(self, input_shape):
        """The vectors."""
        initializer = keras.initializers.TruncatedNormal(stddev=0.02, seed=self.seed)
        shape = (1, *input_shape[1:])
        self.embedding = self.add_weight(shape=shape, initializer=initializer, name="embedding")

    def call(self, x):
        """The tokens with their places."""
        return x + ops.cast(self.embedding, x.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "seed": self.seed}
