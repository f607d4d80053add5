"""Pictures in memory: an array of pixels and their labels."""

from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
from PIL import Image

from recipes.images.copies import thumbnail
from recipes.images.decode import Reading, resized
from recipes.images.sources import COLUMNS, Listing, Source
from recipes.tasks.base import SEPARATOR


@final
class Arrays(Source):
    """Pictures as an array (n, H, W, 3) with values from 0 to 255, and their labels.

    Args:
        pictures: uint8, or numbers that are rounded to it; gray ones (n, H, W) or (n, H, W, 1) too.
        labels: (n,) or (n, 1), names or numbers; one-hot rows (n, classes); or rows of 0 and 1, any
            number of labels each, (n, labels).

    Raises:
        ValueError: they are not what they should be; the text says what came.
    """

    name = "arrays"

    def __init__(self, pictures, labels):
        self.folder = Path()
        self.pictures, self.labels = np.asarray(pictures), np.asarray(labels)
        if self.labels.ndim == 2 and self.labels.shape[1] == 1:  # as Keras' own data sets have them
            self.labels = self.labels[:, 0]
        shape = self.pictures.shape
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[-1] not in (1, 3)):
            raise ValueError(f"data: pictures have the shape (n, H, W, 3), not {shape}.")
        if len(self.labels) != shape[0]:
            raise ValueError(f"data: {shape[0]} pictures and {len(self.labels)} labels.")
        if self.labels.ndim not in (1, 2):
            raise ValueError(
                f"data: labels have the shape (n,) or (n, labels), not {self.labels.shape}."
            )
        check_values("data", self.pictures)
        if self.labels.ndim == 2 and not np.isin(self.labels, (0, 1)).all():
            raise ValueError("data: labels of the shape (n, labels) are 0 or 1.")

    def listing(self) -> Listing:
        """A row a picture, called by its place in the array."""
        count = len(self.labels)
        several = False
        if self.labels.ndim == 2:
            several = bool((self.labels.sum(axis=1) != 1).any())
            names = np.array([str(k) for k in range(self.labels.shape[1])], dtype=object)
            texts = [SEPARATOR.join(names[row > 0]) for row in self.labels]
        else:
            texts = [str(label) for label in self.labels.tolist()]
        table = pd.DataFrame({"path": [str(row) for row in range(count)], "class": texts})
        table = table.assign(part="", group="", labelled=True, reason="")
        return Listing(table[COLUMNS], several, "pictures in memory")

    def content(self, path: str) -> bytes:
        """A picture's pixels, uint8 (H, W, 3), as bytes."""
        pixels = self.pictures[int(path)]
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        return np.broadcast_to(as_8_bits(pixels), (*pixels.shape[:2], 3)).tobytes()

    def examine(self, content: bytes, reading: Reading) -> dict:
        """Width and height, which all pictures share, whether it is plain, and its thumbnail."""
        height, width = self.pictures.shape[1:3]
        pixels = np.frombuffer(content, "uint8").reshape(height, width, 3)
        found = {"width": width, "height": height, "mode": "RGB", "format": "array"}
        found["plain"] = bool((pixels == pixels[0, 0]).all())
        return {**found, "thumbnail": thumbnail(Image.fromarray(pixels))}

    def decode(self, content: bytes, image_size: tuple[int, int], reading: Reading) -> np.ndarray:
        """A picture's pixels at another size."""
        pixels = np.frombuffer(content, "uint8").reshape(*self.pictures.shape[1:3], 3)
        return np.asarray(resized(Image.fromarray(pixels), image_size, reading))


def check_values(name: str, pixels: np.ndarray) -> None:
    """Refuse an array that does not hold values from 0 to 255.

    Args:
        name: of the argument, with which the text begins.
        pixels: of one picture or of several.

    Raises:
        ValueError: they are no numbers, or lie beyond; or all between 0 and 1, as after a division
            by 255.

    Example:
        >>> check_values("pictures", np.array([0.2, 0.9]))
        Traceback (most recent call last):
        ValueError: pictures: the values lie between 0.2 and 0.9; 0 to 255 is taken.
    """
    if pixels.dtype.kind not in "uif":
        raise ValueError(f"{name}: the pictures are {pixels.dtype}, not numbers.")
    if not pixels.size:
        raise ValueError(f"{name}: pictures of the shape {pixels.shape} have no pixels.")
    low, high = float(pixels.min()), float(pixels.max())
    if not 0 <= low <= high <= 255 or (0 < high <= 1 and pixels.dtype.kind == "f"):
        raise ValueError(f"{name}: the values lie between {low:g} and {high:g}; 0 to 255 is taken.")


def as_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Values from 0 to 255 as uint8, rounded."""
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels).astype("uint8")
