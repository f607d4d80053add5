"""The one decoder: what training, evaluation and prediction see of a file.

Pixels are those of Pillow, after the EXIF rotation, as 8-bit RGB: gray is repeated, 16 bits are
scaled to 8, transparency lies on white, an animation gives its first frame.
"""

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
MAX_PIXELS = 100_000_000
MAX_BYTES = 512 << 20

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

Image.init()


class UnreadableError(ValueError):
    """A file that is no picture, or a picture that cannot be used; the text says why."""


def read_bytes(path: str | Path) -> bytes:
    """The content of a regular file; a pipe, a device or a folder is never opened for reading.

    Raises:
        UnreadableError: it is no regular file, too large, gone, or may not be read.

    Example:
        >>> read_bytes("no/such.png")
        Traceback (most recent call last):
        recipes.images.decode.UnreadableError: no such file
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


def open_picture(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open a picture without decoding its pixels, once its format and size are allowed.

    Raises:
        UnreadableError: it is empty, of no known format, or has too many pixels.
    """
    if not content:
        raise UnreadableError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit below is the one that counts
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnreadableError("not a picture, or of a format that is not read") from None
    except Image.DecompressionBombError:
        raise UnreadableError(f"it has more pixels than {max_pixels:,}") from None
    except Exception as error:  # a damaged header can raise anything
        raise UnreadableError(f"damaged: {error}") from None
    if picture.width * picture.height > max_pixels:
        raise UnreadableError(f"it has more pixels than {max_pixels:,}")
    return picture


def to_rgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB, upright: the same colours whatever the file's mode.

    Raises:
        UnreadableError: the pixels are damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture.load()
            picture = _turn(picture, _orientation(picture))
            if picture.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
                picture = Image.fromarray(_to_8_bits(picture))
            if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
                picture = picture.convert("RGBA")
                white = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(white, picture)
            return picture.convert("RGB")
    except Exception as error:  # a damaged file can raise anything
        raise UnreadableError(f"damaged: {error}") from None


def _to_8_bits(picture: Image.Image) -> np.ndarray:
    """One channel of 16 or 32 bits, scaled by its range; a float channel by its own extremes."""
    values = np.asarray(picture)
    if picture.mode == "F":
        finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(finite.min()), float(finite.max())
        scale = 255 / (high - low) if high > low else 0.0
        return ((finite - low) * scale).round().astype("uint8")
    values = np.clip(values.astype("int64"), 0, None)
    largest = 0xFFFF if picture.mode != "I" or values.max(initial=0) <= 0xFFFF else 0x7FFFFFFF
    return (values * 255 // largest).astype("uint8")


def decode(
    path: str | Path,
    image_size: tuple[int, int] | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Decode a picture to 8-bit RGB.

    Args:
        path: of a JPEG, PNG, BMP, GIF, WebP or TIFF file; the content counts, not the name.
        image_size: (height, width) to resize to, the whole picture squashed to it, with
            antialiasing. A larger JPEG is decoded at reduced scale first. None keeps the size.
        max_pixels: more are refused before any is decoded.

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
        return decode_bytes(read_bytes(path), image_size, max_pixels)
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error}") from None


def decode_bytes(
    content: bytes, image_size: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """As `decode`, from a file's content; the error does not name a file."""
    picture = open_picture(content, max_pixels)
    if image_size is None:
        return np.asarray(to_rgb(picture))
    if picture.format == "JPEG":
        return np.asarray(_reduced(picture, *image_size[::-1]))
    return np.asarray(resized(to_rgb(picture), image_size))


def resized(picture: Image.Image, image_size: tuple[int, int]) -> Image.Image:
    """A picture squashed to (height, width), with antialiasing.

    Example:
        >>> resized(Image.new("RGB", (4, 2)), (3, 5)).size
        (5, 3)
    """
    size = image_size[::-1]
    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _reduced(picture: Image.Image, width: int, height: int) -> Image.Image:
    """A JPEG decoded at a half, a quarter or an eighth where that is enough, resized, upright."""
    orientation = _orientation(picture)
    size = (height, width) if orientation in range(5, 9) else (width, height)
    whole = picture.size
    drafted = picture.draft(None, size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture.load()
        picture = picture.convert("RGB")
    except Exception as error:  # a damaged file can raise anything
        raise UnreadableError(f"damaged: {error}") from None
    # A width of 1,001 at a half is 501, of which half a column lies outside the picture.
    box = drafted[1] if drafted else (0, 0, *whole)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    return _turn(picture, orientation)


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 for upright; also where the EXIF data are damaged: pixels count."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged data can raise anything
        return 1


def _turn(picture: Image.Image, orientation: int) -> Image.Image:
    """A picture stored in an EXIF orientation, upright."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture
