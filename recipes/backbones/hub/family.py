"""What the networks of a class of KerasHub have in common.

Free of KerasHub, so that a file can be checked without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recipes.backbones.hub.values import SHAPE, Kind, checked

LEAST_SIDE, MOST_SIDE = 32, 4_096
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5,) * 3, (0.5,) * 3)
UNIT = ((0.0,) * 3, (1.0,) * 3)
# What every network of KerasHub says of itself, and that does not matter here.
LEFT_OUT = ("name", "trainable", "dtype")
PAGE = "as stated for the preset at kaggle.com/models/keras"


@dataclass(frozen=True)
class Family:
    """What the networks of a class of KerasHub have in common.

    Attributes:
        name: for people.
        class_name: in `keras_hub.models`.
        kinds: what each of a network's values may be.
        licence: of the published weights.
        mean: of the colours of the pictures that most presets were trained with, 0 to 1.
        optional: values that may be missing.
        block: the class of the layers of which a stage consists; None where stages are found from
            the resolution.
        pooling: how its output becomes one vector, by its values.
        multiple: what a side must be a multiple of, by its values.
        fixed: whether a network takes pictures of one size only.
        square: whether pictures must be square.
        positions: whether its tokens have embeddings of their places, to be interpolated.
        own_size: whether its weights are of one size of pictures.
        shape_key: the name of the pictures' shape among the values.
        settled: values that differ from those that came, by those.
        tower: the class of which it is the vision tower.
    """

    name: str
    class_name: str
    kinds: Mapping[str, Kind]
    licence: str = PAGE
    mean: tuple = IMAGENET
    optional: tuple[str, ...] = ("data_format",)
    block: str | None = None
    pooling: Callable[[Mapping], tuple[str, int]] = lambda values: ("average", 0)
    multiple: Callable[[Mapping], int] = lambda values: 1
    fixed: bool = False
    square: bool = False
    positions: bool = False
    own_size: bool = False
    shape_key: str = "image_shape"
    settled: Callable[[Mapping], dict] = field(default=lambda values: {})
    tower: str | None = None

    def checked(self, values: Any, where: str) -> dict:
        """The values of a network, without those that do not matter.

        Raises:
            ValueError: a value is unknown, missing or not allowed.
        """
        if isinstance(values, Mapping):
            values = {name: value for name, value in values.items() if name not in LEFT_OUT}
        return checked(values, {**self.kinds, self.shape_key: SHAPE}, where, self.optional)

    def sized(self, values: Mapping, size: tuple[int, int]) -> dict:
        """The values of the same network for pictures of a size.

        Raises:
            ValueError: it takes no such pictures.
        """
        step, most = self.multiple(values), MOST_SIDE
        if min(size) < LEAST_SIDE or max(size) > most:
            raise ValueError(f"image_size: {size} pixels; a side is from {LEAST_SIDE} to {most:,}.")
        if self.square and size[0] != size[1]:
            raise ValueError(f"image_size: {size} pixels; {self.name} takes square pictures only.")
        if any(side % step for side in size):
            nearest = max(round(size[0] / step), 1) * step
            raise ValueError(
                f"image_size: {size} pixels; this {self.name} takes multiples of {step}, such as "
                f"{nearest}."
            )
        values = {**values, self.shape_key: [*size, 3]}
        return {**values, **self.settled(values)}
