"""How signals and gradients look layer by layer, with the weights as they are."""

import keras
import numpy as np
import pandas as pd
from keras import layers

from recipes.compiling import compile_classifier
from recipes.ingredients import activations


def layer_statistics(model: keras.Model, x, y=None) -> pd.DataFrame:
    """How signals and gradients look layer by layer, with the weights as they are.

    Args:
        model: functional or sequential; it is not changed.
        x: a batch of inputs.
        y: its targets, for the gradients; a model that is not compiled is taken for a classifier.

    Returns:
        One row a layer with an output of its own: `layer`, `kind`, `mean`, `variance`, `dead` (the
        share of units that are zero for the whole batch), `saturated` (the share of values
        within 1 % of the end of an activation's bounded range), and with `y` `gradient`: the root
        mean square of the kernel's gradient.

    Example:
        >>> from recipes import mlp
        >>> table = layer_statistics(mlp(4, 2, units=(8,), activation="tanh"), np.ones((2, 4)))
        >>> list(table["kind"])
        ['Dense', 'tanh', 'Dense']
    """
    shown = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    outputs = keras.Model(inputs, [layer.output for layer in shown])(x, training=False)
    gradients = {} if y is None else _gradients(model, x, y)
    rows = []
    for layer, output in zip(shown, outputs, strict=True):
        values = keras.ops.convert_to_numpy(output).astype("float64")
        name = activations.name_of(layer)
        units = values.reshape(-1, values.shape[-1])
        row = {
            "layer": layer.name,
            "kind": name or type(layer).__name__,
            "mean": values.mean(),
            "variance": values.var(),
            "dead": float((units == 0).all(axis=0).mean()) if name else np.nan,
            "saturated": _saturated(values, name),
        }
        if y is not None:
            row["gradient"] = gradients.get(layer.name, np.nan)
        rows.append(row)
    return pd.DataFrame(rows)


def plot_layer_statistics(table: pd.DataFrame, axes=None):
    """Draw variance and gradient along the layers; return the axes."""
    columns = [name for name in ("variance", "gradient") if name in table]
    if axes is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(4.5 * len(columns), 3), layout="constrained")
        axes = figure.subplots(1, len(columns), squeeze=False)[0]
    for ax, column in zip(axes, columns, strict=True):
        known = table[column].dropna()
        ax.semilogy(known.index, known, marker="o", markersize=3)
        ax.set(xlabel="layer", ylabel=column)
    return axes


def compiled_copy(model: keras.Model) -> keras.Model:
    """A model of the same weights and loss, to be measured in its place."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
        return copy
    return compile_classifier(copy)


def _gradients(model: keras.Model, x, y) -> dict[str, float]:
    """Root mean square of each kernel's gradient: the momentum that one step of SGD leaves.

    The step of the kernel itself would be lost in its rounding where the gradient vanishes.
    """
    copy = compiled_copy(model)
    for layer in copy.layers:
        if hasattr(layer, "rate"):  # every kind of dropout
            layer.rate = 0.0
    optimizer = keras.optimizers.SGD(1.0, momentum=0.5)
    copy.compile(optimizer, loss=copy.loss)
    copy.train_on_batch(np.asarray(x), np.asarray(y))
    trained = (id(variable) for variable in copy.trainable_variables)
    momentum = dict(zip(trained, optimizer.momentums, strict=True))
    kernels = {layer.name: getattr(_inner(layer), "kernel", None) for layer in copy.layers}
    return {
        name: _root_mean_square(momentum[id(kernel)])
        for name, kernel in kernels.items()
        if id(kernel) in momentum
    }


def _root_mean_square(variable) -> float:
    values = keras.ops.convert_to_numpy(variable).astype("float64")
    return float(np.sqrt(np.square(values).mean()))


def _inner(layer):
    return layer.layer if isinstance(layer, layers.Wrapper) else layer


def _saturated(values: np.ndarray, name: str | None) -> float:
    facts = activations.ACTIVATIONS.get(name or "")
    if facts is None or not np.isfinite([facts.low, facts.high]).all():
        return np.nan
    margin = 0.01 * (facts.high - facts.low)
    return float(((values < facts.low + margin) | (values > facts.high - margin)).mean())
