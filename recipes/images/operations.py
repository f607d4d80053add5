"""RandAugment's operations on batches: as maps, as blends and as tables of tones.

By how much, is computed with NumPy; what changes pictures is of `keras.ops`, and any backend
compiles it. Ranges are torchvision's; results are those of Pillow's operations, but for rounding.

Source:
    RandAugment, arXiv 1909.13719; `torchvision.transforms.RandAugment`.
"""

import numpy as np
from keras import ops

from recipes.keras_setup import apart

MOVING = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
BLENDING = ("color", "sharpness")
TONES = ("autocontrast", "equalize", "solarize", "posterize", "brightness", "contrast")
OPERATIONS = ("identity", *MOVING, *BLENDING, *TONES)
GRAY = (0.299, 0.587, 0.114)
LEVELS = 256
# At the largest magnitude.
ANGLE, SHEAR, TRANSLATION, FACTOR, BITS = 30.0, 0.3, 150 / 331, 0.9, 4
ROUNDING = 1e-3  # so that what is a whole number but for rounding stays one


def _kinds(chances: np.ndarray) -> np.ndarray:
    """Which operation each is, as a place in `OPERATIONS`."""
    return (chances[..., 0] * len(OPERATIONS)).astype("int32")


def _signs(chances: np.ndarray) -> np.ndarray:
    return np.where(chances[..., 1] < 0.5, -1.0, 1.0)


def movements(chances: np.ndarray, magnitude: float, size: tuple[int, int]) -> np.ndarray:
    """From where each pixel comes, in pixels from the middle.

    Args:
        chances: which operation, and which way, (n, 2), numbers from 0 to below 1.
        magnitude: from 0 to 1.
        size: (height, width).

    Returns:
        (n, 3, 3); of an operation that moves nothing the identity.
    """
    by = _signs(chances) * magnitude
    maps = np.tile(np.eye(3), (len(chances), 1, 1))
    for place, name in enumerate(OPERATIONS):
        rows = np.flatnonzero(_kinds(chances) == place)
        if name == "rotate":
            cosines, sines = np.cos(np.radians(by * ANGLE)), np.sin(np.radians(by * ANGLE))
            maps[rows, 0, 0] = maps[rows, 1, 1] = cosines[rows]
            maps[rows, 0, 1], maps[rows, 1, 0] = -sines[rows], sines[rows]
        elif name in MOVING:
            row, column = {"shear_x": (0, 1), "shear_y": (1, 0)}.get(name, (0, 2))
            row = 1 if name == "translate_y" else row
            most = SHEAR if name.startswith("shear") else TRANSLATION * size[1 - row]
            maps[rows, row, column] = most * by[rows]
    return maps


def blends(chances: np.ndarray, magnitude: float) -> np.ndarray:
    """The factors of color and of sharpness; those drawn twice multiply.

    Args:
        chances: as for `movements`, (n, operations, 2).
        magnitude: from 0 to 1.

    Returns:
        (n, 2); 1 changes nothing.
    """
    factors = 1 + FACTOR * magnitude * _signs(chances)
    drawn = [_kinds(chances) == OPERATIONS.index(name) for name in BLENDING]
    return np.stack([np.where(here, factors, 1.0).prod(axis=1) for here in drawn], axis=1)


def tones(chances: np.ndarray, magnitude: float) -> tuple[np.ndarray, np.ndarray]:
    """Which operations on tones, and how strong.

    Args:
        chances: as for `blends`.
        magnitude: from 0 to 1.

    Returns:
        Places in `TONES`, -1 for none, (n, operations); and of each the threshold, the step of
        levels or the factor, (n, operations).
    """
    kinds = _kinds(chances) - OPERATIONS.index(TONES[0])
    strengths = 1 + FACTOR * magnitude * _signs(chances)
    strengths = np.where(kinds == TONES.index("solarize"), 255 * (1 - magnitude), strengths)
    steps = 2.0 ** round(BITS * magnitude)
    strengths = np.where(kinds == TONES.index("posterize"), steps, strengths)
    return np.maximum(kinds, -1), strengths


