"""Pictures become as wide and high as the model's, wherever they are made smaller on the way."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from PIL import ExifTags, Image, ImageColor, ImageOps

from recipes.images.decode import RESIZE, Reading, decode_bytes, resized
from tests.recipes.images import pictures


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
