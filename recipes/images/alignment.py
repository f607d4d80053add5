"""Whether one small gray picture, turned, cropped or stretched a little, becomes another.

Two pictures are laid on each other by an affine map, found step by step on a coarse and then on
the full version of both. Then their fine structure is compared, which near copies share and
pictures that are merely of the same kind do not.

Source:
    S. Baker and I. Matthews, "Lucas-Kanade 20 Years On: A Unifying Framework", IJCV 2004.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

COARSE = 16  # pixels a side on which the map is sought first
_FINE = (0.5, 1.5)  # pixels: the structure that decides
_ALIKE, _SPARSE = 0.84, 0.12  # correlation that is asked for, and how much more of a drawing
# Steps on the coarse version, and the correlation after them that all but one copy in 500 has.
_GATES = ((1, 0.66), (2, 0.79))
_SAME = 0.985  # of a single stroke
_SINGLE = 0.06  # share of the pixels below which a drawing is a stroke, like any other stroke


def fits(first: np.ndarray, second: np.ndarray, zoom: np.ndarray) -> np.ndarray:
    """How well pairs of pictures fit, once they are laid on each other.

    Args:
        first: gray pictures, (n, side, side), with a side that is a multiple of 16.
        second: as `first`.
        zoom: about which share of the first one's side the second one shows, (n,).

    Returns:
        The correlation of their fine structure, (n,), less what is asked for: from 0 up they are
        near copies. It is -1 where this shows early, or where there is hardly any structure.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> one, other = rng.normal(0, 99, (2, 16, 16)).repeat(3, axis=1).repeat(3, axis=2)
        >>> moved = np.roll(one, 2, axis=1) + rng.normal(0, 2, (48, 48))
        >>> (fits(np.stack([one, one]), np.stack([moved, other]), np.ones(2)) > 0).tolist()
        [True, False]
    """
    first, second = first.astype("float32"), second.astype("float32")
    found = np.full(len(first), -1.0, "float32")
    coarse = [_band(pictures, 1.5, 4.0, COARSE) for pictures in (first, second)]
    matrix = (np.eye(2) / zoom[:, None, None]).astype("float32")
    shift = np.zeros((len(first), 2), "float32")
    left = np.arange(len(first))
    for steps, least in _GATES:
        matrix, shift = _improved(coarse, matrix, shift, steps)
        kept = _correlation(coarse, matrix, shift)[0] > least
        left, matrix, shift = left[kept], matrix[kept], shift[kept]
        coarse = [pictures[kept] for pictures in coarse]
    middle = [_band(pictures[left], 0.6, 3.0) for pictures in (first, second)]
    fine = [_band(pictures[left], *_FINE) for pictures in (first, second)]
    for steps, least in ((1, 0.5), (3, _ALIKE)):
        if len(left) == 0:
            return found
        matrix, shift = _improved(middle, matrix, shift, steps)
        alike, _, strength = _correlation(fine, matrix, shift)
        kept = alike > least
        left, matrix, shift = left[kept], matrix[kept], shift[kept]
        alike, strength = alike[kept], strength[kept]
        middle, fine = ([one[kept] for one in both] for both in (middle, fine))
    broad = [_band(pictures[left], 0.6, 6.0) for pictures in (first, second)]
    spread = _correlation(broad, matrix, shift)[1]
    asked = _ALIKE + _SPARSE * np.clip((0.25 - spread) / 0.1, 0, 1)
    asked = np.where(spread > _SINGLE, asked, _SAME)
    sizes = np.linalg.svd(matrix, compute_uv=False)
    possible = (sizes[:, 0] < 1.4) & (sizes[:, 1] > 0.71) & (strength > 1)
    found[left] = np.where(possible, alike - asked, -1)
    return found


def is_judged(pictures: np.ndarray) -> np.ndarray:
    """Whether each picture, (n, side, side), has the fine structure by which copies are known.

    A plain picture has none, and a tiny or blurred one that was made larger has none of its own.

    Example:
        >>> noise = np.random.default_rng(0).normal(0, 50, (6, 6))
        >>> is_judged(np.stack([np.full((48, 48), 7), np.kron(noise, np.ones((8, 8)))])).tolist()
        [False, True]
    """
    fine = _band(pictures.astype("float32"), *_FINE)
    power = (fine * fine).sum(axis=(1, 2))
    changes = sum((slope * slope).sum(axis=(1, 2)) for slope in np.gradient(fine, axis=(1, 2)))
    return (changes > 0.5 * power) & (power > fine[0].size)


def _band(pictures: np.ndarray, fine: float, wide: float, side: int = 0) -> np.ndarray:
    """Structure between two sizes in pixels, free of the picture's brightness."""
    size = pictures.shape[1]
    both = [_smoothing(size, side or size, width) for width in (fine, wide)]
    return both[0] @ pictures @ both[0].T - both[1] @ pictures @ both[1].T


