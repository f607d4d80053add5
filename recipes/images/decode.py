"""The one decoder: what training, evaluation, prediction and exported scripts see of a file.

Pixels are those of Pillow, after the EXIF rotation, as 8-bit RGB: gray is repeated, more than 8
bits are scaled to 8, transparency lies on the background, an animation gives its first frame.

It needs NumPy and Pillow alone, since its source goes into each exported script.
"""

import os
import stat
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageColor

from recipes.images.formats import UnreadableError, deep_colours, open_picture, to_8_bits

MAX_PIXELS = 100_000_000
MAX_BYTES = 512 << 20
RESIZE = ("squash", "pad", "crop")
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
OUTLIERS = 0.001

# A pipe would block its reader without the first; Windows would change bytes without the second.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Reading:
    """How files become pixels: the same in training, in prediction and in exported files.

    Attributes:
        resize: how a picture becomes as wide and high as the model's: "squash" changes its
            proportions, "pad" adds a margin in the colour of the background, "crop" leaves out
            what lies beyond the middle.
        background: a colour, by name or as in "#ff8000": it shows where a picture is transparent.
        max_pixels: more are refused before any is decoded.
        levels: of pictures with more than 8 bits, the values that become black and white; by
            default those that the number of bits allows.
    """

    resize: str = "squash"
    background: str = "white"
    max_pixels: int = MAX_PIXELS
    levels: tuple[float, float] | None = None

    def __post_init__(self):
        ImageColor.getrgb(self.background)
        if self.resize not in RESIZE or not isinstance(self.max_pixels, int):
            raise ValueError(f"{self.resize!r} or {self.max_pixels!r} is not known.")
        if self.levels is not None and not np.diff(self.levels) > 0:
            raise ValueError(f"{self.levels!r} are no levels.")

    def to_dict(self) -> dict:
        """As values for a JSON file; `from_dict` reads it."""
        return {**asdict(self), "levels": self.levels and list(self.levels)}

    @classmethod
    def from_dict(cls, values: dict) -> "Reading":
        """What `to_dict` wrote.

        Raises:
            ValueError: it is damaged.
        """
        try:
            others = dict(values)
            levels = others.pop("levels", None)
            ends = None if levels is None else (float(levels[0]), float(levels[1]))
            return cls(**others, levels=ends)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"reading: the description is damaged ({error}).") from None


AS_IT_IS = Reading()


def read_bytes(path: str | Path) -> bytes:
    """The content of a regular file; a pipe, a device or a folder is never opened for reading.

    Raises:
        UnreadableError: it is no regular file, too large, gone, or may not be read.

    Example:
        >>> read_bytes("no/such.png")
        Traceback (most recent call last):
        recipes.images.formats.UnreadableError: no such file
    """
    try:
        handle = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        raise UnreadableError("no such file") from None
    except PermissionError:
        raise UnreadableError("permission denied") from None
    except (OSError, ValueError) as error:
        raise UnreadableError(f"cannot be opened: {error}") from None
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadableError(f"larger than {MAX_BYTES:,} bytes")
        try:
            return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}") from None


def to_rgb(
    picture: Image.Image, reading: Reading = AS_IT_IS, content: bytes | None = None
) -> Image.Image:
    """8-bit RGB, upright: the same colours whatever the file's mode.

    Args:
        picture: opened.
        reading: how.
        content: of its file, without which colours of 16 bits have 8.

    Raises:
        UnreadableError: the pixels are damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            deep = None if content is None else deep_colours(picture, content)
            if deep is not None:
                turn = _orientation(picture)
                picture = Image.fromarray(to_8_bits(deep, reading.levels, 0xFFFF))
            else:
                picture.load()  # this turns a TIFF, which then has no orientation
                turn = _orientation(picture)
            picture = _turn(picture, turn)
            if picture.mode in DEEP:
                values = np.asarray(picture)
                picture = Image.fromarray(to_8_bits(values, reading.levels, _largest(picture)))
            if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
                picture = picture.convert("RGBA")
                under = Image.new("RGBA", picture.size, reading.background)
                picture = Image.alpha_composite(under, picture)
            return picture.convert("RGB")
    except Exception as error:  # a damaged file can raise anything
        raise UnreadableError(f"damaged: {error}") from None


def values_of(picture: Image.Image, content: bytes) -> np.ndarray | None:
    """The values of a picture with more than 8 bits, (H, W) or (H, W, channels); None for others.

    Raises:
        UnreadableError: the pixels are damaged.
    """
    try:
        deep = deep_colours(picture, content)
        if deep is None and picture.mode in DEEP:
            picture.load()
            deep = np.asarray(picture)
        return deep
    except Exception as error:  # a damaged file can raise anything
        raise UnreadableError(f"damaged: {error}") from None


def ends_of(values: np.ndarray) -> tuple[float, float]:
    """The least and the largest of a picture's values, but for a thousandth at each end.

    Example:
        >>> ends_of(np.array([7] * 9_999 + [65_535]))
        (7.0, 65535.0)
        >>> ends_of(np.append(np.arange(10_000), 65_535))
        (10.0, 9990.0)
    """
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 0.0
    low, high = np.quantile(values, (OUTLIERS, 1 - OUTLIERS), method="nearest")
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)


def _largest(picture: Image.Image) -> int | None:
    """The largest value that a picture's bits allow; None for floating point."""
    if picture.mode == "F":
        return None
    return 0xFFFF if picture.mode != "I" or np.asarray(picture).max() <= 0xFFFF else 0x7FFFFFFF


