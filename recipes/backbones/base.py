"""A pretrained network as transfer learning sees it: a plain model whose stages are known."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import keras

from recipes.dtypes import policy_of, recast, scope


@dataclass(frozen=True)
class Stage:
    """A stretch of a backbone that is frozen or trained as a whole.

    Attributes:
        name: for people.
        output: name of the layer that ends the stage: everything after it reads its output alone.
        layers: names of the stage's layers, in order; the last is `output`.
    """

    name: str
    output: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    Attributes:
        name: as `recipes.backbones.get` knows it.
        model: raw RGB pictures (batch, H, W, 3), 0 to 255, to the last feature map (batch, h, w,
            channels), to tokens (batch, tokens, channels) or to features (batch, channels). Its
            first layers are the preprocessing.
        stages: in order from the pictures on; together they hold every layer but the input.
        preprocessing: what the first layers do, in words.
        weights: "imagenet", "pretrained", "initial", or the file that they came from.
        licence: of the weights.
        source: where architecture and weights come from.
        pooling: how what `model` gives becomes one vector: one of `recipes.pooling.POOLINGS`.
        prefix: how many tokens come before those of the patches.
        fixed_size: whether the layers take pictures of `image_size` only.
        architecture: of a network that a run describes by checked values, these values.
        rebuild: of a network whose layers cannot be cloned: builds it anew from a seed.
    """

    name: str
    model: keras.Model
    stages: tuple[Stage, ...]
    preprocessing: str
    weights: str
    licence: str
    source: str
    pooling: str = "average"
    prefix: int = 0
    fixed_size: bool = False
    architecture: Mapping | None = field(default=None, repr=False)
    rebuild: "Callable[[int], Backbone] | None" = field(default=None, repr=False)

    def __str__(self):
        return self.name

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, 3) of the pictures."""
        return self.model.input_shape[1:]

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) of the pictures."""
        return self.model.input_shape[1:3]

    @property
    def batch_norms(self) -> list[keras.layers.BatchNormalization]:
        """The batch normalization layers, in order; not those inside of other layers."""
        norms = keras.layers.BatchNormalization
        return [layer for layer in self.model.layers if isinstance(layer, norms)]

    def copy(self, *, pretrained: bool = True, seed: int = 0) -> "Backbone":
        """The same backbone with weights of its own.

        Args:
            pretrained: False gives it new initial ones.
            seed: of the initial ones, where the layers name none.
        """
        if self.rebuild is not None:
            copy = self.rebuild(seed)
        else:
            copy = replace(self, model=_cloned(self.model, seed), weights="initial")
        if not pretrained:
            return copy
        copy.model.set_weights(self.model.get_weights())
        return replace(copy, weights=self.weights)

    def computing(self, policy: str) -> "Backbone":
        """The same backbone by another dtype policy; itself where it has that already.

        Args:
            policy: its name; the preprocessing has float32 at the least.

        Example:
            >>> from recipes import backbones
            >>> base = backbones.get("efficientnet_lite0", weights=None, image_size=32)
            >>> base.computing("mixed_bfloat16").model.output.dtype
            'bfloat16'
        """
        if policy_of(self.model) == policy:
            return self
        if self.rebuild is None:
            return replace(self, model=recast(self.model, policy))
        with scope(policy):
            copy = self.rebuild(0)
        copy.model.set_weights(self.model.get_weights())
        return replace(copy, weights=self.weights)

    def boundary(self, index: int):
        """The tensor that enters stage `index`; for `len(stages)`, what the model gives.

        Raises:
            IndexError: there is no such stage.
        """
        if not 0 <= index <= len(self.stages):
            raise IndexError(f"index: {self.name} has stages 0 to {len(self.stages)}, not {index}.")
        if index == 0:
            return self.model.input
        end = self.stages[index - 1].output
        return next(op.output for op in self.model.operations if op.name == end)


def _cloned(model: keras.Model, seed: int) -> keras.Model:
    """The same architecture with new weights."""
    state = random.getstate()
    random.seed(seed)  # from which Keras draws the seeds that are not named
    try:
        return keras.models.clone_model(model)
    finally:
        random.setstate(state)
