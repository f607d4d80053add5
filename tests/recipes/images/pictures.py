"""Odd and hostile picture files, each written the way that it occurs in the wild."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 32, 3), dtype="uint8")
RGB = Image.fromarray(PIXELS)
GRAY = RGB.convert("L")


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def rotated(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(RGB, "JPEG", exif=exif, quality=95)


def bomb(side: int = 20_000) -> bytes:
    """A PNG of one colour whose header is a few hundred kilobytes for hundreds of megapixels."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    row = b"\0" * (1 + -(-side // 8))
    data = zlib.compress(row * side, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)


def with_alpha() -> Image.Image:
    picture = RGB.convert("RGBA")
    picture.putalpha(Image.fromarray(np.tile(np.arange(0, 256, 8, dtype="uint8"), (24, 1))))
    return picture


GRAY16 = Image.fromarray((np.arange(24 * 32).reshape(24, 32) * 85).astype("uint16"))

# name of the file: its content
GOOD = {
    "plain.png": encoded(RGB, "PNG"),
    "plain.jpg": encoded(RGB, "JPEG"),
    "plain.bmp": encoded(RGB, "BMP"),
    "plain.gif": encoded(RGB, "GIF"),
    "plain.webp": encoded(RGB, "WEBP", lossless=True),
    "plain.tiff": encoded(RGB, "TIFF"),
    "plain.ppm": encoded(RGB, "PPM"),
    "plain.tga": encoded(RGB, "TGA"),
    "plain.jp2": encoded(RGB, "JPEG2000", irreversible=False),
    "plain.avif": encoded(RGB, "AVIF"),
    "UPPER.JPG": encoded(RGB, "JPEG"),
    "other_ending.jfif": encoded(RGB, "JPEG"),
    "no_ending": encoded(RGB, "PNG"),
    "wrong_ending.jpg": encoded(RGB, "PNG"),
    "gray.jpg": encoded(GRAY, "JPEG"),
    "gray_alpha.png": encoded(with_alpha().convert("LA"), "PNG"),
    "gray16.png": encoded(GRAY16, "PNG"),
    "gray16.tiff": encoded(GRAY16, "TIFF"),
    "one_bit.png": encoded(GRAY.convert("1"), "PNG"),
    "palette.png": encoded(RGB.convert("P"), "PNG"),
    "palette_transparent.png": encoded(RGB.convert("P"), "PNG", transparency=0),
    "alpha.png": encoded(with_alpha(), "PNG"),
    "alpha.webp": encoded(with_alpha(), "WEBP", lossless=True),
    "cmyk.jpg": encoded(RGB.convert("CMYK"), "JPEG"),
    "float.tiff": encoded(Image.fromarray(np.linspace(0, 1, 64, dtype="f4").reshape(8, 8)), "TIFF"),
    "progressive.jpg": encoded(RGB, "JPEG", progressive=True),
    "animated.gif": animated("GIF"),
    "animated.webp": animated("WEBP"),
    "one_pixel.png": encoded(Image.new("RGB", (1, 1), "red"), "PNG"),
    "thin.png": encoded(Image.new("RGB", (3000, 1), "red"), "PNG"),
    **{f"exif{orientation}.jpg": rotated(orientation) for orientation in range(1, 9)},
    "a name with spaces.png": encoded(RGB, "PNG"),
    "quotes'\".png": encoded(RGB, "PNG"),
    "new\nline.png": encoded(RGB, "PNG"),
    "emoji 🐱.png": encoded(RGB, "PNG"),
    "עברית.png": encoded(RGB, "PNG"),
    "comma,semicolon;.png": encoded(RGB, "PNG"),
}
BAD = {
    "empty.jpg": b"",
    "zeros.jpg": bytes(1000),
    "text.jpg": b"this is no picture\n" * 50,
    "page.png": b"<html><body>404</body></html>",
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "document.pdf": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "photo.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "photo.avif": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(200),
    "postscript.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "icon.ico": encoded(RGB, "ICO"),
    "truncated.jpg": encoded(RGB, "JPEG")[:-300],
    "truncated.png": encoded(RGB, "PNG")[:-300],
    "truncated.gif": encoded(RGB, "GIF")[:200],
    "truncated.bmp": encoded(RGB, "BMP")[:-300],
    "truncated.webp": encoded(RGB, "WEBP")[:-100],
    "truncated.tiff": encoded(RGB, "TIFF")[:-1000],
    "header_only.jpg": encoded(RGB, "JPEG")[:20],
    "bomb.png": bomb(),
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    ".DS_Store": b"\0\0\0\1Bud1" + bytes(100),
    ".hidden.png": encoded(RGB, "PNG"),
}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def make_classes(folder: Path, count: int, classes=("cat", "dog"), side: int = 32) -> Path:
    """Easy pictures: each class has a colour of its own, with noise."""
    rng = np.random.default_rng(1)
    for index, name in enumerate(classes):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 80, (side, side, 3))
            pixels[..., index % 3] += 150
            Image.fromarray(pixels.astype("uint8")).save(place / f"{number:03d}.png")
    return folder


def special_files(folder: Path) -> list[str]:
    """Entries that are no regular files; the names of those that could be made."""
    folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / "pipe.png")
    (folder / "broken_link.png").symlink_to("nowhere.png")
    (folder / "self.png").symlink_to("self.png")
    (folder / "loop").symlink_to("..", target_is_directory=True)
    return ["pipe.png", "broken_link.png", "self.png", "loop"]


def read(folder: Path, files) -> np.ndarray:
    """Pictures of one size as an array, (n, H, W, 3)."""
    opened = (Image.open(folder / file) for file in files)
    return np.stack([np.asarray(picture.convert("RGB")) for picture in opened])


def pairs_of_digits(folder: Path, count: int) -> tuple[Path, list[tuple[int, int]]]:
    """Two of scikit-learn's digits 0, 1 and 2 side by side, each picture 32 pixels a side.

    Returns:
        The folder, with `000.png`, `001.png`, …; and the digits of each picture.
    """
    digits = load_digits(n_class=3)
    rng = np.random.default_rng(3)
    chosen = rng.integers(0, len(digits.target), (count, 2))
    folder.mkdir(parents=True, exist_ok=True)
    for number, pair in enumerate(chosen):
        both = np.concatenate(list(digits.images[pair]), axis=1) * 15.9
        picture = Image.fromarray(both.astype("uint8")).convert("RGB").resize((32, 32))
        picture.save(folder / f"{number:03d}.png")
    return folder, [tuple(pair) for pair in digits.target[chosen].tolist()]
