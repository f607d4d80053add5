"""PyTorch's arrays into the layers of a Keras model, each in Keras' layout."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np
import pandas as pd
from keras import layers

from recipes.backbones import torch_names

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
    names: Mapping[str, str] | None = None,
    *,
    strict: bool = True,
) -> pd.DataFrame:
    """Give the layers of a model the arrays of their PyTorch counterparts.

    Kernels of convolutions and dense layers are transposed into Keras' layout. Nothing is assigned
    unless everything that is named fits, or `strict` is off.

    Without names the model is a recipe's, and the arrays are torchvision's or timm's of the same
    network. `resnet` and `mobilenet` must be built with `convention="torch"`; `vgg` and `alexnet`
    for pictures of 224 pixels, `alexnet` with torchvision's `widths`, `groups=1` and
    `normalization="none"`.

    Args:
        model: its layers are looked up by name, also inside nested models.
        arrays: name to array, as `recipes.load_torch_checkpoint` gives them, or a state dict of
            tensors of any precision, on any device.
        names: layer name to the name of the PyTorch module, the part before ".weight", or of the
            array itself; None for a recipe.
        strict: whether a named layer's variable without an array, or with one of another shape, is
            an error, and for a recipe any layer or array without a counterpart. Otherwise what
            fits is assigned: a classifier for other classes keeps its own weights.

    Returns:
        One row a variable of the model and one an array that nothing took: `variable`, `shape`,
        `array`, `array_shape` (in Keras' layout), `status`: "assigned", "no such array",
        "another shape", "layer not named" or "array not used".

    Raises:
        ValueError: `arrays` is no mapping of names to arrays; a name is of no layer; a recipe pads
            as Keras does; or with `strict` something does not fit: the text lists each name and
            shape.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="out")])
        >>> arrays = {"fc.weight": np.ones((2, 3)), "fc.bias": np.zeros(2), "step": np.zeros(())}
        >>> assign_torch_weights(model, arrays, {"out": "fc"})["status"].tolist()
        ['assigned', 'assigned', 'array not used']
    """
    arrays = _numpys(arrays)
    own = {layer.name: layer for layer in _leaves(model) if layer.weights}
    maps: dict[str, tuple[int, ...]] = {}
    other = ""
    if names is None:
        arrays, names, other = _of_recipe(own, arrays)
        maps = {name: shape for name, layer in own.items() if (shape := _maps_before(layer))}
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
            field = f"{names[name]}.{FIELDS.get(variable.name, variable.name)}"
            row["array"] = key = names[name] if names[name] in arrays else field
            if key not in arrays:
                rows.append({**row, "status": ABSENT})
                continue
            array = _in_keras_layout(layer, variable, arrays[key], maps.get(name))
            fits = array.shape == tuple(variable.shape)
            status = ASSIGNED if fits else OTHER_SHAPE
            rows.append({**row, "array_shape": array.shape, "status": status})
            if fits:
                found.append((variable, array))
    wrong = [row for row in rows if row["status"] in (ABSENT, OTHER_SHAPE)]
    unfit = f"{len(wrong)} variables do not fit: {_listed(wrong)}" if wrong else ""
    if strict and (other or unfit):
        raise ValueError(f"weights: {'; '.join(filter(None, [other, unfit]))}.")
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


def _of_recipe(own: Mapping, arrays: Mapping) -> tuple[dict, dict, str]:
    """The arrays in the words of the recipe with these layers, whose each is, and what is left.

    Raises:
        ValueError: it pads otherwise.
    """
    words = torch_names.in_our_words(arrays, own)
    ours = {words[key]: arrays[key] for key in words}
    names, left = torch_names.matched(own, ours)
    for name, module in names.items():
        bias = f"{module}.bias"
        wanted = [v for v in own[name].weights if FIELDS.get(v.name) == "bias"]
        if bias in ours and not wanted:
            _into_norm(own[name], ours, bias, names)
            left += [bias] if bias in ours else []
        elif bias not in ours and wanted and _batch_norm_behind(own[name]) is not None:
            ours[bias] = np.zeros(wanted[0].shape)  # the norm is frozen: PyTorch's has no bias
    _check_padding(own.values())
    missing = [name for name in own if name not in names]
    unused = [key for key, word in words.items() if word in left]
    texts = {"layers have no array": missing, "arrays are of no layer": unused}
    wrong = [f"{len(which)} {text}: {_some(which)}" for text, which in texts.items() if which]
    return ours, names, f"they are of another network: {'; '.join(wrong)}" if wrong else ""


def _batch_norm_behind(layer: keras.Layer) -> keras.Layer | None:
    """The batch normalization that alone reads a layer's outputs."""
    behind = [node.operation for node in layer._outbound_nodes]
    alone = len(behind) == 1 and isinstance(behind[0], layers.BatchNormalization)
    return behind[0] if alone else None


