"""Pictures that are odd among their kind: dark, bright, of one colour, blurred, tiny, very long.

The measures are taken of the pixels that training reads, at half their size.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

# CleanVision's limits (github.com/cleanlab/cleanvision), on brightness as it measures it (the HSP
# model): of 4,884 photos of hands, waste, goods and pets none is on the wrong side.
DARK_BELOW = 0.32  # the brightness of all but the brightest hundredth
BRIGHT_FROM = 0.95  # the brightness of all but the darkest twentieth
LONG_BELOW = 0.35  # the shorter side to the longer one

ONE_COLOUR_BELOW = 8  # levels of 255 between the hundredths at both ends, in each channel
TINY_BELOW = 32  # pixels of the shorter side, the least that a backbone takes

# The strongest hundredth of the Laplacian against the contrast. 2 of those photos are below it; all
# are once they are blurred with a sigma of 4 of 224 pixels, 38 to 99 % with one of 2.5.
BLURRED_BELOW = 0.15
ENLARGED_FROM = 2  # times; beyond it a picture is soft because it is small

COMMON_FROM = 0.1  # the share of pictures from which it is the nature of the collection
COMMON_COUNT = 5
WORDS = ("dark", "bright", "one colour", "blurred", "tiny", "very long")


def oddities(pixels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which pictures are odd in which way.

    Args:
        pixels: (n, H, W, 3), uint8, as they are trained on.
        sizes: (n, 2), width and height before they were resized.

    Returns:
        True or False, (n, 6): dark, bright, of one colour, blurred, tiny, very long. A picture of
        one colour is not blurred too.

    Source:
        Darkness, brightness and proportions as CleanVision; sharpness by the Laplacian, J. L.
        Pech-Pacheco et al., ICPR 2000.

    Example:
        >>> black = np.zeros((1, 64, 64, 3), "uint8")
        >>> [word for word, odd in zip(WORDS, oddities(black, np.array([[200, 20]]))[0]) if odd]
        ['dark', 'one colour', 'tiny', 'very long']
    """
    count, height, width, _ = pixels.shape
    half = pixels[:, : height // 2 * 2, : width // 2 * 2].astype("float32")
    half = half.reshape(count, height // 2, 2, width // 2, 2, 3).mean(axis=(2, 4))
    light = np.sqrt(half**2 @ np.array([0.241, 0.691, 0.068], "float32")) / 255
    low, dim, high = np.quantile(light, [0.01, 0.05, 0.99], axis=(1, 2))
    ends = np.quantile(half, [0.01, 0.99], axis=(1, 2))
    flat = (ends[1] - ends[0]).max(axis=-1) < ONE_COLOUR_BELOW
    edges = 4 * light[:, 1:-1, 1:-1] - light[:, :-2, 1:-1] - light[:, 2:, 1:-1]
    edges = np.abs(edges - light[:, 1:-1, :-2] - light[:, 1:-1, 2:])
    sharpness = np.quantile(edges, 0.99, axis=(1, 2)) / np.maximum(high - low, 1e-6)
    shorter, longer = sizes.min(axis=1), sizes.max(axis=1)
    enlarged = shorter * ENLARGED_FROM < min(height, width)
    found = [
        high < DARK_BELOW,
        dim > BRIGHT_FROM,
        flat,
        (sharpness < BLURRED_BELOW) & ~flat & ~enlarged,
        shorter < TINY_BELOW,
        shorter < LONG_BELOW * longer,
    ]
    return np.stack(found, axis=1)


def in_words(odd: np.ndarray) -> tuple[pd.Series, list[str]]:
    """What is odd of each picture, and what is so common that it is none of them.

    Args:
        odd: what `oddities` gave, (n, 6).

    Returns:
        A text a picture, such as "dark, tiny"; and the notes. What more than a tenth of the
        pictures have in common, and more than five of them, is said once instead.

    Example:
        >>> odd = np.zeros((3, len(WORDS)), bool)
        >>> odd[1, [0, 4]] = True
        >>> in_words(odd)[0].tolist()
        ['', 'dark, tiny', '']
    """
    counts = odd.sum(axis=0)
    common = counts > max(COMMON_FROM * len(odd), COMMON_COUNT)
    notes = [
        f"{count:,} of {len(odd):,} pictures are {word}: not marked, since so many are."
        for word, count, often in zip(WORDS, counts, common, strict=True)
        if often
    ]
    return pd.Series([_joined(row & ~common) for row in odd], dtype=object), notes


def _joined(row: Sequence[bool]) -> str:
    return ", ".join(word for word, odd in zip(WORDS, row, strict=True) if odd)
