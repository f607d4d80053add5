"""Random changes to a picture that leave its class as it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from recipes.lookup import find


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

    Example:
        >>> picture = np.zeros((4, 4, 3), "uint8")
        >>> augment(picture, np.random.default_rng(0), get("light")).shape
        (4, 4, 3)
    """

    flip: bool = False
    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0


PRESETS = {
    "none": None,
    "light": Augmentation(rotation=8, zoom=0.1, shift=0.08, brightness=0.1, contrast=0.1),
    "strong": Augmentation(
        flip=True, rotation=20, zoom=0.25, shift=0.15, brightness=0.25, contrast=0.25
    ),
}


def get(name: str | Augmentation | None) -> Augmentation | None:
    """A preset by name: "none", "light" (never mirrors) or "strong"; an object passes through.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> get("strong").flip, get("none")
        (True, None)
    """
    if name is None or isinstance(name, Augmentation):
        return name
    return find(name, PRESETS, what="augmentation")


def augment(
    picture: np.ndarray, rng: np.random.Generator, augmentation: Augmentation
) -> np.ndarray:
    """A changed copy: one affine map, then brightness and contrast.

    Args:
        picture: uint8, (height, width, 3).
        rng: decides by how much; the same state gives the same copy.
        augmentation: the limits.

    Returns:
        uint8, of the same shape. What the map brings in from outside repeats the mean colour.
    """
    height, width = picture.shape[:2]
    angle = math.radians(rng.uniform(-augmentation.rotation, augmentation.rotation))
    scale = 1 / (1 + rng.uniform(-augmentation.zoom, augmentation.zoom))
    mirror = -1 if rng.random() < 0.5 and augmentation.flip else 1
    right, down = rng.uniform(-augmentation.shift, augmentation.shift, 2) * (width, height)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    # The output at p shows the input at matrix @ (p - centre) + centre + shift.
    matrix = ((mirror * cosine, -mirror * sine), (sine, cosine))
    x, y = width / 2, height / 2
    coefficients = []
    for (a, b), centre, shift in zip(matrix, (x, y), (right, down), strict=True):
        coefficients += [a, b, centre + shift - a * x - b * y]
    result = Image.fromarray(picture).transform(
        (width, height),
        Image.Transform.AFFINE,
        coefficients,
        Image.Resampling.BILINEAR,
        fillcolor=tuple(int(value) for value in picture.mean(axis=(0, 1))),
    )
    for enhancer, limit in (
        (ImageEnhance.Brightness, augmentation.brightness),
        (ImageEnhance.Contrast, augmentation.contrast),
    ):
        result = enhancer(result).enhance(1 + rng.uniform(-limit, limit))
    return np.asarray(result)


def batch(pictures: np.ndarray, keys: Sequence, settings: Augmentation | None) -> np.ndarray:
    """Vary each picture of a batch by a seed of its own, (n, H, W, 3); None changes nothing.

    Example:
        >>> pictures = np.zeros((2, 8, 8, 3), "uint8")
        >>> batch(pictures, [(0, 1), (0, 2)], get("strong")).shape
        (2, 8, 8, 3)
    """
    if settings is None:
        return pictures
    return np.stack(
        [
            augment(picture, np.random.default_rng(key), settings)
            for picture, key in zip(pictures, keys, strict=True)
        ]
    )