def _into_norm(layer: keras.Layer, arrays: dict, bias: str, names: Mapping[str, str]) -> None:
    """Take the bias of a convolution, which the recipe has not, off the mean of the norm behind."""
    norm = _batch_norm_behind(layer)
    mean = f"{names.get(norm.name)}.running_mean" if norm is not None else ""
    if mean in arrays:
        arrays[mean] = arrays[mean] - arrays.pop(bias)


def _check_padding(own: Iterable[keras.Layer]) -> None:
    """Refuse a model that pads where PyTorch's does otherwise."""
    for layer in map(_inner, own):
        if not isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            continue
        if layer.padding == "same" and max(layer.strides) > 1 and max(layer.kernel_size) > 1:
            raise ValueError(
                f"model: {layer.name} pads as Keras does, and PyTorch pads all sides alike; "
                'build it with convention="torch".'
            )


def _numpys(arrays) -> dict[str, np.ndarray]:
    """Name to array, from tensors too: of any precision, on any device, in training or not.

    Raises:
        ValueError: it is no mapping, or it holds something else.
    """
    if not isinstance(arrays, Mapping):
        raise ValueError(
            f"arrays: {type(arrays).__name__} is not a mapping of names to arrays; take a module's "
            "state_dict(), or what recipes.load_torch_checkpoint gives of a file."
        )
    found = {str(name): _as_numpy(array) for name, array in arrays.items()}
    odd = [name for name, array in found.items() if array.dtype.kind not in "fiubV"]  # V: bfloat16
    if odd:
        raise ValueError(f"arrays: {_some(odd)} are not arrays of numbers.")
    return found


def _as_numpy(array) -> np.ndarray:
    if hasattr(array, "detach"):  # a tensor of PyTorch; NumPy has no bfloat16
        array = array.detach().cpu()
        array = array.float() if array.is_floating_point() else array
    return np.asarray(array)


def _inner(layer: keras.Layer) -> keras.Layer:
    """The layer itself, without what normalizes its kernel."""
    return layer.layer if isinstance(layer, layers.Wrapper) else layer


def _leaves(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _maps_before(layer: keras.Layer) -> tuple[int, ...] | None:
    """The shape (height, width, channels) of maps that reach a dense layer flattened."""
    if not isinstance(_inner(layer), layers.Dense):
        return None
    before = layer.input._keras_history.operation
    while isinstance(before, layers.Dropout):
        before = before.input._keras_history.operation
    shape = before.input.shape[1:] if isinstance(before, layers.Flatten) else ()
    return tuple(shape) if len(shape) == 3 else None


def _in_keras_layout(
    layer: keras.Layer, variable, array: np.ndarray, maps: tuple[int, ...] | None
) -> np.ndarray:
    layer = _inner(layer)
    if variable.name != "kernel":
        bare = [side for side in array.shape if side != 1]  # a scale may come as (channels, 1, 1)
        return array.reshape(variable.shape) if bare == list(variable.shape) else array
    if maps is not None and array.size == np.prod(variable.shape):
        height, width, channels = maps  # PyTorch flattens them channels first
        array = array.reshape(-1, channels, height, width).transpose(2, 3, 1, 0)
        return array.reshape(variable.shape)
    if isinstance(layer, layers.Dense) and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    axes = next((axes for kind, axes in AXES.items() if isinstance(layer, kind)), None)
    return array if axes is None or len(axes) != array.ndim else array.transpose(axes)


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def _listed(wrong: list[dict], most: int = 5) -> str:
    """The first few in words."""
    words = [
        f"{row['array']} is not there"
        if row["status"] == ABSENT
        else f"{row['array']} has the shape {row['array_shape']}, {row['variable']} {row['shape']}"
        for row in wrong[:most]
    ]
    return "; ".join(words) + (" …" if len(wrong) > most else "")
