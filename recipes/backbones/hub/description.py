"""A network of KerasHub by values: those that a run or the folder of a preset holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recipes.backbones.hub.families import FAMILIES
from recipes.backbones.hub.family import Family
from recipes.backbones.hub.values import NUMBER, checked, many, one_of

THREE = many(NUMBER)
KINDS = {"family": one_of(*FAMILIES), "scale": THREE, "offset": THREE}


@dataclass(frozen=True)
class Described:
    """A network by values: what a run or a preset's folder says of it.

    Attributes:
        family: of the network.
        values: its arguments, checked.
        scale: what each colour, 0 to 255, is multiplied by.
        offset: what is added then.
        native: (height, width) of the pictures that it was trained with.
        about: where the preprocessing is from, in words.
        of_tower: whether the preset's weights are of a whole whose vision tower the network is.
    """

    family: Family
    values: dict
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    native: tuple[int, int]
    about: str = ""
    of_tower: bool = False

    def sized(self, size: tuple[int, int] | None) -> "Described":
        """The same for pictures of a size; None is the one it was trained with.

        Raises:
            ValueError: it takes no such pictures.
        """
        size = size or self.native
        if self.family.own_size and size != self.native:
            raise ValueError(
                f"image_size: {size} pixels; this {self.family.name} takes {self.native} only."
            )
        return replace(self, values=self.family.sized(self.values, size))

    def coloured(self, scale: Any, offset: Any) -> "Described":
        """The same with other preprocessing: a number for all colours, or one for each."""
        scale, offset = (np.broadcast_to(np.asarray(one, float), 3) for one in (scale, offset))
        return replace(
            self, scale=tuple(scale.tolist()), offset=tuple(offset.tolist()), about="as was given"
        )

    def to_dict(self) -> dict:
        """As values for a JSON file; `from_dict` reads it."""
        return {
            "family": self.family.name,
            "values": self.values,
            "scale": list(self.scale),
            "offset": list(self.offset),
        }

    @classmethod
    def from_dict(cls, content: Any) -> "Described":
        """What a run says of its network.

        Raises:
            ValueError: a value is unknown, missing or not allowed: the text comes from a file,
                which may be anybody's.
        """
        if not isinstance(content, Mapping):
            raise ValueError("model: its architecture is not a JSON object.")
        rest = {name: value for name, value in content.items() if name != "values"}
        rest = checked(rest, KINDS, "model")
        family = FAMILIES[rest["family"]]
        values = family.checked(content.get("values"), f"model: {family.name}")
        height, width = values[family.shape_key][:2]
        if height is None or len(rest["scale"]) != 3 or len(rest["offset"]) != 3:
            raise ValueError("model: its pictures' size and colours are not told.")
        scale, offset = tuple(rest["scale"]), tuple(rest["offset"])
        found = cls(family, values, scale, offset, (height, width))
        return found.sized(None)
