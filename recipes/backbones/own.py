"""A model of one's own as a backbone: its head cut off, its stages from its graph or by name."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from recipes.backbones import graph
from recipes.backbones.base import Backbone, Stage
from recipes.lookup import find

HEAD = (
    *(layers.Dense, layers.Dropout, layers.Activation, layers.Softmax, layers.Flatten),
    layers.LayerNormalization,  # ConvNeXt's, of the pooled features
)
POOLS = (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D)
PROBABILITIES = (keras.activations.softmax, keras.activations.sigmoid)
TAKEN = ("pictures", "preprocessing", "pool", "head_dropout", "predictions")


def build(
    model: keras.Model,
    *,
    weights: str | None = "pretrained",
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    colours: tuple | None = None,
    stages: Sequence[str] | None = None,
) -> Backbone:
    """A backbone with the weights of a Keras model, which stays as it is.

    Average pooling and the dense layers behind it are cut off; where there is no such pooling, the
    dense layer that gives probabilities is.

    Args:
        model: pictures (batch, H, W, 3) to maps, tokens or features.
        weights: "pretrained" for those that it has, or None for initial ones.
        image_size: (H, W) in pixels; None is the model's own.
        seed: of initial weights.
        colours: (scale, offset): what pictures of 0 to 255 are multiplied by before the model, and
            what is added then; by default the model takes them as they are.
        stages: the names of the layers that end the stages, in order; by default a stage ends
            where the resolution changes, and of a transformer between groups of its blocks.

    Raises:
        ValueError: the model has another input, several outputs, or no weights; or a layer cannot
            be made anew, or takes no pictures of that size.

    Example:
        >>> import recipes
        >>> backbone = build(recipes.resnet((32, 32, 3), num_classes=5), colours=(1 / 255, 0))
        >>> backbone.model.output.shape
        (None, 4, 4, 512)
    """
    trunk = _trunk(model)
    size = image_size or trunk.input_shape[1:3]
    if None in size:
        raise ValueError("image_size: the model tells no size of pictures; name one.")
    pictures = keras.Input((*size, 3), name="pictures")
    scale, offset = (1.0, 0.0) if colours is None else colours
    x = layers.Rescaling(scale, offset, name="preprocessing")(pictures)
    try:
        keras.utils.set_random_seed(seed)
        copy = keras.models.clone_model(
            keras.Model(trunk.inputs, trunk.outputs), clone_function=_anew
        )
        grown = keras.Model(pictures, graph.regrown(copy, x), name=trunk.name)
        if weights is not None:
            grown.set_weights(trunk.get_weights())
    except Exception as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        raise ValueError(
            f"backbone: {trunk.name} cannot be made anew for {size} pixels: {lines[0]}"
        ) from None
    ranks = {4: "average", 3: "mean", 2: "none"}
    plain = colours is None
    return Backbone(
        name=trunk.name,
        model=grown,
        stages=_named(grown, stages) if stages else graph.stages(grown),
        preprocessing="inside the model itself"
        if plain
        else f"x * {np.round(scale, 5).tolist()} + {np.round(offset, 5).tolist()}",
        weights="initial" if weights is None else "pretrained",
        licence="your own",
        source="a model of your own",
        pooling=ranks[len(grown.output_shape)],
    )


def _trunk(model: keras.Model) -> keras.Model:
    """The model without its head, if it is one that can be used."""
    kind = type(model).__name__
    try:
        inputs, outputs = model.inputs, model.outputs
    except AttributeError:
        inputs = outputs = None
    if not inputs or not outputs:
        raise ValueError(
            f"backbone: {kind} is no functional or Sequential model that knows its input."
        )
    shape = tuple(inputs[0].shape)
    if len(inputs) != 1 or len(shape) != 4 or shape[-1] != 3:
        shapes = ", ".join(str(tuple(one.shape)) for one in inputs)
        raise ValueError(f"backbone: {model.name} takes {shapes}; pictures are (None, H, W, 3).")
    if len(outputs) != 1:
        raise ValueError(f"backbone: {model.name} has {len(outputs)} outputs; one is right.")
    trunk = keras.Model(inputs, _features(outputs[0]), name=model.name)
    if not trunk.weights:
        raise ValueError(f"backbone: {model.name} has no layers with weights before its head.")
    if not 2 <= len(trunk.output_shape) <= 4 or None in trunk.output_shape[-1:]:
        raise ValueError(
            f"backbone: {model.name} gives {trunk.output_shape}; allowed are maps, tokens and "
            "features."
        )
    return trunk


def _anew(operation):
    """A new one of the same kind; one whose name is needed has another."""
    config = operation.get_config()
    if operation.name in TAKEN:
        config["name"] = f"{operation.name}_of_model"
    return type(operation).from_config(config)


def _features(tensor) -> keras.KerasTensor:
    """What enters a model's head: average pooling and dense layers, or the last of them alone."""
    found = tensor
    while len(found.shape) == 2:
        operation = found._keras_history.operation
        if isinstance(operation, POOLS):
            return operation.input
        if not isinstance(operation, HEAD) or not isinstance(operation.input, keras.KerasTensor):
            break
        found = operation.input
    return _unclassified(tensor) if len(tensor.shape) == 2 else tensor


def _unclassified(tensor) -> keras.KerasTensor:
    """What enters the dense layer that gives probabilities, if it is the last."""
    operation = tensor._keras_history.operation
    if not _gives_probabilities(operation):
        return tensor
    if not isinstance(operation, layers.Dense):  # they are made of what it gives
        operation = operation.input._keras_history.operation
    if not isinstance(operation, layers.Dense):
        return tensor
    while isinstance(operation.input._keras_history.operation, layers.Dropout):
        operation = operation.input._keras_history.operation
    return operation.input


def _gives_probabilities(operation) -> bool:
    function = getattr(operation, "activation", None)
    return isinstance(operation, layers.Softmax) or function in PROBABILITIES


def _named(model: keras.Model, ends: Sequence[str]) -> tuple[Stage, ...]:
    """Stages that end with layers of some names; what comes after the last belongs to it.

    Raises:
        ValueError: a name is unknown, out of order, or in the middle of a branch.
    """
    operations = model.operations
    places = {operation.name: place for place, operation in enumerate(operations)}
    narrow = set(graph.narrow_places(model, whole_blocks=False))
    before = 0
    for end in ends:
        place = find(end, places, what="layer in stages")
        if place <= before:
            raise ValueError(f"stages: {end!r} does not come after the one before it.")
        if place not in narrow:
            raise ValueError(f"stages: {end!r} is in a branch; what follows reads other layers.")
        before = place
    ends = [*ends[:-1], operations[-1].name]
    return graph.cut(model, {f"stage{index}": end for index, end in enumerate(ends)})
