"""Where in a picture the evidence for a class lies."""

import keras
import numpy as np

from recipes.transfer.model import TransferModel, forward


def class_activation_maps(
    transfer: TransferModel, pixels: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Grad-CAM maps of a class each.

    The head is average pooling and one dense layer, for which Grad-CAM's gradient is the dense
    layer's kernel: no gradient need be computed, on any backend.

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
    kernel = keras.ops.convert_to_numpy(transfer.model.layers[-1].kernel)
    if kernel.shape[1] == 1:  # one output for two classes: what speaks against it is for the other
        kernel = np.concatenate([-kernel, kernel], axis=1)
    found = np.einsum("nhwc,cn->nhw", features, kernel[:, classes]).clip(0)
    return found / np.maximum(found.max(axis=(1, 2), keepdims=True), 1e-12)