def decode(
    path: str | Path,
    image_size: tuple[int, int] | None = None,
    reading: Reading = AS_IT_IS,
) -> np.ndarray:
    """Decode a picture to 8-bit RGB.

    Args:
        path: of a file in one of `FORMATS`, or DICOM; the content counts, not the name.
        image_size: (height, width) to resize to, with antialiasing. A larger JPEG is decoded at
            reduced scale first. None keeps the size.
        reading: how.

    Returns:
        uint8, (height, width, 3).

    Raises:
        UnreadableError: a ValueError that names the file and the reason.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "red.png"
        >>> Image.new("RGB", (4, 2), "red").save(path)
        >>> decode(path).shape, decode(path, (1, 1)).tolist()
        ((2, 4, 3), [[[255, 0, 0]]])
    """
    try:
        return decode_bytes(read_bytes(path), image_size, reading)
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error}") from None


def decode_bytes(
    content: bytes, image_size: tuple[int, int] | None = None, reading: Reading = AS_IT_IS
) -> np.ndarray:
    """As `decode`, from a file's content; the error does not name a file."""
    return decode_picture(open_picture(content, reading.max_pixels), image_size, reading, content)


def decode_picture(
    picture: Image.Image,
    image_size: tuple[int, int] | None = None,
    reading: Reading = AS_IT_IS,
    content: bytes | None = None,
) -> np.ndarray:
    """As `decode`, from an opened picture, which may be changed; `content` as for `to_rgb`."""
    if image_size is None:
        return np.asarray(to_rgb(picture, reading, content))
    if picture.format == "JPEG" and picture.mode in ("L", "RGB", "CMYK"):
        return np.asarray(_reduced(picture, image_size, reading))
    return np.asarray(resized(to_rgb(picture, reading, content), image_size, reading))


def resized(
    picture: Image.Image, image_size: tuple[int, int], reading: Reading = AS_IT_IS
) -> Image.Image:
    """A picture at (height, width), with antialiasing.

    Example:
        >>> resized(Image.new("RGB", (4, 2)), (3, 5)).size
        (5, 3)
    """
    box, inner = _placed(picture.size, image_size[::-1], reading.resize)
    return _padded(_scaled(picture, inner, box), image_size[::-1], reading)


def _placed(size: tuple[int, int], target: tuple[int, int], resize: str) -> tuple:
    """What of a picture is shown, (left, upper, right, lower), and how large it will be."""
    whole, ratios = (0.0, 0.0, *map(float, size)), [size[i] / target[i] for i in (0, 1)]
    if resize == "crop":
        left, upper = (max(0.0, (size[i] - target[i] * min(ratios)) / 2) for i in (0, 1))
        return (left, upper, size[0] - left, size[1] - upper), target
    if resize == "pad":
        return whole, tuple(max(1, round(side / max(ratios))) for side in size)
    return whole, target


def _scaled(picture: Image.Image, size: tuple[int, int], box: tuple) -> Image.Image:
    if picture.size == size and box == (0, 0, *size):
        return picture
    return picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)


def _padded(picture: Image.Image, size: tuple[int, int], reading: Reading) -> Image.Image:
    if picture.size == size:
        return picture
    canvas = Image.new("RGB", size, ImageColor.getrgb(reading.background)[:3])
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas


def _reduced(picture: Image.Image, image_size: tuple[int, int], reading: Reading) -> Image.Image:
    """A JPEG decoded at a half, a quarter or an eighth where that is enough, resized, upright."""
    turn, size = _orientation(picture), image_size[::-1]
    whole = picture.size
    box, inner = _placed(whole, image_size if turn >= 5 else size, reading.resize)
    wanted = [whole[i] * inner[i] / (box[i + 2] - box[i]) for i in (0, 1)]
    drafted = picture.draft(None, (round(wanted[0]), round(wanted[1])))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture.load()
        picture = picture.convert("RGB")
    except Exception as error:  # a damaged file can raise anything
        raise UnreadableError(f"damaged: {error}") from None
    # A width of 1,001 at a half is 501, of which half a column lies outside the picture.
    scale = drafted[1][2] / whole[0] if drafted else 1.0
    picture = _scaled(picture, inner, tuple(edge * scale for edge in box))
    return _padded(_turn(picture, turn), size, reading)


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 for upright; also where the EXIF data are damaged: pixels count."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged data can raise anything
        return 1
    return found if found in _TURNS else 1


def _turn(picture: Image.Image, orientation: int) -> Image.Image:
    """A picture stored in an EXIF orientation, upright."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture
