"""Every model of `keras.applications` as a backbone, its stages found from its graph."""

import inspect
import sys
from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from recipes.backbones import graph
from recipes.backbones.base import Backbone

LICENCE = "as stated for the model at keras.io/api/applications"
SOURCE = "keras.applications.{name}"


def applications() -> dict[str, Callable]:
    """Keras' own name to the function that builds it.

    Example:
        >>> "ResNet50V2" in applications()
        True
    """
    return {
        name: function
        for name, function in inspect.getmembers(keras.applications, inspect.isfunction)
        if "include_top" in inspect.signature(function).parameters
    }


def build(
    name: str,
    *,
    weights: str | None = "pretrained",
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Backbone:
    """A model of `keras.applications` without its classifier, taking raw pictures.

    Args:
        name: Keras' own name, such as "ResNet50".
        weights: "pretrained" for Keras' own download, None for initial ones, or the path of a
            file that Keras' `load_weights` reads (".weights.h5", ".h5", without the classifier).
        image_size: (H, W) in pixels; None is the size that it was trained at.
        seed: of the initial weights.

    Raises:
        ValueError: the size is too small for the model, there is no internet for a download, or
            the file is of another architecture.

    Example:
        >>> backbone = build("MobileNetV2", weights=None, image_size=(64, 64))
        >>> [backbone.boundary(k).shape[1] for k in range(len(backbone.stages) + 1)]
        [64, 32, 16, 8, 4, 2]
    """
    function = applications()[name]
    size = image_size or (native_size(function),) * 2
    pictures = keras.Input((*size, 3), name="pictures")
    preprocessed, description = _preprocess(pictures, function)
    if weights is None:
        keras.utils.set_random_seed(seed)  # the applications' initializers take no seed
    options = {"include_top": False, "weights": None, "input_tensor": preprocessed}
    try:
        model = keras.Model(pictures, function(**options).output, name=name)
    except ValueError as error:
        raise ValueError(f"image_size: {name} cannot be built for {size} pixels: {error}") from None
    if weights is not None:
        _load(model, function, name, weights)
    return Backbone(
        name=name,
        model=model,
        stages=graph.stages(model),
        preprocessing=description,
        weights={"pretrained": "imagenet", None: "initial"}.get(weights, str(weights)),
        licence=LICENCE,
        source=SOURCE.format(name=name),
    )


def native_size(function: Callable) -> int:
    """The side of the pictures for which a model was trained, from its documentation's default.

    Example:
        >>> native_size(keras.applications.Xception)
        299
    """
    source = inspect.getsource(sys.modules[function.__module__])
    return 299 if "default_size=299" in source else 224


def _preprocess(pictures, function: Callable) -> tuple:
    """The model's `preprocess_input` as layers: a permutation of channels, a scale, an offset.

    It is an affine map of the three channels, so four pixels tell it whole.
    """
    preprocess = sys.modules[function.__module__].preprocess_input
    probes = np.vstack([np.zeros((1, 3)), 255 * np.eye(3)]).reshape(4, 1, 1, 3)
    values = np.asarray(preprocess(probes.astype("float64"))).reshape(4, 3)
    offset, matrix = values[0], (values[1:] - values[0]) / 255
    reverses = not np.allclose(matrix, np.diag(np.diag(matrix)))
    scale = np.diag(matrix[::-1] if reverses else matrix)
    x, words = pictures, []
    if reverses:
        x = keras.ops.flip(x, axis=-1)
        words.append("RGB to BGR")
    if not (np.allclose(scale, 1) and np.allclose(offset, 0)):
        x = layers.Rescaling(scale.tolist(), offset.tolist(), name="preprocessing")(x)
        words.append(f"x * {scale.round(5).tolist()} + {offset.round(5).tolist()}")
    return x, ", then ".join(words) or "inside the model itself"


def _load(model: keras.Model, function: Callable, name: str, weights: str) -> None:
    if weights == "pretrained":
        try:
            source = function(include_top=False, weights="imagenet")
        except Exception as error:
            raise ValueError(
                f"weights: the ImageNet weights of {name} could not be downloaded ({error}). "
                "Pass the path of a local weights file as weights."
            ) from None
        model.set_weights(source.get_weights())
        return
    try:
        model.load_weights(weights)
    except Exception as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ValueError(f"weights: {weights} does not fit {name}: {first_line}") from None
