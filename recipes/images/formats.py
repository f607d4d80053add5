"""Which kind of file it is, and what Pillow alone does not read: HEIC, DICOM, colours of 16 bits.

It needs NumPy and Pillow alone, since its source goes into each exported script; pillow-heif,
pydicom and OpenCV are used where they are installed.
"""

import io
import threading
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM", "HEIF"),
    "TGA",  # last: it has no signature
)

# Where it begins, how, the format, and the extra of this library that reads it.
SIGNATURES = (
    (128, b"DICM", "DICOM", "dicom"),
    (4, b"ftypavif", "AVIF", ""),
    (4, b"ftypavis", "AVIF", ""),
    *((4, b"ftyp" + brand, "HEIC", "heif") for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    (4, b"ftyp", "a film (MP4, MOV)", ""),
    (0, b"\x1aE\xdf\xa3", "a film (MKV, WebM)", ""),
    (0, b"8BPS", "PSD", ""),
    (0, b"%PDF", "PDF", ""),
    (0, b"%!PS", "EPS", ""),
    (0, b"<svg", "SVG", ""),
    (0, b"<?xml", "SVG or XML", ""),
    (0, b"\xff\x0a", "JPEG XL", ""),
    (4, b"JXL ", "JPEG XL", ""),
    (0, b"v/1\x01", "OpenEXR", ""),
    (0, b"\0\0\x01\0", "ICO", ""),
    (0, b"PK\x03\x04", "ZIP", ""),
)

_LIMIT = threading.Lock()

Image.init()


class UnreadableError(ValueError):
    """A file that is no picture, or a picture that cannot be used; the text says why."""


def open_picture(content: bytes, max_pixels: int) -> Image.Image:
    """Open a picture without decoding its pixels, once its format and size are allowed.

    Raises:
        UnreadableError: it is empty, of no known format, or has too many pixels.
    """
    if not content:
        raise UnreadableError("the file is empty")
    known = (one for one in SIGNATURES if content[one[0] :].startswith(one[1]))
    _, _, name, extra = next(known, (0, b"", "", ""))
    if name == "DICOM":
        return _dicom(content, max_pixels)
    if name == "HEIC":
        _register_heif()
    too_many = f"it has more pixels than {max_pixels:,}"
    try:
        picture = _identified(content, max_pixels)
    except UnidentifiedImageError:
        known = {"HEIC": "HEIF"}.get(name, name) in _formats()
        raise UnreadableError("damaged" if known else _not_read(name, extra)) from None
    except Image.DecompressionBombError:
        raise UnreadableError(too_many) from None
    except Exception as error:  # a damaged header can raise anything
        raise UnreadableError(f"damaged: {error}") from None
    if picture.width * picture.height > max_pixels:
        raise UnreadableError(too_many)
    return picture


def to_8_bits(values: np.ndarray, levels: tuple[float, float] | None, largest) -> np.ndarray:
    """Values scaled so that levels become 0 and 255; an alpha channel by its whole range."""
    alpha = values.ndim == 3 and values.shape[-1] in (2, 4)
    colours = np.nan_to_num(values[..., :-1] if alpha else values, nan=0, posinf=0, neginf=0)
    if levels is None and largest is None:  # floating point: the picture's own extremes
        levels = float(colours.min()), float(colours.max())
    low, high = levels or (0, largest)
    scaled = (np.clip(colours.astype("float64"), low, high) - low) * (255 / ((high - low) or 1))
    scaled = scaled.round().astype("uint8")
    if not alpha:
        return scaled
    return np.concatenate([scaled, (values[..., -1:] // 257).astype("uint8")], axis=-1)


def has_deep_colours(picture: Image.Image) -> bool:
    """Whether colours have 16 bits in the file of a picture that is not yet decoded."""
    return picture.mode in ("RGB", "RGBA", "LA") and ";16" in str(getattr(picture, "tile", ""))


def deep_colours(picture: Image.Image, content: bytes) -> np.ndarray | None:
    """Colours of 16 bits, of which Pillow keeps 8, by OpenCV.

    Returns:
        uint16, (H, W, channels); None where there are none, or no OpenCV.
    """
    if not has_deep_colours(picture):
        return None
    try:
        import cv2
    except ImportError:
        return None
    values = cv2.imdecode(np.frombuffer(content, "uint8"), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return None
    return values[..., [2, 1, 0, 3][: values.shape[-1]]]


def _identified(content: bytes, max_pixels: int) -> Image.Image:
    """What Pillow says it is; our limit of pixels counts, also above Pillow's own."""
    formats = _formats()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(content), formats=formats)
        except Image.DecompressionBombError:
            if max_pixels <= 2 * (Image.MAX_IMAGE_PIXELS or 0):
                raise
        with _LIMIT:
            limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                return Image.open(io.BytesIO(content), formats=formats)
            finally:
                Image.MAX_IMAGE_PIXELS = limit


def _formats() -> list[str]:
    """Those of our formats that Pillow reads here."""
    return [name for name in FORMATS if name in Image.OPEN]


def _not_read(name: str, extra: str) -> str:
    if extra:
        return f"{name} is not read: pip install 'keras-model-recipes[{extra}]'"
    if name:
        return f"{name} is not read"
    return "not a picture, or of a format that is not read"


def _register_heif() -> None:
    """Teach Pillow HEIC where pillow-heif is installed."""
    if "HEIF" not in Image.OPEN:
        try:
            import pillow_heif
        except ImportError:
            return
        pillow_heif.register_heif_opener()


def _dicom(content: bytes, max_pixels: int) -> Image.Image:
    """The first frame of a DICOM file: by its window in 8 bits, otherwise its values."""
    try:
        import pydicom
        from pydicom.pixels import apply_color_lut, pixel_array
    except ImportError:
        raise UnreadableError(_not_read("DICOM", "dicom")) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(io.BytesIO(content))
            pixels = data.Rows * data.Columns
        except Exception as error:  # a damaged file can raise anything
            raise UnreadableError(f"damaged: {error}") from None
        if pixels > max_pixels:
            raise UnreadableError(f"it has more pixels than {max_pixels:,}")
        try:
            values = pixel_array(data, index=0)
            if data.PhotometricInterpretation == "PALETTE COLOR":
                values = apply_color_lut(values, data)
            if values.ndim == 2:
                values = _gray_of_dicom(values, data)
            elif values.dtype != np.uint8:
                values = to_8_bits(values, None, 0xFFFF)
            picture = Image.fromarray(values)
        except Exception as error:
            raise UnreadableError(f"damaged: {error}") from None
    picture.format = "DICOM"
    return picture


def _gray_of_dicom(values: np.ndarray, data) -> np.ndarray:
    """Values as the file wants them seen: uint8 by its window; float32 where it names none.

    Source:
        DICOM PS3.3, C.11.1 (modality LUT), C.11.2 (window), C.7.6.3.1.2 (photometric).
    """
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    bits, signed = int(data.BitsStored), bool(data.PixelRepresentation)
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1])
    values = apply_modality_lut(values, data)
    ends = np.sort(apply_modality_lut(ends.astype("int64"), data).astype("float64"))
    windowed = "WindowCenter" in data or "VOILUTSequence" in data
    if windowed:
        values = apply_voi_lut(values, data, prefer_lut=False).astype("float64")
        far = np.array([-1e9, 1e9]) if "WindowCenter" in data else ends.astype("int64")
        ends = np.sort(apply_voi_lut(far, data, prefer_lut=False).astype("float64"))
    if data.PhotometricInterpretation == "MONOCHROME1":
        values = ends.sum() - values
    if windowed or ends.tolist() == [0, 255]:
        return to_8_bits(values, tuple(ends), None)
    return values.astype("float32")
