"""A backbone and a classifier as one plain model, and that model cut at a stage's boundary."""

import json
from dataclasses import dataclass, replace

import keras
import numpy as np

from recipes import backbones
from recipes.backbones.base import Backbone
from recipes.catalogue import presets
from recipes.dtypes import policy_of, scope
from recipes.heads import classification_head
from recipes.saving import PACKAGE
from recipes.settings import FLOAT32
from recipes.strategies import Phase
from recipes.tasks import Multiclass

GIVE_AGAIN = (
    "model: {name!r} is no backbone that is built by its name alone. It was an object, and the run "
    "does not keep its layers: pass it as backbone to recipes.predict, load, export_run or rerun."
)
MAX_SIDE = 4_096
MAX_CLASSES = 100_000


@dataclass(frozen=True)
class TransferModel:
    """A classifier on a backbone, and what is needed to cut it.

    Attributes:
        model: raw pictures (batch, H, W, 3), 0 to 255, to probabilities (batch, units).
        backbone: where the stages are.
        task: the name of what the head tells.
        ends: the tensors at which the stages and the classifier begin, where they are not the
            backbone's own: `resized` makes such a model.
    """

    model: keras.Model
    backbone: Backbone
    task: str = Multiclass.name
    ends: tuple = ()

    @property
    def num_stages(self) -> int:
        """The number of the backbone's stages."""
        return len(self.backbone.stages)

    def boundary(self, first: int):
        """The tensor at which stage `first` begins; for `num_stages`, the pooled features."""
        if self.ends:
            return self.ends[first]
        if first == self.num_stages:
            return self.model.get_layer("pool").output
        return self.backbone.boundary(first)

    def resized(self, image_size: tuple[int, int]) -> "TransferModel":
        """The same layers, and so the same weights, for pictures of another size.

        Args:
            image_size: (height, width) in pixels.

        Raises:
            ValueError: a layer takes one size only.
        """
        if self.backbone.fixed_size:
            raise ValueError(f"image_size: {self.backbone.name} takes pictures of one size only.")
        ends = [self.boundary(first) for first in range(self.num_stages + 1)]
        whole = keras.Model(self.model.input, [*ends, self.model.output])
        pictures = keras.Input((*image_size, whole.input_shape[-1]), dtype=whole.input.dtype)
        copy = keras.models.clone_model(
            whole, input_tensors=pictures, clone_function=lambda layer: layer
        )
        model = keras.Model(pictures, copy.outputs[-1], name=self.model.name)
        return replace(self, model=model, ends=tuple(copy.outputs[:-1]))

    def in_float32(self) -> "TransferModel":
        """The same weights in a model that computes in float32; itself where it does that."""
        if policy_of(self.model) == FLOAT32:
            return self
        units, dropout = self.model.output_shape[-1], self.to_dict()["dropout"]
        with scope(FLOAT32):
            copy = _headed(self.backbone.computing(FLOAT32), units, self.task, dropout=dropout)
        copy.assign(self.arrays())
        return copy

    def frozen_part(self, first: int) -> keras.Model:
        """Pictures to the boundary: what need not be computed more than once."""
        return keras.Model(self.model.input, self.boundary(first), name="frozen_part")

    def trainable_part(self, first: int) -> keras.Model:
        """The boundary to the probabilities, sharing its variables with `model`."""
        if first == 0:
            return self.model
        return keras.Model(self.boundary(first), self.model.output, name="trainable_part")

    def stage_of(self) -> dict[str, int]:
        """Layer name to the index of its stage; the classifier's layers have `num_stages`."""
        stages = {
            layer: index
            for index, stage in enumerate(self.backbone.stages)
            for layer in stage.layers
        }
        return {layer.name: stages.get(layer.name, self.num_stages) for layer in self.model.layers}

    def set_trainable(self, phase: Phase) -> int:
        """Mark each layer as trainable or frozen for a phase.

        Batch normalization stays frozen unless the phase updates it, also inside of other layers:
        only `trainable=False` on the layer itself keeps its moving statistics.

        Returns:
            The index of the first stage that is trained.
        """
        first = phase.first_trainable(self.num_stages)
        stage_of = self.stage_of()
        for layer in self.model.layers:
            layer.trainable = stage_of[layer.name] >= first
            for norm in batch_norms(layer):
                norm.trainable = layer.trainable and phase.update_batch_norm
        return first

    def rate_factors(self, phase: Phase) -> dict[str, float]:
        """Variable path to the factor of its learning rate: smaller in earlier stages."""
        stage_of = self.stage_of()
        return {
            variable.path: phase.stage_factor ** (self.num_stages - stage_of[layer.name])
            for layer in self.model.layers
            for variable in layer.trainable_variables
        }

    def to_dict(self) -> dict:
        """What `from_dict` needs to build the same architecture."""
        dropouts = [layer.rate for layer in self.model.layers if layer.name == "head_dropout"]
        values = {
            "backbone": self.backbone.name,
            "image_size": list(self.backbone.image_size),
            "num_classes": self.model.output_shape[-1],
            "task": self.task,
            "dropout": dropouts[0] if dropouts else 0.0,
        }
        if self.backbone.architecture is not None:
            values["architecture"] = dict(self.backbone.architecture)
        return values

    def for_file(self) -> keras.Model:
        """The model as it goes into a Keras file: not compiled, and such that Keras reads it."""
        model = self.model
        if self.backbone.architecture is None:
            return keras.Model(model.input, model.output, name=model.name)
        description = json.dumps(self.to_dict())
        return DescribedModel(model.input, model.output, description=description, name=model.name)

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights by position and path, in the order of `model.weights`."""
        return {
            f"{index:04d} {variable.path}": keras.ops.convert_to_numpy(variable)
            for index, variable in enumerate(self.model.weights)
        }

    def assign(self, arrays: dict[str, np.ndarray]) -> None:
        """Set the weights from what `arrays` gave.

        Raises:
            ValueError: another number of arrays, another shape, or a value that is not finite.
        """
        weights = self.model.weights
        if len(arrays) != len(weights):
            raise ValueError(f"weights: {len(arrays)} arrays came for a model of {len(weights)}.")
        ordered = [arrays[name] for name in sorted(arrays)]
        for variable, array in zip(weights, ordered, strict=True):
            if tuple(variable.shape) != array.shape:
                raise ValueError(
                    f"weights: {variable.path} has the shape {tuple(variable.shape)}, "
                    f"the array {array.shape}."
                )
            if not np.isfinite(array).all():
                raise ValueError(f"weights: {variable.path} has values that are not finite.")
        for variable, array in zip(weights, ordered, strict=True):
            variable.assign(array)


@keras.saving.register_keras_serializable(PACKAGE)
class DescribedModel(keras.Model):
    """A classifier of which a Keras file says how it is built, not which layers it has.

    Its layers are of KerasHub, and not all of them can be made from what they say of themselves.

    Args:
        description: of `TransferModel.to_dict`, as JSON.
    """

    def __init__(self, *args, description: str, **options):
        super().__init__(*args, **options)
        self.description = description

    def get_config(self):
        """The description, and the name."""
        return {"name": self.name, "description": self.description}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model that `from_dict` builds."""
        description = config["description"]
        model = from_dict(json.loads(description)).model
        return cls(model.input, model.output, description=description, name=config["name"])


