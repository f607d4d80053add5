"""A model's outputs for batches of any number, as NumPy arrays."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np

from recipes.images.pipeline import Batches
from recipes.transfer import parallel


def forward(model: keras.Model, batch: np.ndarray, batch_size: int):
    """The model's outputs for a batch, as NumPy arrays.

    A smaller batch is filled up to `batch_size` first, so that each model is compiled for one
    shape.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
        >>> forward(model, np.ones((1, 2)), batch_size=4).shape
        (1, 2)
    """
    return next(forward_all(model, [batch], batch_size))


def forward_all(model: keras.Model, batches: Iterable[np.ndarray], batch_size: int) -> Iterator:
    """The model's outputs for each batch, as `forward` gives them.

    An accelerator has the next batch already when the outputs of one are copied from it.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
        >>> [len(found) for found in forward_all(model, [np.ones((2, 2)), np.ones((1, 2))], 2)]
        [2, 1]
    """
    waiting = None
    for batch in batches:
        begun = parallel.begun(model, _filled(batch, batch_size)), len(batch)
        if waiting is not None:
            yield _copied(*waiting)
        waiting = begun
    if waiting is not None:
        yield _copied(*waiting)


def _filled(batch: np.ndarray, batch_size: int) -> np.ndarray:
    missing = batch_size - len(batch)
    if missing <= 0:
        return batch
    return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)])


def _copied(outputs, count: int):
    """The first rows of outputs, in memory."""
    to_numpy = keras.ops.convert_to_numpy
    return keras.tree.map_structure(lambda output: to_numpy(output)[:count], outputs)


def predictions(model: keras.Model, batches: Batches) -> np.ndarray:
    """The model's outputs for all rows of batches in order, (n, …)."""
    inputs = (batches[index][0] for index in range(len(batches)))
    return np.concatenate([*forward_all(model, inputs, batches.batch_size)])