@apart
def blended(pictures, factors):
    """Color, then sharpness, by factors.

    Args:
        pictures: float32, (n, H, W, 3), 0 to 255.
        factors: (n, 2).
    """
    gray = ops.sum(pictures * ops.convert_to_tensor(GRAY, "float32"), axis=-1, keepdims=True)
    color, sharpness = (ops.reshape(factors[:, place], (-1, 1, 1, 1)) for place in (0, 1))
    pictures = ops.clip(gray + color * (pictures - gray), 0, 255)
    height, width = pictures.shape[1:3]
    middle = pictures[:, 1:-1, 1:-1]
    around = sum(
        pictures[:, down : height - 2 + down, right : width - 2 + right]
        for down in range(3)
        for right in range(3)
    )
    smoother = ops.pad((around + 4 * middle) / 13 - middle, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return ops.clip(pictures + (1 - sharpness) * smoother, 0, 255)


def toned(pictures, kinds, strengths):
    """Operations that give each level of a channel another one, in order.

    Each is a table of 256 levels; the tables of a picture become one, and its pixels are looked up
    once.

    Args:
        pictures: float32, (n, H, W, 3), 0 to 255; rounded to whole levels.
        kinds: places in `TONES`, -1 for none, (n, operations).
        strengths: (n, operations).
    """
    places = _places(pictures)
    table = _tables(_histogram(places), kinds, strengths)
    return _looked_up(table, places)


@apart
def _places(pictures):
    """Where in (n, channels, 256) each value's level lies when that is flat, int32."""
    starts = ops.arange(ops.shape(pictures)[0] * pictures.shape[-1], dtype="int32") * LEVELS
    return ops.cast(ops.round(pictures), "int32") + ops.reshape(
        starts, (-1, 1, 1, pictures.shape[-1])
    )


@apart
def _histogram(places):
    """How many pixels have each level, (n, channels, 256)."""
    count, channels = ops.shape(places)[0], places.shape[-1]
    return _summed(ops.ones_like(places, dtype="float32"), places, count, channels)


def _summed(values, places, count, channels: int):
    """The sums of values by place."""
    flat = (ops.reshape(values, (-1,)), ops.reshape(places, (-1,)))
    sums = ops.segment_sum(*flat, num_segments=count * channels * LEVELS)
    return ops.reshape(sums, (-1, channels, LEVELS))


@apart
def _tables(histogram, kinds, strengths):
    """The new level of each level by all operations of a picture, int32."""
    count, channels = ops.shape(histogram)[0], histogram.shape[1]
    starts = ops.reshape(ops.arange(count * channels, dtype="int32"), (-1, channels, 1)) * LEVELS
    tables = ops.zeros_like(histogram, dtype="int32") + ops.arange(LEVELS, dtype="int32")
    for slot in range(kinds.shape[1]):
        now = _summed(histogram, tables + starts, count, channels)
        step = _step(now, *(ops.reshape(v[:, slot], (-1, 1, 1)) for v in (kinds, strengths)))
        tables = ops.take_along_axis(ops.cast(step, "int32"), tables, axis=-1)
    return tables


@apart
def _looked_up(tables, places):
    """The new levels of pixels, float32."""
    return ops.cast(ops.take(ops.reshape(tables, (-1,)), places), "float32")


def _step(histogram, kinds, strengths):
    """The new level of each level by one operation a picture, (n, channels, 256).

    Args:
        histogram: pixels of each level, (n, channels, 256).
        kinds: places in `TONES`, (n, 1, 1).
        strengths: (n, 1, 1).
    """
    levels = ops.arange(LEVELS, dtype="float32")
    there = histogram > 0
    low = ops.min(ops.where(there, levels, 255.0), axis=-1, keepdims=True)
    high = ops.max(ops.where(there, levels, 0.0), axis=-1, keepdims=True)
    span = ops.maximum(high - low, 1.0)
    total = ops.sum(histogram, axis=-1, keepdims=True)
    last = ops.sum(ops.where(levels == high, histogram, 0.0), axis=-1, keepdims=True)
    size = ops.floor((total - last) / 255)  # pixels that each level shall have
    below = ops.cumsum(histogram, axis=-1) - histogram
    means = ops.sum(histogram * levels, axis=-1) / total[..., 0]
    gray = ops.sum(means * ops.convert_to_tensor(GRAY, "float32"), axis=-1)
    gray = ops.floor(ops.reshape(gray, (-1, 1, 1)) + 0.5)
    same = ops.zeros_like(histogram) + levels
    steps = {
        "autocontrast": ops.where(high > low, (levels - low) * (255 / span), same),
        "equalize": ops.where(
            (low < high) & (size > 0),
            ops.floor((ops.floor(size / 2) + below) / ops.maximum(size, 1.0)),
            same,
        ),
        "solarize": ops.where(levels < strengths, same, 255 - levels),
        "posterize": ops.floor(levels / strengths) * strengths,
        "brightness": levels * strengths,
        "contrast": gray + (levels - gray) * strengths,
    }
    found = same
    for place, name in enumerate(TONES):
        found = ops.where(kinds == place, steps[name], found)
    return ops.floor(ops.clip(found, 0, 255) + ROUNDING)