@cache
def _smoothing(size: int, side: int, width: float) -> np.ndarray:
    """A matrix that smooths columns of `size` pixels and reduces them to `side`."""
    smooth = gaussian_filter1d(np.eye(size, dtype="float32"), width, axis=0, mode="nearest")
    return smooth.reshape(side, size // side, size).mean(axis=1)


@cache
def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates of the pixels' centres, from -1 to 1: along a row, and along a column."""
    centres = ((np.arange(side) + 0.5) / side * 2 - 1).astype("float32")
    x, y = np.meshgrid(centres, centres)
    return x.ravel(), y.ravel()


def _moved(pictures: np.ndarray, matrix: np.ndarray, shift: np.ndarray):
    """The pictures at `matrix @ (x, y) + shift`, (n, side²), and whether that is inside."""
    count, side, _ = pictures.shape
    x, y = _grid(side)
    places = []
    for row in (0, 1):
        place = matrix[:, row, :1] * x + matrix[:, row, 1:] * y + shift[:, row, None]
        places.append((place + 1) * (side / 2) - 0.5)
    inside = np.logical_and(*((place > -0.5) & (place < side - 0.5) for place in places))
    column, row = (np.clip(place, 0, side - 1.001) for place in places)
    left, top = column.astype("int32"), row.astype("int32")
    column, row = column - left, row - top
    index = top * side + left + (np.arange(count, dtype="int32") * side * side)[:, None]
    flat = pictures.ravel()
    above = flat[index] * (1 - column) + flat[index + 1] * column
    index += side
    below = flat[index] * (1 - column) + flat[index + 1] * column
    return above * (1 - row) + below * row, inside


def _centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return values - (values * weights).sum(1, keepdims=True) / (weights.sum(1, keepdims=True) + 1)


def _correlation(both: Sequence[np.ndarray], matrix: np.ndarray, shift: np.ndarray):
    """The correlation, the share of the pixels that it rests on, and the structure's strength.

    Within the inscribed circle: a corner that a rotation filled lies outside.
    """
    first, second = both
    x, y = _grid(first.shape[1])
    moved, inside = _moved(second, matrix, shift)
    weights = inside * (x * x + y * y <= 0.9)
    one, other = _centred(first.reshape(moved.shape), weights), _centred(moved, weights)
    product = one * other * weights
    count = weights.sum(1) + 1
    powers = [(values * values * weights).sum(1) for values in (one, other)]
    alike = product.sum(1) / np.sqrt(powers[0] * powers[1] + 1e-6)
    spread = np.abs(product).sum(1) ** 2 / ((product * product).sum(1) * count + 1e-9)
    covered = weights.mean(1) > 0.45
    return np.where(covered, alike, -1), spread, np.sqrt(np.minimum(*powers) / count)


def _improved(
    both: Sequence[np.ndarray], matrix, shift, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Some steps of the inverse compositional method, in which pixels that do not fit count less.

    What a rotation filled in, or another background, would pull the map away.
    """
    first, second = both
    count, side, _ = first.shape
    x, y = _grid(side)
    down, along = (slope.reshape(count, side * side) * (side / 2) for slope in _slopes(first))
    slopes = np.stack([along * x, along * y, along, down * x, down * y, down], axis=2)
    flat, circle, trust = first.reshape(count, side * side), x * x + y * y <= 0.9, np.float32(1)
    for _ in range(steps):
        moved, inside = _moved(second, matrix, shift)
        weights = inside * circle * trust
        one, other = _centred(flat, weights), _centred(moved, weights)
        powers = [(values * values * weights).sum(1, keepdims=True) for values in (one, other)]
        error = other * np.sqrt(powers[0] / (powers[1] + 1e-6)) - one
        squares = error * error
        usual = (squares * weights).sum(1, keepdims=True) / (weights.sum(1, keepdims=True) + 1)
        trust = 1 / (1 + squares / (usual + 1e-6))
        weighted = (slopes * (weights * trust)[..., None]).swapaxes(1, 2)
        normal = weighted @ slopes
        ridge = 1e-4 * np.trace(normal, axis1=1, axis2=2) + 1e-6
        normal += ridge[:, None, None] * np.eye(6, dtype="float32")
        step = np.linalg.solve(normal, weighted @ error[..., None])[..., 0].clip(-0.15, 0.15)
        change = np.eye(2, dtype="float32") + step[:, [0, 1, 3, 4]].reshape(count, 2, 2)
        matrix = matrix @ np.linalg.inv(change)
        shift = shift - (matrix @ step[:, [2, 5], None])[..., 0]
    return matrix, shift


def _slopes(pictures: np.ndarray) -> list[np.ndarray]:
    """The change from pixel to pixel, downward and along."""
    return np.gradient(pictures, axis=(1, 2))
