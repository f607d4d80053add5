"""PyTensor, the successor of Theano, runs the network from its arrays.

PyTensor 3 has no convolution of many channels: it is written here as nine shifted products.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytensor
import pytensor.tensor as pt

EPSILON = 1e-3  # of Keras' batch normalization

folder = Path(sys.argv[1])
pictures = np.load(folder / "pictures.npy")
expected = np.load(folder / "probabilities.npy")
weights = np.load(folder / "weights.npz")
count, side = pictures.shape[:2]
inputs = pt.tensor4("pictures", dtype="float32")
x, convolutions = inputs, 0
for layer in dict.fromkeys(path.split("/")[0] for path in weights.files):
    own = {
        path.split("/")[1]: weights[path] for path in weights.files if path.split("/")[0] == layer
    }
    if layer.startswith("conv2d"):
        channels = own["kernel"].shape[2]
        padded = pt.zeros((count, side + 2, side + 2, channels), dtype="float32")
        padded = pt.set_subtensor(padded[:, 1:-1, 1:-1], x)
        x = sum(
            padded[:, i : i + side, j : j + side] @ pt.constant(own["kernel"][i, j].copy())
            for i in range(3)
            for j in range(3)
        )
        x = x + pt.constant(own["bias"]) if "bias" in own else x
        convolutions += 1
    elif layer.startswith("batch_normalization"):
        scale = own["gamma"] / np.sqrt(own["moving_variance"] + np.float32(EPSILON))
        x = x * pt.constant(scale) + pt.constant(own["beta"] - own["moving_mean"] * scale)
        x = pt.maximum(x, np.float32(0))
        if convolutions % 2 == 0:  # max pooling of 2 by 2
            side //= 2
            x = x.reshape((count, side, 2, side, 2, len(scale))).max(axis=(2, 4))
    else:
        logits = x.mean(axis=(1, 2)) @ pt.constant(own["kernel"]) + pt.constant(own["bias"])
        x = pt.special.softmax(logits, axis=-1)
found = pytensor.function([inputs], x)(pictures)
versions = f"pytensor {pytensor.__version__}"
print(json.dumps({"versions": versions, "difference": float(abs(found - expected).max())}))
