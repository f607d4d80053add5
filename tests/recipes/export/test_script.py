"""The script beside an exported file sees a picture as training does."""

import numpy as np
import pytest
from PIL import Image

from recipes.export.script import answer, decode
from recipes.images import decode as training
from tests.recipes.images import pictures


@pytest.mark.parametrize("size", [(10, 8), (32, 24), (7, 50)])
@pytest.mark.parametrize("name", pictures.GOOD)
def test_it_decodes_as_training_does(name, size, tmp_path):
    (tmp_path / "picture").write_bytes(pictures.GOOD[name])
    expected = training.decode(tmp_path / "picture", size[::-1])
    np.testing.assert_array_equal(decode(tmp_path / "picture", size), expected)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_leave_a_picture_as_it_is_stored(damaged_exif, tmp_path):
    (tmp_path / "damaged.jpg").write_bytes(damaged_exif)
    (tmp_path / "plain.jpg").write_bytes(pictures.encoded(pictures.RGB, "JPEG", quality=95))
    found = decode(tmp_path / "damaged.jpg", (10, 8))
    np.testing.assert_array_equal(found, decode(tmp_path / "plain.jpg", (10, 8)))
    np.testing.assert_array_equal(found, training.decode(tmp_path / "damaged.jpg", (8, 10)))


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_it_reduces_large_pictures_as_training_does(kind, orientation, tmp_path):
    path = tmp_path / f"large.{kind}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pictures.PIXELS).resize((1001, 903)).save(path, exif=exif)
    np.testing.assert_array_equal(decode(path, (64, 60)), training.decode(path, (60, 64)))


def test_its_answer_is_the_likeliest_class():
    probabilities = np.array([0.1, 0.7, 0.2])
    assert answer(probabilities, {"classes": ["a", "b", "c"]}) == ("b", "0.7000")
