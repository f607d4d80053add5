"""Pictures as they are given to a classifier: files and folders, or in memory; one or many."""

import io
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from PIL import Image, ImageFile

from recipes.files import checked_path
from recipes.images.arrays import as_8_bits, check_values
from recipes.images.decode import MAX_BYTES, Reading, decode_bytes, decode_picture, read_bytes
from recipes.images.formats import UnreadableError, has_deep_colours
from recipes.images.walk import list_files

SHAPES = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4), of several (n, H, W, 3)"
CHANNELS = (1, 3, 4)

# Pixels at (height, width), uint8 (height, width, 3); an UnreadableError says why there are none.
Reader = Callable[[tuple[int, int], Reading], np.ndarray]

# A file object has one position and a Pillow picture one decoder: threads take turns at them.
_TURN = threading.Lock()


@final
@dataclass(frozen=True)
class Picture:
    """A picture that was given.

    Attributes:
        name: its path; or "picture 3", of the third, if that has none.
        read: its pixels.
    """

    name: str
    read: Reader


def listed(pictures: Any) -> list[Picture]:
    """The pictures that were given, in order; no file is opened.

    Args:
        pictures: one or an iterable of any kinds: the path of a file or of a folder, for all files
            below it; a Pillow picture; an array (H, W), (H, W, 1), (H, W, 3) or, with an alpha
            channel, (H, W, 4), or of several pictures (n, H, W, 3), with values from 0 to 255; the
            bytes of a file; a file object, opened for reading bytes, from its beginning.

    Raises:
        FileNotFoundError: a path that does not exist.
        ValueError: there is no picture, or something else among them.

    Example:
        >>> [one.name for one in listed(np.zeros((2, 8, 8, 3), "uint8"))]
        ['picture 1', 'picture 2']
    """
    found = _of(pictures, "pictures")
    if found is None:
        if isinstance(pictures, Mapping) or not isinstance(pictures, Iterable):
            raise ValueError(f"pictures: {_not_taken(pictures)}")
        found = []
        for place, item in enumerate(pictures):
            some = _of(item, f"pictures[{place}]")
            if some is None:
                raise ValueError(f"pictures[{place}]: {_not_taken(item)}")
            found += some
    if not found:
        raise ValueError("pictures: there are none: no file was named, and the folders hold none.")
    return [Picture(name or f"picture {k}", read) for k, (name, read) in enumerate(found, 1)]


def _of(item: Any, name: str) -> list[tuple[str, Reader]] | None:
    """The name ("" in memory) and the reader of each picture that an item is; None for no item."""
    if isinstance(item, Picture):
        return [(item.name, item.read)]
    if isinstance(item, str | os.PathLike):
        return [(path, _file(path)) for path in _paths(item, name)]
    if isinstance(item, bytes | bytearray | memoryview):
        return [("", _content(lambda: bytes(item)))]
    if isinstance(item, Image.Image):
        return [("", lambda size, reading: _of_pillow(item, size, reading))]
    if isinstance(item, io.TextIOBase):
        raise ValueError(f"{name}: a file that is open for text; open it for bytes, with 'rb'.")
    if callable(getattr(item, "read", None)):
        return [("", _content(lambda: _read(item)))]
    if hasattr(item, "__array__") and not isinstance(item, pd.DataFrame):
        return _of_array(item, name)
    return None


def _not_taken(item: Any) -> str:
    return (
        f"{type(item).__name__} is not a picture: a path, a Pillow picture, an array, the bytes of "
        "a file or an open file is taken, or a list of them."
    )


def _paths(item: str | os.PathLike, name: str) -> list[str]:
    """The file that is named, or those below the folder that is named."""
    path = checked_path(name, item)
    if path.is_dir():
        return [str(path / file) for file in list_files(path)]
    if not path.exists():
        raise FileNotFoundError(f"{name}: {path} does not exist.")
    return [str(path)]


def _file(path: str) -> Reader:
    return _content(lambda: read_bytes(Path(path)))


def _content(content: Callable[[], bytes]) -> Reader:
    return lambda size, reading: decode_bytes(content(), size, reading)


def _read(file: Any) -> bytes:
    """A file object's whole content; where it can go back, from its beginning."""
    try:
        with _TURN:
            if getattr(file, "seekable", lambda: False)():
                file.seek(0)
            content = file.read(MAX_BYTES + 1)
    except Exception as error:  # it may be of anybody's make
        raise UnreadableError(f"cannot be read: {error}") from None
    if not isinstance(content, bytes):
        raise UnreadableError(f"it gives {type(content).__name__}, not bytes")
    if len(content) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES:,} bytes")
    return content


def _of_array(item: Any, name: str) -> list[tuple[str, Reader]] | None:
    """An array's pictures; None where it is one of texts or of objects."""
    try:
        array = np.asarray(item)
    except Exception as error:  # a tensor that is traced, or on another device
        raise ValueError(f"{name}: {type(item).__name__} gives no array: {error}") from None
    if array.ndim == 1 and array.dtype.kind not in "buif":
        return None
    several = array.ndim == 4
    if array.ndim not in (2, 3, 4) or (array.ndim > 2 and array.shape[-1] not in CHANNELS):
        raise ValueError(f"{name}: an array has the shape {SHAPES}, not {array.shape}.")
    if several and not len(array):
        return []
    check_values(name, array)
    return [("", _pixels(one)) for one in (array if several else array[None])]


def _pixels(array: np.ndarray) -> Reader:
    def read(size, reading):
        pixels = as_8_bits(array)
        flat = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
        return _decoded(Image.fromarray(flat), size, reading)

    return read


def _of_pillow(picture: Image.Image, size: tuple[int, int], reading: Reading) -> np.ndarray:
    """A Pillow picture's pixels, as those of the file that it was opened from; it stays as it is.

    Once it is decoded, a JPEG is no more read at reduced scale, and colours of 16 bits have 8.
    """
    try:
        with _TURN:
            content = _undecoded(picture)
            own = picture if content is not None else picture.copy()
    except Exception as error:  # the file can be damaged, or closed
        raise UnreadableError(f"damaged: {error}") from None
    if content is not None:
        return decode_bytes(content, size, reading)
    own.format = picture.format  # lost by copying; a JPEG is resized before it is turned
    return _decoded(own, size, reading)


def _undecoded(picture: Image.Image) -> bytes | None:
    """The file of a picture, where it holds more than Pillow would give and is still unread."""
    if not isinstance(picture, ImageFile.ImageFile) or not picture.tile or picture.fp is None:
        return None
    drafted = picture.decoderconfig or picture.tell()  # by the user: another scale, another frame
    if drafted or not (picture.format == "JPEG" or has_deep_colours(picture)):
        return None
    place = picture.fp.tell()
    try:
        picture.fp.seek(0)
        return picture.fp.read()
    finally:
        picture.fp.seek(place)


def _decoded(picture: Image.Image, size: tuple[int, int], reading: Reading) -> np.ndarray:
    if not picture.width * picture.height:
        raise UnreadableError("it has no pixels")
    if picture.width * picture.height > reading.max_pixels:
        raise UnreadableError(f"it has more pixels than {reading.max_pixels:,}")
    return decode_picture(picture, size, reading)
