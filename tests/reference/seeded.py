"""Weights and pictures by name and seed, so that a record need not hold them; NumPy only."""

import zlib

import numpy as np


def weights(shapes, gain):
    """An array for each name of a state dict: mild norms, and kernels with so much gain."""
    arrays = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            values = np.zeros(shape)
        elif name.endswith("running_var") or (
            len(shape) == 1 and not name.endswith(("bias", "mean"))
        ):
            values = rng.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            values = gain * rng.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))
        else:
            values = 0.1 * rng.standard_normal(shape)
        arrays[name] = values.astype("float32")
    return arrays


def pictures(side):
    """Two pictures (2, side, side, 3), as they come out of a normalization."""
    return np.random.default_rng(side).standard_normal((2, side, side, 3)).astype("float32")
