"""Pictures in memory are read as the files that they are, or were opened from."""

import io
import zipfile
from collections import UserDict
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from recipes.images.decode import Reading, decode_bytes
from recipes.images.formats import UnreadableError
from recipes.images.memory import listed
from tests.recipes.images import pictures

SIZE = (24, 20)
RNG = np.random.default_rng(0)
LARGE = Image.fromarray(RNG.integers(0, 256, (333, 501, 3), "uint8"))
DEEP = RNG.integers(0, 65_536, (50, 40, 3), "uint16")


def turned(form, orientation, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return pictures.encoded(LARGE.resize((40, 20)), form, exif=exif, **options)


FILES = {
    **pictures.GOOD,
    "large.jpg": pictures.encoded(LARGE, "JPEG"),
    "deep.png": cv2.imencode(".png", DEEP)[1].tobytes(),
    "deep.tiff": cv2.imencode(".tiff", DEEP)[1].tobytes(),
    **{f"turned {form}": turned(form, 6) for form in ("TIFF", "PNG", "WEBP", "AVIF")},
    "turned packed TIFF": turned("TIFF", 8, compression="tiff_deflate"),
}
# What Pillow leaves out once it has decoded.
LESS_WHEN_DECODED = ("large.jpg", "deep.png", "deep.tiff")
READINGS = {
    "as it is": Reading(),
    "padded": Reading(resize="pad", background="#102030"),
    "cropped": Reading(resize="crop", background="black"),
    "levels": Reading(levels=(500.0, 4_000.0)),
}


def pixels_of(given, reading=READINGS["as it is"]):
    return [one.read(SIZE, reading) for one in listed(given)]


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", FILES)
def test_bytes_files_and_pillow_pictures_give_the_files_pixels(name, reading, tmp_path):
    content, how = FILES[name], READINGS[reading]
    expected = decode_bytes(content, SIZE, how)
    path = tmp_path / "picture"
    path.write_bytes(content)
    with path.open("rb") as file, Image.open(path) as opened:
        decoded = Image.open(io.BytesIO(content))
        given = [path, str(path), content, bytearray(content), memoryview(content), file]
        given += [io.BytesIO(content), opened, Image.open(io.BytesIO(content)), decoded, file]
        if name not in LESS_WHEN_DECODED:
            decoded.load()
        found = pixels_of(given, how)
    for pixels in found:
        np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("name", LESS_WHEN_DECODED)
def test_a_decoded_picture_gives_nearly_the_files_pixels(name):
    expected = decode_bytes(FILES[name], SIZE).astype("int64")
    picture = Image.open(io.BytesIO(FILES[name]))
    picture.load()
    (found,) = pixels_of(picture)
    assert 0 < np.abs(found - expected).mean() < 6
    np.testing.assert_array_equal(found, pixels_of(picture)[0])


def test_a_pillow_picture_stays_as_it_was():
    picture = Image.open(io.BytesIO(FILES["large.jpg"]))
    pixels_of([picture, picture])
    assert picture.tile  # not decoded
    np.testing.assert_array_equal(
        np.asarray(picture), np.asarray(Image.open(io.BytesIO(FILES["large.jpg"])))
    )


def test_what_was_done_to_a_pillow_picture_counts():
    flipped = ImageOps.mirror(pictures.RGB)
    np.testing.assert_array_equal(
        pixels_of(flipped)[0], np.asarray(flipped.resize(SIZE[::-1], 3, reducing_gap=2.0))
    )
    small = Image.open(io.BytesIO(FILES["large.jpg"]))
    small.draft("L", (60, 40))
    gray = pixels_of(small)[0]
    assert (gray[..., :1] == gray).all()
    frames = Image.open(io.BytesIO(pictures.GOOD["animated.gif"]))
    frames.seek(1)
    second = pixels_of(frames)[0]
    assert not np.array_equal(second, decode_bytes(pictures.GOOD["animated.gif"], SIZE))


ARRAYS = {
    "gray": (RNG.integers(0, 256, (9, 7), "uint8"), "L"),
    "gray, a channel": (RNG.integers(0, 256, (9, 7, 1), "uint8"), "L"),
    "colours": (RNG.integers(0, 256, (9, 7, 3), "uint8"), "RGB"),
    "alpha": (RNG.integers(0, 256, (9, 7, 4), "uint8"), "RGBA"),
    "a view": (RNG.integers(0, 256, (14, 9, 3), "uint8").transpose(1, 0, 2)[::-1, ::2], "RGB"),
}


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int64", "float16", "float64"])
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_read_as_the_file_of_its_pixels(name, kind):
    array, mode = ARRAYS[name]
    plain = array[..., 0] if array.shape[2:] == (1,) else array
    file = pictures.encoded(Image.fromarray(np.ascontiguousarray(plain)), "PNG")
    assert Image.open(io.BytesIO(file)).mode == mode
    how = READINGS["padded"]
    (found,) = pixels_of(array.astype(kind), how)
    np.testing.assert_array_equal(found, decode_bytes(file, SIZE, how))


def test_an_array_of_several_is_as_many_pictures():
    stack = RNG.integers(0, 256, (3, 9, 7, 3), "uint8")
    for given in (stack, list(stack), tuple(stack), iter(stack), [stack[:2], stack[2]]):
        found = listed(given)
        assert [one.name for one in found] == ["picture 1", "picture 2", "picture 3"]
        for one, array in zip(found, stack, strict=True):
            np.testing.assert_array_equal(one.read(SIZE, Reading()), pixels_of(array)[0])


def test_a_mixed_list_keeps_its_order_and_names_pictures_by_their_place(tmp_path):
    folder = pictures.write(tmp_path / "more", {"b.png": FILES["plain.png"], "a.png": b"x"})
    given = [pictures.RGB, folder, FILES["plain.jpg"], str(folder / "b.png")]
    names = ["picture 1", str(folder / "a.png"), str(folder / "b.png"), "picture 4"]
    assert [one.name for one in listed(given)] == [*names, str(folder / "b.png")]
    assert [one.name for one in listed(pd.Series([str(folder / "b.png")]))] == names[2:3]
    assert [one.name for one in listed(np.array([str(folder)]))] == names[1:3]


class Unreadable(io.RawIOBase):
    def read(self, size=-1):
        raise OSError("the line is dead")


class Texts:
    def read(self, size=-1):
        return "text"


def closed(thing):
    thing.close()
    return thing


def cut():
    return Image.open(io.BytesIO(pictures.BAD["truncated.png"]))


UNREADABLE = {
    "no bytes": (b"", "the file is empty"),
    "no picture": (b"text", "not a picture"),
    "dead": (Unreadable(), "the line is dead"),
    "texts": (Texts(), "gives str, not bytes"),
    "closed file": (closed(io.BytesIO(FILES["plain.png"])), "closed file"),
    "closed picture": (closed(Image.open(io.BytesIO(FILES["plain.png"]))), "damaged"),
    "cut picture": (cut(), "damaged"),
    "cut JPEG": (Image.open(io.BytesIO(pictures.BAD["truncated.jpg"])), "damaged"),
    "no pixels": (Image.new("RGB", (0, 5)), "no pixels"),
    "too many": (Image.new("1", (50_000, 20_000)), "more pixels than"),
    "too many in an array": (np.broadcast_to(np.uint8(9), (20_000, 20_000)), "more pixels than"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_says_why(name):
    thing, text = UNREADABLE[name]
    (one,) = listed([thing])
    with pytest.raises(UnreadableError, match=text):
        one.read(SIZE, Reading())


REFUSED = {
    "empty list": ([], "pictures: there are none"),
    "empty array": (np.zeros((0, 8, 8, 3), "uint8"), "pictures: there are none"),
    "empty path": ("", "pictures: the path is empty"),
    "empty path in a list": ([pictures.RGB, " "], r"pictures\[1\]: the path is empty"),
    "nothing": (None, "pictures: NoneType is not a picture"),
    "number": (7, "pictures: int is not a picture"),
    "numbers": ([1, 2], r"pictures\[0\]: int is not a picture"),
    "list in a list": ([[pictures.RGB]], r"pictures\[0\]: list is not a picture"),
    "dictionary": ({"a": b"x"}, "pictures: dict is not a picture"),
    "mapping": (UserDict(a=b"x"), "pictures: UserDict is not a picture"),
    "missing path": (pd.Series(["setup.cfg", None], dtype=object), r"pictures\[1\]: NoneType"),
    "0 to 1": (np.full((8, 8, 3), 0.5), "pictures: the values lie between 0.5 and 0.5"),
    "one of 0 to 1": ([np.ones((8, 8), "f4")], r"pictures\[0\]: the values lie between 1 and 1"),
    "negative": (np.full((8, 8, 3), -1), "between -1 and -1; 0 to 255"),
    "16 bits": (np.full((8, 8), 4_000, "uint16"), "between 4000 and 4000"),
    "not a number": (np.full((8, 8), np.nan), "between nan and nan"),
    "truths": (np.ones((8, 8), bool), "are bool, not numbers"),
    "complex": (np.ones((8, 8), complex), "are complex128, not numbers"),
    "texts": (np.full((8, 8), "a"), "are <U1, not numbers"),
    "two channels": (np.zeros((8, 8, 2)), r"not \(8, 8, 2\)"),
    "channels first": (np.zeros((3, 8, 8)), r"not \(3, 8, 8\)"),
    "a row": (np.zeros(8), r"not \(8,\)"),
    "a number alone": (np.array(8), r"not \(\)"),
    "five axes": (np.zeros((1, 1, 8, 8, 3)), r"not \(1, 1, 8, 8, 3\)"),
    "no height": (np.zeros((0, 8, 3)), "have no pixels"),
    "open for text": (io.StringIO("x"), "open it for bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused_by_name(name):
    given, text = REFUSED[name]
    with pytest.raises(ValueError, match=rf"^pictures.*{text.removeprefix('pictures')}"):
        listed(given)


def test_a_table_is_refused():
    with pytest.raises(ValueError, match=r"^pictures"):
        listed([pd.DataFrame({"file": ["a.png"]})])


@pytest.mark.parametrize("given", ["gone.png", Path("gone.png"), ["setup.cfg", "gone.png"]])
def test_a_path_that_is_not_there_is_named(given):
    with pytest.raises(FileNotFoundError, match=r"^pictures.*gone.png does not exist"):
        listed(given)


def test_black_is_black_in_every_type_of_numbers():
    for kind in ("uint8", "float32"):
        assert pixels_of(np.zeros((8, 8, 3), kind))[0].max() == 0


class Stream:
    """Bytes as they come over a line: once, and only forward."""

    def __init__(self, content):
        self.rest = content

    def read(self, size):
        content, self.rest = self.rest, b""
        return content


def test_a_stream_that_cannot_go_back_and_a_member_of_an_archive_are_read(tmp_path):
    expected = decode_bytes(FILES["plain.png"], SIZE)
    np.testing.assert_array_equal(pixels_of(Stream(FILES["plain.png"]))[0], expected)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", FILES["plain.png"])
    with zipfile.ZipFile(tmp_path / "a.zip").open("a.png") as member:
        np.testing.assert_array_equal(pixels_of(member)[0], expected)
