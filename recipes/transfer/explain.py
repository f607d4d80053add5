"""Where in a picture the evidence for a class lies."""

import math
from collections.abc import Callable
from functools import partial

import keras
import numpy as np

from recipes.transfer.forward import forward
from recipes.transfer.model import TransferModel

MAPPED = ("average", "mean", "class_and_mean")


def explainer(transfer: TransferModel) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """`class_activation_maps` of a model, or None where no mean over places is classified.

    A class token says nothing of places: what it gathered from where is not in its value.
    """
    shown = transfer.backbone.pooling in MAPPED
    return partial(class_activation_maps, transfer) if shown else None


def class_activation_maps(
    transfer: TransferModel, pixels: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Grad-CAM maps of a class each.

    The head is average pooling and one dense layer, for which Grad-CAM's gradient is the dense
    layer's kernel: no gradient need be computed, on any backend. Where a class token comes beside
    the average of the patches, the maps are of the patches' part.

    Args:
        transfer: the model.
        pixels: (n, H, W, 3), 0 to 255.
        classes: (n,), the class to explain for each picture.

    Returns:
        (n, h, w) at the resolution of the last feature maps, 0 to 1 in each map.

    Source:
        Grad-CAM, arXiv 1610.02391, section 3.1.
    """
    maps = keras.Model(transfer.model.input, transfer.model.get_layer("pool").input)
    features = forward(maps, pixels, len(pixels))
    if features.ndim == 3:
        features = _on_grid(features[:, transfer.backbone.prefix :], transfer.backbone.image_size)
    kernel = keras.ops.convert_to_numpy(transfer.model.layers[-1].kernel)
    kernel = kernel[-features.shape[-1] :]
    if kernel.shape[1] == 1:  # one output for two classes: what speaks against it is for the other
        kernel = np.concatenate([-kernel, kernel], axis=1)
    found = np.einsum("nhwc,cn->nhw", features, kernel[:, classes]).clip(0)
    return found / np.maximum(found.max(axis=(1, 2), keepdims=True), 1e-12)


def _on_grid(tokens: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Patches' tokens (n, h · w, channels), as they lie in a picture of that size."""
    height, width = size
    step = math.sqrt(height * width / tokens.shape[1])
    rows = round(height / step)
    return tokens.reshape(len(tokens), rows, -1, tokens.shape[-1])
