"""How far pictures lie from the pretraining data.

The distance needs none of the pretraining data: a pretrained network carries, in the moving
statistics of its batch normalization, the mean and variance that each channel had over the
pretraining pictures. The user's pictures give a mean and a variance too, and the divergence of the
two Gaussians says how unlike the pictures are. A network without batch normalization carries
nothing of the kind; EfficientNet-Lite0, which has seen ImageNet's photos, then looks at the
pictures in its stead.
"""

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from recipes import backbones
from recipes.backbones.base import Backbone
from recipes.transfer.features import outputs_of

YARDSTICK = "efficientnet_lite0"


def gaussian_divergence(
    mean: np.ndarray,
    variance: np.ndarray,
    reference_mean: np.ndarray,
    reference_variance: np.ndarray,
    epsilon: float = 0.0,
) -> np.ndarray:
    """Kullback-Leibler divergence of N(mean, variance) from N(reference), in nats, by channel.

    `(log(s²/v) + (v + (m - n)²)/s² - 1) / 2` for the means m, n and the variances v, s².

    Args:
        mean: (channels,), as are the others.
        variance: not negative.
        reference_mean: of the distribution to be compared with.
        reference_variance: as `variance`.
        epsilon: is added to both variances, as batch normalization adds it: a channel that hardly
            varies then weighs no more than it does in the network.

    Example:
        >>> one, zero = np.ones(1), np.zeros(1)
        >>> gaussian_divergence(one, one, zero, one).item()
        0.5
    """
    variance, reference = variance + epsilon, reference_variance + epsilon
    ratio = variance / reference
    return 0.5 * ((mean - reference_mean) ** 2 / reference + ratio - 1 - np.log(ratio))


def yardstick(backbone: Backbone) -> Backbone:
    """The network whose statistics say how unlike pictures are: this one, or Lite0 for it."""
    return backbone if backbone.batch_norms else backbones.get(YARDSTICK)


def measured(
    backbone: Backbone, pixels: np.ndarray, rows: np.ndarray, *, verbose: bool = True
) -> pd.DataFrame:
    """How far pictures lie from what a yardstick was trained on, as `divergences` says it.

    Args:
        backbone: what `yardstick` gave; pictures of another size than its own are resized.
        pixels: (n, H, W, 3), 0 to 255.
        rows: of the pictures to look at.
        verbose: whether progress is shown.
    """
    moments = moments_of(backbone)
    model = keras.Model(backbone.model.input, keras.ops.concatenate(moments, axis=-1))
    if pixels.shape[1:3] != tuple(backbone.image_size):
        pictures = keras.Input(pixels.shape[1:])
        to_size = keras.layers.Resizing(*backbone.image_size, antialias=True, dtype="float32")
        resized = to_size(pictures)
        model = keras.Model(pictures, model(resized))
    label = "Looking at the pictures"
    values = outputs_of(model, pixels, rows, label=label, verbose=verbose).astype("float64")
    places = np.cumsum([int(tensor.shape[-1]) for tensor in moments])[:-1]
    return divergences(backbone, np.split(values.mean(axis=0), places))


def moments_of(backbone: Backbone) -> list:
    """Two tensors a batch normalization layer: of each picture's input the mean and mean square."""
    moments = []
    for norm in backbone.batch_norms:
        x = keras.ops.cast(norm.input, "float32")
        axes = tuple(range(1, len(x.shape) - 1))
        moments += [keras.ops.mean(x, axes), keras.ops.mean(keras.ops.square(x), axes)]
    return moments


def divergences(backbone: Backbone, moments: Sequence[np.ndarray]) -> pd.DataFrame:
    """How far pictures lie from the statistics that a backbone's batch normalization carries.

    Args:
        backbone: with its pretrained weights.
        moments: what the tensors of `moments_of` are, averaged over the pictures.

    Returns:
        One row a batch normalization layer, from the pictures to the classifier: `layer`,
        `divergence` (the mean over its channels, in nats). Empty where the backbone has none.
    """
    norms, found = backbone.batch_norms, []
    for norm, mean, square in zip(norms, moments[::2], moments[1::2], strict=True):
        means_of, variances_of = (
            keras.ops.convert_to_numpy(v) for v in (norm.moving_mean, norm.moving_variance)
        )
        variance = np.maximum(square - mean**2, 0)
        channels = gaussian_divergence(mean, variance, means_of, variances_of, norm.epsilon)
        found.append(channels.mean())
    return pd.DataFrame({"layer": [norm.name for norm in norms], "divergence": found})
