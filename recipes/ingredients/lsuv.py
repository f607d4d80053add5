"""Layer-sequential unit-variance initialization: a whole model by its signals."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import layers

from recipes.ingredients.norm_layers import WeightNormalization
from recipes.rules import COUNT, POSITIVE


def lsuv(
    model: keras.Model,
    x,
    *,
    tolerance: float = 0.1,
    max_iterations: int = 10,
    seed: int | None = None,
) -> keras.Model:
    """Give every kernel of a model orthogonal values by which its outputs have variance 1.

    One layer after the other, from the input on: orthogonal values, then divided by the deviation
    of what the layer makes of a batch, before its activation. It is meant for networks without
    normalization. Kernels that are normalized themselves (standardized, spectral) stay as they are.

    Args:
        model: functional or sequential; its kernels are changed.
        x: a batch of inputs as in training, some hundred of them.
        tolerance: how far from 1 a variance may be.
        max_iterations: corrections of a layer.
        seed: of the orthogonal values.

    Returns:
        The model.

    Raises:
        ValueError: the model has no layers to look into, or several inputs; an option is out of its
            range; or what a layer makes of the batch does not vary, or is not finite.

    Source:
        arXiv 1511.06422.

    Example:
        >>> from recipes import mlp
        >>> x = np.random.default_rng(0).normal(size=(64, 8))
        >>> model = lsuv(mlp(8, 3, units=(16,), kernel_initializer="random_normal"), x, seed=0)
        >>> hidden = keras.Model(model.input, model.layers[1].output)(x)
        >>> bool(abs(np.var(hidden) - 1) < 0.1)
        True
    """
    POSITIVE("tolerance", tolerance)
    COUNT("max_iterations", max_iterations)
    inputs = getattr(model, "inputs", None) or []
    if not isinstance(model, keras.Model) or len(inputs) != 1:
        raise ValueError(
            f"model: {type(model).__name__} is no functional or sequential model of one input."
        )
    x = keras.ops.convert_to_tensor(x, inputs[0].dtype)
    seeds = np.random.default_rng(seed)
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, WeightNormalization) else layer
        if hasattr(inner, "kernel") and not isinstance(inner, layers.Wrapper):
            start = keras.initializers.Orthogonal(seed=int(seeds.integers(2**31)))
            inner.kernel.assign(start(inner.kernel.shape))
            scaled = layer.g if inner is not layer else inner.kernel
            if scaled is not inner.kernel:
                scaled.assign(keras.ops.ones_like(scaled))
            _to_unit_variance(model, layer, scaled, x, tolerance, max_iterations)
    return model


def _to_unit_variance(model, layer, scaled, x, tolerance: float, max_iterations: int) -> None:
    for _ in range(max_iterations):
        with _linear(layer):
            outputs = keras.Model(model.inputs[0], layer.output)(x, training=False)
        variance = float(np.var(keras.ops.convert_to_numpy(outputs).astype("float64")))
        if not 0 < variance < np.inf:
            raise ValueError(
                f"x: what the layer {layer.name!r} makes of it has the variance {variance:g}."
            )
        if abs(variance - 1) < tolerance:
            return
        scaled.assign(scaled / variance**0.5)


@contextmanager
def _linear(layer) -> Iterator[None]:
    """The layer without the activation that it may have inside, such as a classifier's softmax."""
    inside = layer.layer if isinstance(layer, layers.Wrapper) else layer
    activation = inside.activation
    inside.activation = keras.activations.linear
    try:
        yield
    finally:
        inside.activation = activation
