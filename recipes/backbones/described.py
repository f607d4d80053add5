"""A backbone that was an object as values for a file, and made again from them.

The file may be anybody's: what it says is copied and checked before anything is made of it.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import keras

from recipes.backbones import configuration, hub
from recipes.backbones.base import Backbone, Stage
from recipes.backbones.bounds import MOST_PARAMETERS, limited
from recipes.backbones.hub.values import TRUTH, WHOLE, Kind, checked, shown
from recipes.dtypes import scope
from recipes.settings import FLOAT32

MOST_VALUES = 1 << 28  # that a layer gives for one picture
MOST_LETTERS = 200
ANYTHING = Kind(lambda value: True, "anything")
TEXT = Kind(
    lambda value: isinstance(value, str) and value.isprintable() and len(value) <= MOST_LETTERS,
    f"a text of at most {MOST_LETTERS} letters",
)
NAMES = Kind(
    lambda value: isinstance(value, list | tuple) and all(map(TEXT.fits, value)), "a list of names"
)
ABOUT = {
    **dict.fromkeys(("name", "preprocessing", "weights", "licence", "source", "pooling"), TEXT),
    "prefix": WHOLE,
    "fixed_size": TRUTH,
}
NETWORK = dict.fromkeys(("layers", "stages", "architecture"), ANYTHING)


def to_dict(backbone: Backbone) -> dict:
    """A backbone as values for a JSON file, without its weights; `from_dict` reads it.

    Raises:
        ValueError: it has layers that cannot be built from a file; one line says which.

    Example:
        >>> from recipes.backbones import get
        >>> values = to_dict(get("efficientnet_lite0", weights=None, image_size=32))
        >>> from_dict(values).image_size
        (32, 32)
    """
    about = {name: getattr(backbone, name) for name in ABOUT}
    if backbone.architecture is not None:
        return {**about, "architecture": dict(backbone.architecture)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras' own, on functions that it cannot name
        layers = configuration.checked(backbone.model.get_config())
    return {**about, "layers": layers, "stages": [asdict(one) for one in backbone.stages]}


def from_dict(values: Any, most: int = MOST_PARAMETERS) -> Backbone:
    """The backbone that `to_dict` described, in float32, with weights still to be assigned.

    Args:
        values: the description.
        most: parameters that it may have.

    Raises:
        ValueError: a value is unknown, missing or not allowed, or the network is too large.
    """
    values = checked(values, {**ABOUT, **NETWORK}, "backbone", tuple(NETWORK))
    about = {name: values[name] for name in ABOUT}
    with scope(FLOAT32):
        if "architecture" in values:
            return replace(hub.rebuilt(values["architecture"], about["name"]), **about)
        try:
            layers = configuration.checked(values.get("layers"))
            with limited(most):
                model = keras.Model.from_config(layers)
            _check(model)
            stages = tuple(_stages(values.get("stages"), model))
        except Exception as error:  # what Keras raises of such layers is its own choice
            lines = str(error).strip().splitlines() or [repr(error)]
            raise ValueError(
                f"backbone: {about['name']!r} cannot be built from its file: "
                f"{lines[0][:MOST_LETTERS]}"
            ) from None
    return Backbone(model=model, stages=stages, **about)


def _check(model: keras.Model) -> None:
    """Refuse a network of other things than pictures, or one that would fill the memory."""
    shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
    batch, *sides = shapes[0]
    if len(shapes) != 2 or batch is not None or len(sides) != 3 or None in sides:
        raise ValueError(f"{shown(shapes)} are not the shapes of pictures and features.")
    for tensor in _tensors(model):
        if math.prod(side or 1 for side in tensor.shape) > MOST_VALUES:
            raise ValueError(f"a layer gives {tensor.shape}, more than {MOST_VALUES:,} values.")


def _tensors(model: keras.Model) -> Iterator[keras.KerasTensor]:
    """What the layers of a model give, and those of the models inside."""
    functional = getattr(model, "_functional", None) or model
    for operation in functional.operations:
        for node in operation._inbound_nodes:
            yield from node.output_tensors
        if isinstance(operation, keras.Model):
            yield from _tensors(operation)


def _stages(values: Any, model: keras.Model) -> Iterator[Stage]:
    """The stages, which end with layers that there are."""
    known = {operation.name for operation in model.operations}
    for one in values if isinstance(values, list) else [values]:
        stage = checked(one, {"name": TEXT, "output": TEXT, "layers": NAMES}, "stages")
        unknown = {stage["output"], *stage["layers"]} - known
        if unknown:
            raise ValueError(f"stages: it has no layers named {shown(sorted(unknown))}.")
        yield Stage(stage["name"], stage["output"], tuple(stage["layers"]))
