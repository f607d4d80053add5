import contextlib
import io
import json
import os
import resource
import time

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from PIL import ExifTags, Image, ImageColor, ImageOps

from recipes.images.decode import (
    RESIZE,
    Reading,
    decode,
    decode_bytes,
    ends_of,
    read_bytes,
    resized,
    values_of,
)
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


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_scaled_and_not_cut(kind):
    array = decode_bytes(pictures.GOOD[f"gray16.{kind}"])
    expected = np.arange(24 * 32).reshape(24, 32) * 85 // 257
    np.testing.assert_allclose(array[..., 0], expected, atol=1)


@pytest.mark.parametrize("name", ["alpha.png", "alpha.webp"])
def test_transparent_parts_are_white(name):
    array = decode_bytes(pictures.GOOD[name]).astype(int)
    alpha = np.tile(np.arange(0, 256, 8), (24, 1))[..., None] / 255
    expected = pictures.PIXELS * alpha + 255 * (1 - alpha)
    np.testing.assert_allclose(array, expected, atol=2)


@pytest.mark.parametrize("name", ["animated.gif", "animated.webp"])
def test_an_animation_gives_its_first_frame(name):
    assert decode_bytes(pictures.GOOD[name])[0, 0].tolist() == [255, 0, 0]


def test_a_large_jpeg_resized_is_close_to_the_full_decoding():
    x = np.linspace(0, 255, 900)
    smooth = np.stack(
        [np.tile(x, (700, 1)), np.tile(x[:700, None], (1, 900)), np.full((700, 900), 99)]
    )
    picture = Image.fromarray(smooth.transpose(1, 2, 0).astype("uint8"))
    content = pictures.encoded(picture, "JPEG", quality=95)
    full = picture.resize((96, 64), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(
        decode_bytes(content, (64, 96)).astype(int), np.asarray(full), atol=4
    )


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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(1155, 866), (1633, 1225), (801, 4000), (300, 200)])
@pytest.mark.parametrize("target", [(224, 224), (96, 160)])
def test_a_reduced_jpeg_lies_where_the_whole_one_does(orientation, size, target):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (45, 60, 3), "uint8"))
    picture = noise.resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95, exif=exif)
    whole = ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue()))).convert("RGB")
    expected = np.asarray(whole.resize(target[::-1], Image.Resampling.BICUBIC), "float32")
    found = decode_bytes(file.getvalue(), target).astype("float32")
    assert found.shape == (*target, 3)
    assert np.abs(found - expected).mean() < 2.5


