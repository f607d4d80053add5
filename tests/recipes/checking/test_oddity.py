"""Odd pictures: each kind by an example, and photos that are not odd."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images

from recipes.checking.oddity import WORDS, in_words, oddities

PHOTOS = [Image.fromarray(photo) for photo in load_sample_images().images]
RNG = np.random.default_rng(0)


def words_of(picture, image_size=224):
    pixels = np.asarray(picture.convert("RGB").resize((image_size, image_size)))
    found = oddities(pixels[None], np.array([picture.size]))[0]
    return [word for word, odd in zip(WORDS, found, strict=True) if odd]


@pytest.mark.parametrize("image_size", [32, 97, 224])
@pytest.mark.parametrize("number", range(len(PHOTOS)))
def test_a_photo_is_not_odd(number, image_size):
    assert words_of(PHOTOS[number], image_size) == []


def darkened(photo, factor, lift=0):
    return Image.fromarray((np.asarray(photo) * factor + lift).astype("uint8"))


ODD = {
    "dark": (lambda photo: darkened(photo, 0.2), ["dark"]),
    "bright": (lambda photo: darkened(photo, 0.05, 243), ["bright"]),
    "blurred": (lambda photo: photo.filter(ImageFilter.GaussianBlur(14)), ["blurred"]),
    "defocused": (lambda photo: photo.filter(ImageFilter.BoxBlur(24)), ["blurred"]),
    "gray": (lambda photo: Image.new("RGB", (300, 200), (90, 90, 90)), ["one colour"]),
    "red": (lambda photo: Image.new("RGB", (300, 200), "red"), ["one colour"]),
    "black": (lambda photo: Image.new("RGB", (300, 200)), ["dark", "one colour"]),
    "white": (lambda photo: Image.new("RGB", (300, 200), "white"), ["bright", "one colour"]),
    "tiny": (lambda photo: photo.resize((40, 31)), ["tiny"]),
    "a strip": (lambda photo: photo.crop((0, 0, 640, 200)), ["very long"]),
    "a tower": (lambda photo: photo.crop((300, 0, 440, 427)), ["very long"]),
}


@pytest.mark.parametrize("number", range(len(PHOTOS)))
@pytest.mark.parametrize("name", ODD)
def test_each_kind_is_told(name, number):
    change, expected = ODD[name]
    assert words_of(change(PHOTOS[number])) == expected


def test_a_small_picture_is_not_blurred_because_it_was_enlarged():
    assert words_of(PHOTOS[0].resize((100, 80)).filter(ImageFilter.GaussianBlur(2))) == []


def test_noise_and_a_drawing_are_not_odd():
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), "uint8"))
    lines = np.full((105, 105, 3), 255, "uint8")
    lines[20:85, 50:58] = lines[50:58, 20:85] = 0
    assert words_of(noise) == []
    assert words_of(Image.fromarray(lines)) == []


@pytest.mark.parametrize(("dark", "many"), [(5, 20), (10, 100), (6, 20), (11, 100), (9, 9)])
def test_what_many_pictures_have_is_said_once(dark, many):
    odd = np.zeros((many, len(WORDS)), bool)
    odd[:dark, 0] = True
    odd[0, 3] = True
    texts, notes = in_words(odd)
    common = dark > max(5, many / 10)
    assert (texts == "dark").sum() == (0 if common else dark - 1)
    assert texts[0] == ("blurred" if common else "dark, blurred")
    expected = [f"{dark} of {many} pictures are dark: not marked, since so many are."]
    assert notes == (expected if common else [])
