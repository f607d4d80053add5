"""What a network gives, as one vector a picture."""

import keras
from keras import layers, ops

from recipes.keras_setup import require_channels_last
from recipes.lookup import find
from recipes.saving import PACKAGE
from recipes.settings import FLOAT32

POOLINGS = ("average", "class", "mean", "class_and_mean", "none")


def pooled(x, pooling: str, prefix: int = 0, *, name: str = "pool"):
    """What a network gives as one vector a picture, in float32.

    Args:
        x: maps (batch, height, width, channels), tokens (batch, tokens, channels) or features.
        pooling: one of `POOLINGS`.
        prefix: how many tokens come before those of the patches.
        name: of the layer.

    Raises:
        ValueError: the pooling is unknown.

    Example:
        >>> pooled(keras.Input((17, 8)), "class_and_mean", 1).shape
        (None, 16)
    """
    find(pooling, dict.fromkeys(POOLINGS), what="pooling")
    if pooling == "average":
        require_channels_last()
        return layers.GlobalAveragePooling2D(name=name, dtype=FLOAT32)(x)
    if pooling == "none":
        return layers.Identity(name=name, dtype=FLOAT32)(x)
    return TokenPooling(pooling, prefix, name=name, dtype=FLOAT32)(x)


@keras.saving.register_keras_serializable(PACKAGE)
class TokenPooling(layers.Layer):
    """One vector of a transformer's tokens.

    Args:
        kind: "class" for the first token, "mean" for the average of the patches' tokens, or
            "class_and_mean" for one behind the other.
        prefix: how many tokens come before those of the patches.

    Source:
        arXiv 2010.11929, section 3.1 (class token); arXiv 2304.07193, appendix B.3 (both).

    Example:
        >>> import numpy as np
        >>> tokens = np.array([[[5.0], [1.0], [3.0]]])
        >>> ops.convert_to_numpy(TokenPooling("class_and_mean", 1)(tokens)).tolist()
        [[5.0, 2.0]]
    """

    def __init__(self, kind: str, prefix: int = 0, **options):
        super().__init__(**options)
        self.kind = kind
        self.prefix = prefix

    def call(self, inputs):
        """(batch, tokens, channels) to (batch, features)."""
        first = inputs[:, 0]
        if self.kind == "class":
            return first
        mean = ops.mean(inputs[:, self.prefix :], axis=1)
        return mean if self.kind == "mean" else ops.concatenate([first, mean], axis=-1)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "kind": self.kind, "prefix": self.prefix}
