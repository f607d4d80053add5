"""By how much pictures change at random, drawn from a seed of each one's own.

What changes them by what is drawn is in `recipes.images.varying`.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from scipy.special import betaincinv

from recipes.augmentation import PRESETS, Augmentation, get
from recipes.images.operations import blends, movements, tones
from recipes.images.varying import vary

__all__ = ["PRESETS", "Augmentation", "batch", "draw", "get", "mixed"]

ERASED_AREAS = (0.02, 0.33)  # of a picture
ERASED_ASPECTS = (0.3, 1 / 0.3)  # height to width
# The places of a picture's numbers; what is drawn later has later ones.
ANGLE, SCALE, MIRROR, SHIFTS, LIGHT = 0, 1, 2, [3, 4], [5, 6]
ERASED, MIXED, OPERATED = slice(7, 12), slice(12, 17), 17


def draw(
    settings: Augmentation, keys: Sequence, size: tuple[int, int], together: int | None = None
) -> dict[str, np.ndarray]:
    """By how much each picture of a batch changes.

    Args:
        settings: the limits.
        keys: a seed for each picture, such as (seed, pass, row), from which all follows.
        size: (height, width) of the pictures.
        together: of so many pictures in a row, each is mixed with others among them; the whole
            batch by default.

    Returns:
        By name what `recipes.images.varying.vary` takes, a row a picture, float32 or int32. A kind
        of change that the settings leave out is missing.

    Example:
        >>> drawn = draw(get("light"), [(0, 1), (0, 2)], (8, 8))
        >>> {name: values.shape for name, values in drawn.items()}
        {'map': (2, 6), 'light': (2, 2)}
    """
    count = OPERATED + 2 * settings.randaugment
    chances = np.stack([np.random.default_rng(key).random(count) for key in keys])
    operated = chances[:, OPERATED:].reshape(len(chances), settings.randaugment, 2)
    drawn = {}
    if settings.moves:
        maps = _maps(settings, chances, size)
        for slot in range(settings.randaugment):
            maps = maps @ movements(operated[:, slot], settings.magnitude, size)
        drawn["map"] = _coefficients(maps, size)
    if settings.brightness or settings.contrast:
        limits = (settings.brightness, settings.contrast)
        drawn["light"] = 1 + _either_way(chances[:, LIGHT], limits)
    if settings.randaugment:
        drawn["blends"] = blends(operated, settings.magnitude)
        drawn["kinds"], drawn["strengths"] = tones(operated, settings.magnitude)
    if settings.erasing:
        drawn["erased"] = _erased(chances[:, ERASED], settings.erasing, size)
    if settings.mixes:
        drawn |= _partners(chances[:, MIXED], settings, size, together or len(chances))
    return {
        name: values.astype("int32" if values.dtype.kind == "i" else "float32")
        for name, values in drawn.items()
    }


def _either_way(chances: np.ndarray, limits) -> np.ndarray:
    """Evenly from minus to plus a limit."""
    return (2 * chances - 1) * limits


def _maps(settings: Augmentation, chances: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """From where each pixel of the output comes, in pixels from the middle, (n, 3, 3)."""
    angles = np.radians(_either_way(chances[:, ANGLE], settings.rotation))
    scales = 1 / (1 + _either_way(chances[:, SCALE], settings.zoom))
    mirrors = np.where((chances[:, MIRROR] < 0.5) & settings.flip, -1, 1)
    right, down = (_either_way(chances[:, SHIFTS], settings.shift) * size[::-1]).T
    cosines, sines = scales * np.cos(angles), scales * np.sin(angles)
    maps = np.zeros((len(chances), 3, 3))
    maps[:, 0] = np.stack([mirrors * cosines, -mirrors * sines, right], axis=1)
    maps[:, 1] = np.stack([sines, cosines, down], axis=1)
    maps[:, 2, 2] = 1
    return maps


def _coefficients(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same in pixels from the upper left corner, as Pillow's `Image.transform` has it, (n, 6).

    The pixel (x, y) of the output, whose middle is (x + ½, y + ½), shows what lies in the input at
    (a·(x + ½) + b·(y + ½) + c, d·(x + ½) + e·(y + ½) + f).
    """
    middle = np.array([size[1] / 2, size[0] / 2, 1])
    coefficients = maps[:, :2].copy()
    coefficients[..., 2] += middle[:2] - maps[:, :2, :2] @ middle[:2]
    return coefficients.reshape(-1, 6)


