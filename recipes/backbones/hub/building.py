"""The picture networks of KerasHub as backbones: by a preset's name, from a folder, an object.

A folder may be anybody's: of its files, JSON with checked values and arrays of numbers are read;
no class is looked up by a name in them.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from recipes.backbones.base import Backbone
from recipes.backbones.bounds import limited
from recipes.backbones.hub import files
from recipes.backbones.hub.description import Described
from recipes.backbones.hub.families import CLASSES
from recipes.backbones.hub.unroll import transplant, unrolled
from recipes.dtypes import at_least_float32
from recipes.lookup import find

EXTRA = "pip install keras-model-recipes[hub]"


def available() -> bool:
    """Whether KerasHub is installed."""
    return importlib.util.find_spec("keras_hub") is not None


def build(
    name: str | Path,
    *,
    weights: str | None = "pretrained",
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    colours: tuple | None = None,
) -> Backbone:
    """A backbone from a preset's name, or from the folder that `save_to_preset` wrote.

    Args:
        name: of a preset, which is downloaded where it is not here yet, or a folder's path.
        weights: "pretrained", None for initial ones, or the path of a file in the place of the
            preset's own (".weights.h5").
        image_size: (H, W) in pixels; None is the size that it was trained at.
        seed: of the initial weights.
        colours: (scale, offset) in the place of the preset's own.

    Raises:
        ValueError: the preset cannot be had or read, or does not take pictures of that size.
    """
    described, source = described_by(name, image_size)
    if colours is not None:
        described = described.coloured(*colours)
    read = None
    if weights == "pretrained":
        read = partial(files.read_weights, path=source.weights(), of_tower=described.of_tower)
    elif weights is not None:
        read = partial(files.read_weights, path=Path(weights))
    itself = described.family.name == "DINOv2"  # its layers interpolate when they read a file
    backbone = _built(described, source.name, image_size, read, seed, fits_all=itself)
    if weights not in (None, "pretrained"):
        backbone = replace(backbone, weights=str(weights))
    return replace(backbone, source=source.text)


def described_by(
    name: str | Path, image_size: tuple[int, int] | None = None
) -> "tuple[Described, files.Source]":
    """What a preset says of its network, before anything is built.

    Raises:
        ValueError: as `build`.
    """
    require()
    source = files.folder(name) if Path(name).is_dir() else files.preset(str(name))
    family, values, of_tower = files.config(source)
    scale, offset, native, about = files.preprocessing(source, family)
    height, width = values[family.shape_key][:2]
    native = (height, width) if height else native
    described = Described(family, values, scale, offset, native, about, of_tower)
    described.sized(image_size)
    return described, source


def is_network(value: Any) -> bool:
    """Whether an object is a model of KerasHub."""
    return isinstance(value, keras.Model) and type(value).__module__.startswith("keras_hub.")


def from_object(
    network: keras.Model,
    *,
    weights: str | None = "pretrained",
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    colours: tuple | None = None,
) -> Backbone:
    """A backbone with the weights of a model of KerasHub, which stays as it is.

    Args:
        network: a backbone of pictures; of a task or of CLIP and SigLIP, the vision tower is taken.
        weights: "pretrained" for those that it has, or None for initial ones.
        image_size: (H, W) in pixels; None is its own.
        seed: of the initial weights.
        colours: (scale, offset) of the pictures; the family's own by default.

    Raises:
        ValueError: it is no network of pictures, or takes no pictures of that size.
    """
    converter = getattr(getattr(network, "preprocessor", None), "image_converter", None)
    network = getattr(network, "backbone", network)
    network = getattr(network, "vision_encoder", network)
    kind = type(network).__name__
    family = find(kind, CLASSES, what="class of backbone")
    values = family.checked(network.get_config(), f"backbone: {kind}")
    given = converter.get_config() if converter is not None else None
    scale, offset, native, about = files.colours_of(given, family, "the object")
    height, width = values[family.shape_key][:2]
    described = Described(
        family, values, scale, offset, (height, width) if height else native, about
    )
    if colours is not None:
        described = described.coloured(*colours)
    arrays = network.get_weights()
    read = (lambda other: other.set_weights(arrays)) if weights is not None else None
    return _built(described, network.name, image_size, read, seed)


def rebuilt(values: Any, name: str | None = None) -> Backbone:
    """The network that a run describes, with weights still to be assigned.

    Args:
        values: the description.
        name: of the backbone; the family's by default.

    Raises:
        ValueError: KerasHub is not installed, or the description is not allowed.
    """
    described = Described.from_dict(values)
    require()
    return _built(described, name or described.family.name, None, None, 0)


def require() -> None:
    """Refuse to go on without KerasHub.

    Raises:
        ValueError: it is not installed.
    """
    if not available():
        raise ValueError(f"backbone: this one needs KerasHub; `{EXTRA}` brings it.")


def _built(
    described: Described,
    name: str,
    size: tuple[int, int] | None,
    read: Callable[[keras.Model], None] | None,
    seed: int,
    *,
    fits_all: bool = False,
) -> Backbone:
    """A backbone of new layers, with the weights that `read` gives a network.

    Where they are of one size of pictures, the network is built twice, unless `read` itself fits
    them to any.
    """
    family, before = described.family, described
    described = described.sized(size)
    pooling, prefix = family.pooling(described.values)
    keras.utils.set_random_seed(seed)  # the initializers of KerasHub take no seed
    network = _network(described)
    if read is not None:
        shape = {family.shape_key: described.values[family.shape_key]}
        native = before.values if family.positions and not fits_all else {**before.values, **shape}
        source = network
        if native != described.values:
            source = _network(replace(before, values=native))
        read(source)
        if source is not network:
            transplant(source, network)
    for variable in network.weights:  # DINOv2 keeps one array in two, which JAX does not train
        variable.assign(keras.ops.copy(variable))
    pictures = keras.Input(tuple(described.values[family.shape_key]), name="pictures")
    scale, offset = list(described.scale), list(described.offset)
    exact = at_least_float32()
    x = layers.Rescaling(scale, offset, name="preprocessing", dtype=exact)(pictures)
    output, stages = unrolled(family, network, x)
    model = keras.Model(pictures, output, name=name)
    words = f"x * {np.round(scale, 5).tolist()} + {np.round(offset, 5).tolist()}"
    return Backbone(
        name=name,
        model=model,
        stages=stages(model),
        preprocessing=f"{words}, {described.about}" if described.about else words,
        weights="initial" if read is None else "pretrained",
        licence=family.licence,
        source=f"keras_hub.models.{family.class_name}",
        pooling=pooling,
        prefix=prefix,
        fixed_size=family.fixed,
        architecture=described.to_dict(),
        rebuild=lambda seed: _built(described, name, None, None, seed),
    )


def _network(described: Described) -> keras.Model:
    """The model of KerasHub; nothing larger than `bounds` allows is made."""
    family = described.family
    models = importlib.import_module("keras_hub.models")
    kind = getattr(models, family.class_name, None)
    if kind is None:
        raise ValueError(f"backbone: the installed KerasHub has no {family.class_name}.")
    with limited(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Swin's attention on its own masks
        try:
            network = kind(**described.values)
        except Exception as error:
            lines = str(error).strip().splitlines() or [repr(error)]
            raise ValueError(f"backbone: this {family.name} cannot be built: {lines[0]}") from None
    for layer in network._flatten_layers():
        _mend(layer)
    return network


def _mend(layer: keras.Layer) -> None:
    """Let a layer of KerasHub be called without a warning, and be read by exporters."""
    if type(layer).__name__ == "WindowAttention":
        layer.supports_masking = True  # else it warns whenever it is called
    inner = getattr(layer, "act", None)
    if getattr(layer, "act_layer", None) == "gelu" and inner is not None:
        inner.activation = keras.activations.gelu  # the same; MobileNetV5 has a lambda of it
    for attribute, value in list(vars(layer).items()):
        constant = keras.ops.is_tensor(value) and not isinstance(value, keras.Variable)
        if constant:  # an exporter would take it for another input
            setattr(layer, attribute, keras.ops.convert_to_numpy(value))
