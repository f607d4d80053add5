"""Files become eight-bit RGB upright, or are refused with a reason."""

import contextlib
import io
import json
import os
import resource
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import ExifTags, Image, ImageColor, ImageOps

from recipes.images.decode import Reading, decode, decode_bytes, read_bytes
from recipes.images.formats import UnreadableError, open_picture
from tests.recipes.images import pictures


@pytest.mark.parametrize("name", pictures.GOOD)
def test_every_good_kind_is_eight_bit_rgb(name):
    array = decode_bytes(pictures.GOOD[name])
    assert array.dtype == np.uint8
    assert array.ndim == 3
    assert array.shape[2] == 3
    assert decode_bytes(pictures.GOOD[name], (8, 10)).shape == (8, 10, 3)


@pytest.mark.parametrize("name", [name for name in pictures.BAD if not name.startswith(".")])
def test_every_bad_kind_is_refused_with_a_reason(name):
    with pytest.raises(UnreadableError) as caught:
        decode_bytes(pictures.BAD[name])
    assert len(str(caught.value)) > 5


@pytest.mark.parametrize("kind", ["png", "bmp", "webp", "tiff"])
def test_lossless_files_give_the_pixels_that_went_in(kind):
    np.testing.assert_array_equal(decode_bytes(pictures.GOOD[f"plain.{kind}"]), pictures.PIXELS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_is_undone_as_pillow_does_it(orientation):
    content = pictures.rotated(orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(decode_bytes(content), expected)
    upright = orientation < 5
    assert decode_bytes(content).shape[:2] == ((24, 32) if upright else (32, 24))


@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP", "AVIF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_turned_once(form, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    y, x = np.mgrid[:24, :32] * 7
    picture = Image.fromarray(np.stack([x, y, 0 * x], axis=-1).astype("uint8"))
    content = pictures.encoded(picture, form, exif=exif, quality=95)
    expected = picture.copy()
    expected.getexif()[ExifTags.Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(expected), "int64")
    found = decode_bytes(content)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 8  # of 255; turned otherwise it is far more


@pytest.mark.parametrize("image_size", [None, (8, 8)])
@pytest.mark.parametrize("header", [b"\0M\0*\0\0\0\x08", b"MM\0*\0\0\0\xff"])
def test_damaged_exif_data_leave_a_picture_as_it_is_stored(header, image_size):
    damaged = pictures.rotated(6).replace(b"MM\0*\0\0\0\x08", header)
    plain = pictures.encoded(pictures.RGB, "JPEG", quality=95)
    expected = decode_bytes(plain, image_size)
    np.testing.assert_array_equal(decode_bytes(damaged, image_size), expected)


@pytest.mark.parametrize("name", ["alpha.png", "alpha.webp"])
def test_transparent_parts_are_white(name):
    array = decode_bytes(pictures.GOOD[name]).astype(int)
    alpha = np.tile(np.arange(0, 256, 8), (24, 1))[..., None] / 255
    expected = pictures.PIXELS * alpha + 255 * (1 - alpha)
    np.testing.assert_allclose(array, expected, atol=2)


@pytest.mark.parametrize("name", ["animated.gif", "animated.webp"])
def test_an_animation_gives_its_first_frame(name):
    assert decode_bytes(pictures.GOOD[name])[0, 0].tolist() == [255, 0, 0]


def test_a_bomb_is_refused_before_it_is_decoded():
    started = time.perf_counter()
    with pytest.raises(UnreadableError, match="more pixels than 100,000,000"):
        decode_bytes(pictures.bomb())
    assert time.perf_counter() - started < 5


def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableError, match="not a regular file"):
        read_bytes(tmp_path / "pipe.png")


def test_the_error_names_the_file(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(pictures.BAD["truncated.jpg"])
    with pytest.raises(UnreadableError, match=r"broken\.jpg: damaged"):
        decode(path)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(pictures.GOOD)),
    places=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=20),
    end=st.integers(0, 10_000),
)
def test_damage_gives_a_picture_or_a_reason(name, places, end):
    content = bytearray(pictures.GOOD[name])
    for place, value in places:
        content[place % len(content)] = value
    with contextlib.suppress(UnreadableError):
        array = decode_bytes(bytes(content[: max(end, 1)]), (8, 8), Reading(max_pixels=10**6))
        assert array.shape == (8, 8, 3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_damaged_pictures_do_no_harm():
    """Bytes flipped, cut, repeated and exchanged at random: a picture or a reason, in bounds."""
    rng = np.random.default_rng()
    contents = list(pictures.GOOD.values()) + list(pictures.BAD.values())
    outcomes = {"picture": 0, "reason": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        content = bytearray(contents[rng.integers(len(contents))] or b"0")[:200_000]
        for _ in range(rng.integers(1, 9)):
            place = int(rng.integers(len(content)))
            kind = rng.integers(4)
            if kind == 0:
                content[place] ^= 1 << int(rng.integers(8))
            elif kind == 1:
                content = content[: place + 1]
            elif kind == 2:
                content[place:place] = content[: int(rng.integers(1, 99))]
            else:
                content[place : place + 4] = rng.bytes(4)
        began = time.monotonic()
        try:
            picture = decode_bytes(bytes(content), (32, 32))
        except UnreadableError:
            outcomes["reason"] += 1
        else:
            assert picture.shape == (32, 32, 3)
            outcomes["picture"] += 1
        assert time.monotonic() - began < 20
    assert min(outcomes.values()) > 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000_000  # kB


@pytest.mark.parametrize("background", ["white", "black", "#10ff80"])
def test_what_is_transparent_shows_the_background(background):
    picture = Image.new("RGBA", (8, 8), (1, 2, 3, 0))
    content = pictures.encoded(picture, "PNG")
    colour = ImageColor.getrgb(background)
    assert decode_bytes(content, None, Reading(background=background))[0, 0].tolist() == [*colour]


def test_our_limit_of_pixels_counts_above_pillow_s_too():
    content = pictures.bomb(14_000)  # 196 megapixels, of which Pillow alone refuses to hear
    assert open_picture(content, 10**9).size == (14_000, 14_000)
    with pytest.raises(UnreadableError, match="more pixels than 190,000,000"):
        open_picture(content, 190_000_000)


@pytest.mark.parametrize(
    "values",
    [
        {"resize": "melt"},
        {"resize": None},
        {"background": "no colour"},
        {"background": 7},
        {"max_pixels": "many"},
        {"levels": [1]},
        {"levels": [2, 1]},
        {"levels": [0, float("nan")]},
        {"levels": "ab"},
        {"more": 1},
        [1],
        "text",
        None,
    ],
)
def test_a_damaged_description_is_one_error(values):
    with pytest.raises(ValueError, match=r"^reading: the description is damaged"):
        Reading.from_dict(values)


def test_a_description_comes_back():
    reading = Reading("crop", "#102030", 10**9, (-3.5, 7.0))
    assert Reading.from_dict(json.loads(json.dumps(reading.to_dict()))) == reading