# How a picture of 40 by 20 with a red left end, a green middle and a blue right end is shown.
STRIPES = np.zeros((20, 40, 3), "uint8")
STRIPES[:, :10, 0] = STRIPES[:, 10:30, 1] = STRIPES[:, 30:, 2] = 255
SHOWN = {
    "squash": ["red"] * 5 + ["lime"] * 10 + ["blue"] * 5,
    "crop": ["lime"] * 20,
    "pad": ["red"] * 5 + ["lime"] * 10 + ["blue"] * 5,
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("resize", SHOWN)
def test_a_picture_becomes_square_in_the_way_that_is_named(resize, kind, turned):
    picture = Image.fromarray(STRIPES if not turned else STRIPES.transpose(1, 0, 2))
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    content = pictures.encoded(picture, kind, **options)
    found = decode_bytes(content, (20, 20), Reading(resize, "#ff00ff"))
    found = found.transpose(1, 0, 2) if turned else found
    line = np.array([ImageColor.getrgb(name) for name in SHOWN[resize]])
    inner = [k for k in range(20) if k % 5 not in (0, 4)]  # where no two colours meet
    np.testing.assert_allclose(found[10][inner], line[inner], atol=6)
    margin = found[[0, 1, 2, 3, 4, 15, 16, 17, 18, 19]]
    assert (np.abs(margin - np.array([255, 0, 255])).max() == 0) == (resize == "pad")


@settings(max_examples=300, deadline=None)
@example(size=(3, 27), target=(1, 13), resize="crop")  # rounding once put its edge below zero
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    target=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    resize=st.sampled_from(RESIZE),
)
def test_resizing_is_what_pillow_s_own_fitting_and_padding_give(size, target, resize):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), "uint8"))
    found = resized(picture, target[::-1], Reading(resize, "black"))
    bicubic = Image.Resampling.BICUBIC
    theirs = {
        "squash": lambda: picture.resize(target, bicubic, reducing_gap=2.0),
        "crop": lambda: ImageOps.fit(picture, target, bicubic),
        "pad": lambda: ImageOps.pad(picture, target, bicubic, color="black"),
    }[resize]()
    assert found.size == target
    exact = resize == "squash" or max(size[i] / target[i] for i in (0, 1)) < 2
    if exact and resize != "pad":  # ImageOps places an odd margin at another side
        assert np.abs(np.asarray(found, int) - np.asarray(theirs, int)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("resize", ["pad", "crop"])
@pytest.mark.parametrize("target", [(224, 224), (96, 160)])
def test_a_reduced_jpeg_is_placed_as_the_whole_one_is(orientation, resize, target):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (45, 60, 3), "uint8"))
    picture = noise.resize((1633, 1225), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = pictures.encoded(picture, "JPEG", quality=95, exif=exif)
    whole = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    reading = Reading(resize, "red")
    expected = np.asarray(resized(whole, target, reading), "float32")
    found = decode_bytes(content, target, reading).astype("float32")
    assert np.abs(found - expected).mean() < 2.5


@pytest.mark.parametrize("background", ["white", "black", "#10ff80"])
def test_what_is_transparent_shows_the_background(background):
    picture = Image.new("RGBA", (8, 8), (1, 2, 3, 0))
    content = pictures.encoded(picture, "PNG")
    colour = ImageColor.getrgb(background)
    assert decode_bytes(content, None, Reading(background=background))[0, 0].tolist() == [*colour]


def deep(bits, kind, dtype):
    """A ramp from 0 to the largest value of so many bits."""
    values = np.linspace(0, (1 << bits) - 1, 64 * 64).round().astype(dtype).reshape(64, 64)
    return values, pictures.encoded(Image.fromarray(values), kind)


@pytest.mark.parametrize(
    ("bits", "kind", "dtype"),
    [
        *((bits, kind, "uint16") for bits in range(9, 17) for kind in ("PNG", "TIFF", "PPM")),
        (12, "TIFF", "int32"),
        (14, "TIFF", "float32"),
    ],
)
def test_levels_keep_all_gray_values_whatever_the_bits(bits, kind, dtype):
    values, content = deep(bits, kind, dtype)
    low, high = ends_of(values_of(open_picture(content, 10**6), content))
    assert high == pytest.approx((1 << bits) - 1, rel=0.01)
    found = decode_bytes(content, None, Reading(levels=(low, high)))[..., 0]
    assert len(np.unique(found)) == 256
    np.testing.assert_allclose(found, values / values.max() * 255, atol=2)


def test_values_below_zero_are_kept_with_levels():
    values = np.linspace(-1024, 3071, 64 * 64, dtype="float32").reshape(64, 64)
    for dtype in ("float32", "int32"):
        content = pictures.encoded(Image.fromarray(values.astype(dtype)), "TIFF")
        found = decode_bytes(content, None, Reading(levels=(-1024, 3071)))[..., 0]
        np.testing.assert_allclose(found, (values + 1024) / 4095 * 255, atol=1)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_colours_of_sixteen_bits_are_kept(kind, channels):
    cv2 = pytest.importorskip("cv2")
    ramp = np.linspace(0, 1023, 64 * 64).astype("uint16").reshape(64, 64)
    values = np.stack([ramp, ramp[::-1], ramp.T, np.full_like(ramp, 65_535)], -1)[..., :channels]
    ok, encoded = cv2.imencode(kind, values[..., [2, 1, 0, 3][:channels]])
    assert ok
    content = encoded.tobytes()
    found = decode_bytes(content, None, Reading(levels=(0, 1023)))
    np.testing.assert_allclose(found, values[..., :3] / 1023 * 255, atol=1)


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
