"""The script beside an exported file sees a picture as training does."""

import numpy as np
import pytest
from PIL import Image

from recipes.export.script import answer, decode
from recipes.images import decode as training
from recipes.tasks import from_dict
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


@pytest.mark.parametrize(
    ("task", "outputs", "thresholds", "expected"),
    [
        ("multiclass", [0.1, 0.7, 0.2], None, ("b", "0.7000")),
        ("binary", [0.3], None, ("a", "0.7000")),
        ("binary", [0.3], [0.2], ("b", "0.3000")),
        ("multilabel", [0.1, 0.7, 0.6], None, ("b;c", "0.1000", "0.7000", "0.6000")),
        ("multilabel", [0.2, 0.7, 0.6], [0.1, 0.8, 0.5], ("a;c", "0.2000", "0.7000", "0.6000")),
        ("multilabel", [0.1, 0.2, 0.3], None, ("", "0.1000", "0.2000", "0.3000")),
    ],
)
def test_its_answer_is_what_the_task_says(task, outputs, thresholds, expected):
    classes = ["a", "b"] if task == "binary" else ["a", "b", "c"]
    labels = {"task": task, "classes": classes, "thresholds": thresholds}
    given = {name: value for name, value in labels.items() if value is not None}
    assert answer(np.array(outputs), given) == expected
    ours = from_dict({"name": given.pop("task"), **given})
    assert ours.answers(np.array([outputs]), top_k=1).iloc[0, 0] == expected[0]
