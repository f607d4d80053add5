"""How much pictures are varied in training: plain values, free of Keras."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from recipes.lookup import find, unknown


@dataclass(frozen=True)
class Augmentation:
    """How much a picture may change.

    Attributes:
        flip: whether it is mirrored, left to right, half of the time. Letters, digits and signs
            change their meaning.
        rotation: degrees at the most, either way.
        zoom: share at the most by which it grows or shrinks.
        shift: share of the side at the most, in each direction.
        brightness: share at the most, either way.
        contrast: as `brightness`.
        randaugment: how many operations of RandAugment follow (arXiv 1909.13719; 2 is usual).
            Those that move pixels are one map with the above; then come color and sharpness, then
            the tones in the order drawn.
        magnitude: of these operations, as a share of the most that there is.
        erasing: share of the pictures of which a rectangle gets the mean color (arXiv 1708.04896).
        mixup: a picture and its labels are blended with another one's, by a share drawn from
            Beta(mixup, mixup) (arXiv 1710.09412; 0.2 is usual); 0 for none. It needs trainable
            inputs, as does `cutmix`: a frozen part sees each picture once.
        cutmix: a rectangle, and its share of the labels, comes from another picture; the share is
            drawn from Beta(cutmix, cutmix) (arXiv 1905.04899; 1 is usual). With both, each picture
            has one or the other.

    Raises:
        ValueError: a value is out of its range; the text names it.

    Example:
        >>> Augmentation(rotation=8, mixup=0.2).alone()
        Augmentation(flip=False, rotation=8, zoom=0.0, ..., mixup=0.0, cutmix=0.0)
        >>> Augmentation(mixup=-1)
        Traceback (most recent call last):
        ValueError: augmentation: mixup is a number from 0 up, not -1.
    """

    flip: bool = False
    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    randaugment: int = 0
    magnitude: float = 0.3
    erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self):
        for one in fields(self):
            value, text = getattr(self, one.name), _refused(one.name, getattr(self, one.name))
            if text:
                raise ValueError(f"augmentation: {one.name} is {text}, not {value!r}.")

    @property
    def moves(self) -> bool:
        """Whether pixels come from other places."""
        return bool(self.flip or self.rotation or self.zoom or self.shift or self.randaugment)

    @property
    def mixes(self) -> bool:
        """Whether pictures and their labels are mixed with others."""
        return self.mixup > 0 or self.cutmix > 0

    def alone(self) -> "Augmentation":
        """What is done to a picture by itself."""
        return replace(self, mixup=0.0, cutmix=0.0)

    def to_dict(self) -> dict:
        """The values by name, for a run's JSON file; `from_dict` reads it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Augmentation":
        """What `to_dict` wrote.

        Raises:
            ValueError: a name is unknown, or a value out of its range.
        """
        known = dict.fromkeys(one.name for one in fields(cls))
        for name in values:
            if name not in known:
                raise unknown("augmentation", name, known)
        return cls(**values)


def _refused(name: str, value: Any) -> str:
    """What a value has to be where it is not; empty where it is."""
    if name == "flip":
        return "" if isinstance(value, bool) else "True or False"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "randaugment":
        fits = number and isinstance(value, int) and value >= 0
        return "" if fits else "a whole number from 0 up"
    if not (number and math.isfinite(value) and value >= 0):
        return "a number from 0 up"
    if name in ("erasing", "magnitude", "contrast", "brightness") and value > 1:
        return "a share from 0 to 1"
    return "a share from 0 to below 1" if name == "zoom" and value >= 1 else ""


_LIGHT = Augmentation(rotation=8, zoom=0.1, shift=0.08, brightness=0.1, contrast=0.1)
_STRONG = Augmentation(
    flip=True, rotation=20, zoom=0.25, shift=0.15, brightness=0.25, contrast=0.25
)
PRESETS: dict[str, Augmentation | None] = {
    "none": None,
    "light": _LIGHT,
    "strong": _STRONG,
    "randaugment": replace(_LIGHT, flip=True, randaugment=2),
    "mixup": replace(_LIGHT, mixup=0.2),
    "cutmix": replace(_LIGHT, cutmix=1.0),
    "heavy": replace(_LIGHT, flip=True, randaugment=2, erasing=0.25, mixup=0.2, cutmix=1.0),
}


def get(name: str | Augmentation | None) -> Augmentation | None:
    """A preset by name; an object passes through.

    Args:
        name: "none"; "light", which never mirrors; "strong"; "randaugment", which mirrors too;
            "mixup" and "cutmix", each with what is light; or "heavy", which has all of these.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> get("strong").flip, get("none")
        (True, None)
    """
    if name is None or isinstance(name, Augmentation):
        return name
    return find(name, PRESETS, what="augmentation")


def checked(value: Any) -> str | Augmentation:
    """An option's value: a preset's name, or an object; one that `to_dict` wrote is made again.

    Raises:
        ValueError: it is neither.

    Example:
        >>> checked({"rotation": 5, "cutmix": 1.0}).cutmix
        1.0
    """
    if isinstance(value, Mapping):
        return Augmentation.from_dict(value)
    if not isinstance(value, Augmentation):
        find(value, PRESETS, what="augmentation")
    return value