def batch_norms(layer: keras.Layer) -> list[keras.layers.BatchNormalization]:
    """The batch normalization in a layer, the layer itself included.

    Example:
        >>> len(batch_norms(keras.Sequential([keras.layers.BatchNormalization()])))
        1
    """
    norms = keras.layers.BatchNormalization
    return [one for one in layer._flatten_layers() if isinstance(one, norms)]


def build(
    backbone: str | Backbone | keras.Model,
    num_classes: int,
    task: str = Multiclass.name,
    *,
    weights: str | None = "pretrained",
    image_size: int | tuple[int, int] | None = None,
    dropout: float = 0.2,
    seed: int = 0,
) -> TransferModel:
    """A classifier with a new head on a backbone, computing by Keras' dtype policy.

    Args:
        backbone: what `recipes.backbones.get` takes; an object is copied.
        num_classes: how many outputs the head has.
        task: the name of what it tells; it decides the activation.
        weights: "pretrained", None for the backbone's own initialization, or a weights file.
        image_size: side in pixels, or (height, width); None is the backbone's own.
        dropout: the share of pooled features dropped in training.
        seed: of every initializer and of the dropout.

    Raises:
        ValueError: an unknown backbone, or weights of another architecture.
    """
    base = backbones.get(backbone, weights=weights, image_size=image_size, seed=seed)
    return _headed(base, num_classes, task, dropout=dropout, seed=seed)


def _headed(
    base: Backbone, num_classes: int, task: str, *, dropout: float, seed: int = 0
) -> TransferModel:
    """A new head on a backbone."""
    probabilities = classification_head(
        base.model.output,
        num_classes,
        task,
        pooling=base.pooling,
        prefix=base.prefix,
        dropout=dropout,
        seed=seed,
    )
    return TransferModel(keras.Model(base.model.input, probabilities, name=base.name), base, task)


def from_dict(values: dict, backbone: Backbone | keras.Model | None = None) -> TransferModel:
    """The architecture that `TransferModel.to_dict` described, its weights still to be assigned.

    It computes in float32, whatever Keras' dtype policy is.

    Args:
        values: the description.
        backbone: the one that it names, where that was an object.

    Raises:
        ValueError: a value is missing or out of its range: the text comes from a file, which may
            be anybody's.
    """
    try:
        name, size = str(values["backbone"]), tuple(int(side) for side in values["image_size"])
        num_classes, dropout = int(values["num_classes"]), float(values["dropout"])
        task = str(values.get("task", Multiclass.name))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"model: the description is damaged ({error!r}).") from None
    if len(size) != 2 or max(size) > MAX_SIDE or not 1 <= num_classes <= MAX_CLASSES:
        raise ValueError(f"model: {size} pixels and {num_classes} classes are out of range.")
    if backbone is None and "architecture" in values:
        with scope(FLOAT32):
            base = backbones.rebuilt(values["architecture"])
            if tuple(base.image_size) != size:
                raise ValueError(f"model: {size} pixels, but its network takes {base.image_size}.")
            return _headed(base, num_classes, task, dropout=dropout)
    if backbone is None and (name not in backbones.names() or name in presets()):
        raise ValueError(GIVE_AGAIN.format(name=name))
    given = name if backbone is None else backbone
    with scope(FLOAT32):
        return build(given, num_classes, task, weights=None, image_size=size, dropout=dropout)
