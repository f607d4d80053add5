"""PyTorch's arrays into the layers of a Keras model, each in Keras' layout."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np
import pandas as pd
from keras import layers

FIELDS = {
    "kernel": "weight",
    "embeddings": "weight",
    "gamma": "weight",
    "scale": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
AXES = {  # of a kernel; a subclass comes before its parent
    layers.DepthwiseConv2D: (2, 3, 0, 1),  # (channels, 1, h, w) to (h, w, channels, 1)
    layers.Conv2DTranspose: (2, 3, 1, 0),  # (in, out, h, w) to (h, w, out, in)
    layers.Conv2D: (2, 3, 1, 0),  # (out, in, h, w) to (h, w, in, out)
    layers.Conv1D: (2, 1, 0),  # (out, in, steps) to (steps, in, out)
    layers.Dense: (1, 0),  # (out, in) to (in, out)
}
ASSIGNED, ABSENT, OTHER_SHAPE = "assigned", "no such array", "another shape"
NOT_NAMED, UNUSED = "layer not named", "array not used"


def assign_torch_weights(
    model: keras.Model,
    arrays: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    *,
    strict: bool = True,
) -> pd.DataFrame:
    """Give the layers of a model the arrays of their PyTorch counterparts.

    Kernels of convolutions and dense layers are transposed into Keras' layout. Nothing is assigned
    unless everything that is named fits, or `strict` is off.

    Args:
        model: its layers are looked up by name, also inside nested models.
        arrays: name to array, as `recipes.load_torch_checkpoint` gives them.
        names: layer name to the name of the PyTorch module, the part before ".weight".
        strict: whether a named layer's variable without an array, or with one of another shape, is
            an error. Otherwise what fits is assigned.

    Returns:
        One row a variable of the model and one an array that nothing took: `variable`, `shape`,
        `array`, `array_shape` (in Keras' layout), `status`: "assigned", "no such array",
        "another shape", "layer not named" or "array not used".

    Raises:
        ValueError: a name is of no layer; or with `strict` something does not fit: the text lists
            each name and shape.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="out")])
        >>> arrays = {"fc.weight": np.ones((2, 3)), "fc.bias": np.zeros(2), "step": np.zeros(())}
        >>> assign_torch_weights(model, arrays, {"out": "fc"})["status"].tolist()
        ['assigned', 'assigned', 'array not used']
    """
    own = {layer.name: layer for layer in _leaves(model) if layer.weights}
    unknown = [name for name in names if name not in own]
    if unknown:
        raise ValueError(f"names: the model has no layer with weights named {', '.join(unknown)}.")
    rows, found = [], []
    for name, layer in own.items():
        for variable in layer.weights:
            row = {"variable": variable.path, "shape": tuple(variable.shape)}
            if name not in names:
                rows.append({**row, "status": NOT_NAMED})
                continue
            key = f"{names[name]}.{FIELDS.get(variable.name, variable.name)}"
            row["array"] = key
            if key not in arrays:
                rows.append({**row, "status": ABSENT})
                continue
            array = _in_keras_layout(layer, variable, np.asarray(arrays[key]))
            fits = array.shape == tuple(variable.shape)
            rows.append(
                {**row, "array_shape": array.shape, "status": ASSIGNED if fits else OTHER_SHAPE}
            )
            if fits:
                found.append((variable, array))
    wrong = [row for row in rows if row["status"] in (ABSENT, OTHER_SHAPE)]
    if strict and wrong:
        raise ValueError(f"weights: {len(wrong)} variables do not fit: {_listed(wrong)}.")
    for variable, array in found:
        variable.assign(array)
    used = {row.get("array") for row in rows}
    rows += [
        {"array": key, "array_shape": np.shape(array), "status": UNUSED}
        for key, array in arrays.items()
        if key not in used
    ]
    columns = ["variable", "shape", "array", "array_shape", "status"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _leaves(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _in_keras_layout(layer: keras.Layer, variable, array: np.ndarray) -> np.ndarray:
    if variable.name != "kernel":
        return array
    axes = next((axes for kind, axes in AXES.items() if isinstance(layer, kind)), None)
    return array if axes is None or len(axes) != array.ndim else array.transpose(axes)


def _listed(wrong: list[dict], most: int = 5) -> str:
    """The first few in words."""
    words = [
        f"{row['array']} is not there"
        if row["status"] == ABSENT
        else f"{row['array']} has the shape {row['array_shape']}, {row['variable']} {row['shape']}"
        for row in wrong[:most]
    ]
    return "; ".join(words) + (" …" if len(wrong) > most else "")