def _erased(chances: np.ndarray, share: float, size: tuple[int, int]) -> np.ndarray:
    """Top, left, bottom, right of a rectangle in a share of the pictures; zeros in the others."""
    areas = ERASED_AREAS[0] + chances[:, 1] * (ERASED_AREAS[1] - ERASED_AREAS[0])
    low, high = np.log(ERASED_ASPECTS)
    aspects = np.exp(low + chances[:, 2] * (high - low))
    sides = np.stack([np.sqrt(areas * aspects), np.sqrt(areas / aspects)], axis=1)
    sides = np.minimum(np.rint(sides * np.sqrt(size[0] * size[1])), size)
    first = np.floor(chances[:, 3:5] * (np.array(size) - sides + 1))
    boxes = np.concatenate([first, first + sides], axis=1).astype("int32")
    return np.where(chances[:, :1] < share, boxes, 0)


def _partners(
    chances: np.ndarray, settings: Augmentation, size: tuple[int, int], together: int
) -> dict[str, np.ndarray]:
    """With which other picture each is mixed, as a distance in rows, and how."""
    places = np.arange(len(chances)) % together
    steps = 1 + np.floor(chances[:, 0] * (together - 1)).astype("int32")
    blended = chances[:, 1] * (settings.mixup > 0) < (0.5 if settings.cutmix else 2)
    blended &= settings.mixup > 0
    shares = betaincinv(settings.mixup or 1, settings.mixup or 1, chances[:, 2])
    kept = betaincinv(settings.cutmix or 1, settings.cutmix or 1, chances[:, 2])
    halves = np.sqrt(1 - kept)[:, None] * size / 2
    middles = chances[:, 3:5] * size
    ends = np.concatenate([middles - halves, middles + halves], axis=1)
    boxes = np.rint(np.clip(ends, 0, [*size, *size])).astype("int32")
    return {
        "partner": ((places + steps) % together - places).astype("int32"),
        "share": np.where(blended, shares, 1.0),
        "pasted": np.where(blended[:, None], 0, boxes),
    }


def mixed(
    targets: np.ndarray,
    drawn: Mapping[str, np.ndarray],
    size: tuple[int, int],
    classes: int,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The targets of mixed pictures, and their weights.

    A mixture's loss is that of its two labels, each by its share and its own weight.

    Args:
        targets: integers, (n,), or numbers from 0 to 1, (n, units).
        drawn: what `draw` gave.
        size: (height, width) of the pictures.
        classes: of integer targets.
        weights: (n,), or None.

    Returns:
        float32, (n, classes) or (n, units), and (n,).

    Example:
        >>> drawn = {"partner": np.array([1, -1]), "share": np.array([0.75, 1.0]),
        ...          "pasted": np.zeros((2, 4))}
        >>> mixed(np.array([0, 1]), drawn, (8, 8), 2)[0].tolist()
        [[0.75, 0.25], [0.0, 1.0]]
    """
    if targets.ndim == 1:
        targets = np.eye(classes, dtype="float32")[targets]
    others = np.arange(len(targets)) + drawn["partner"]
    top, left, bottom, right = drawn["pasted"].T
    own = (drawn["share"] - (bottom - top) * (right - left) / (size[0] * size[1]))[:, None]
    given = np.ones((len(targets), 1)) if weights is None else weights[:, None]
    own, other = own * given, (1 - own) * given[others]
    whole = own + other
    shares = np.divide(own, whole, out=np.ones_like(own), where=whole > 0)
    targets = (shares * targets + (1 - shares) * targets[others]).astype("float32")
    return targets, None if weights is None else whole[:, 0].astype("float32")


def batch(pictures: np.ndarray, keys: Sequence, settings: Augmentation | None) -> np.ndarray:
    """Vary each picture of a batch by a seed of its own, (n, H, W, 3); None changes nothing.

    Mixing has no part in it.

    Example:
        >>> pictures = np.zeros((2, 8, 8, 3), "uint8")
        >>> batch(pictures, [(0, 1), (0, 2)], get("strong")).shape
        (2, 8, 8, 3)
    """
    if settings is None or not len(pictures):
        return pictures
    drawn = draw(settings.alone(), keys, pictures.shape[1:3])
    count = len(pictures)
    filled = np.arange(1 << (count - 1).bit_length()) % count  # few sizes have to be compiled
    given = {name: values[filled] for name, values in {"pictures": pictures, **drawn}.items()}
    varied = vary({name: keras.ops.convert_to_tensor(values) for name, values in given.items()})
    return np.rint(keras.ops.convert_to_numpy(varied)[:count]).astype("uint8")
