import numpy as np
import pytest
from PIL import Image

from recipes import scan
from recipes.images.arrays import Arrays
from recipes.images.decode import Reading, resized
from recipes.images.parts import ArrayCache, Collection
from recipes.settings import DataSettings
from recipes.tasks import Multiclass, Multilabel

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 10, 12, 3), "uint8")
LABELS = np.arange(24) % 3


def decoded(pictures, labels, tmp_path, size=(10, 12), **options):
    found = Collection.open((pictures, labels), DataSettings(**options), verbose=False)
    return found, *found.decoded(size, ArrayCache(tmp_path), verbose=False)


GRAY = PIXELS[..., :1]
KINDS = {
    "uint8": (PIXELS, PIXELS),
    "floats to 255": (PIXELS.astype("float32"), PIXELS),
    "floats between": (PIXELS.clip(1, 254) + 0.3, PIXELS.clip(1, 254)),
    "integers": (PIXELS.astype("int64"), PIXELS),
    "0 and 1": ((PIXELS > 127).astype("uint8"), (PIXELS > 127).astype("uint8")),
    "gray": (GRAY[..., 0], GRAY.repeat(3, axis=-1)),
    "gray with a channel": (GRAY, GRAY.repeat(3, axis=-1)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_come_through_as_they_are(kind, tmp_path):
    given, expected = KINDS[kind]
    _, parts, frame = decoded(given, LABELS, tmp_path)
    for name, part in parts.items():
        rows = frame.loc[frame["part"] == name, "path"].astype(int)
        np.testing.assert_array_equal(part.pixels, expected[rows])
        np.testing.assert_array_equal(part.labels, LABELS[rows])
    assert sum(map(len, parts.values())) == 24


def test_other_sizes_are_pillows(tmp_path):
    _, parts, frame = decoded(PIXELS, LABELS, tmp_path, (16, 16))
    row = int(frame.loc[frame["part"] == "test", "path"].iloc[0])
    expected = np.asarray(resized(Image.fromarray(PIXELS[row]), (16, 16), Reading("crop")))
    np.testing.assert_array_equal(parts["test"].pixels[0], expected)


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype("float64") + 0.5, np.array(list("abc"))])
def test_labels_are_names(labels):
    labels = np.resize(labels, 24)
    frame = scan((PIXELS, labels), verbose=False)
    assert frame["class"].tolist() == [str(label) for label in labels.tolist()]
    assert frame["width"].eq(12).all()
    assert frame["height"].eq(10).all()


def test_one_hot_rows_are_one_label_each(tmp_path):
    found, parts, frame = decoded(PIXELS, np.eye(3)[LABELS], tmp_path)
    assert found.task == Multiclass(("0", "1", "2"))
    rows = frame.loc[frame["part"] == "train", "path"].astype(int)
    np.testing.assert_array_equal(parts["train"].labels, LABELS[rows])


def test_rows_of_0_and_1_are_any_number_of_labels(tmp_path):
    rows = RNG.integers(0, 2, (24, 4))
    rows[0] = 0
    found, parts, frame = decoded(PIXELS, rows, tmp_path)
    assert found.task == Multilabel(("0", "1", "2", "3"))
    for name, part in parts.items():
        places = frame.loc[frame["part"] == name, "path"].astype(int)
        np.testing.assert_array_equal(part.labels, rows[places])


def test_twelve_classes_are_in_the_order_of_numbers():
    labels = np.repeat(np.arange(1, 13), 4)
    pixels = RNG.integers(0, 256, (48, 8, 8, 3), "uint8")
    found = Collection.open((pixels, labels), DataSettings(), verbose=False)
    assert found.task.classes == tuple(str(number) for number in range(1, 13))


@pytest.mark.parametrize(
    ("pictures", "labels", "text"),
    [
        (PIXELS / 255, LABELS, "between 0 and 1; 0 to 255 is taken"),
        (PIXELS.astype("int64") - 1, LABELS, "between -1 and 254"),
        (PIXELS * 2.0, LABELS, "between 0 and 510"),
        (PIXELS * np.nan, LABELS, "between nan and nan"),
        (PIXELS[..., :2], LABELS, r"not \(24, 10, 12, 2\)"),
        (PIXELS[..., 0, 0], LABELS, r"not \(24, 10\)"),
        (PIXELS, LABELS[:-1], "24 pictures and 23 labels"),
        (PIXELS, np.eye(3)[LABELS] * 0.5, "are 0 or 1"),
        (PIXELS, np.zeros((24, 2, 2)), r"not \(24, 2, 2\)"),
        (PIXELS.astype(str), LABELS, "not numbers"),
    ],
)
def test_other_arrays_are_refused_with_what_came(pictures, labels, text):
    with pytest.raises(ValueError, match=r"^data: ") as caught:
        Arrays(pictures, labels)
    assert caught.match(text)


def test_labels_in_one_column_are_those_of_each_picture():
    labels = np.arange(len(PIXELS)) % 3
    one = scan((PIXELS, labels), verbose=False)
    column = scan((PIXELS, labels[:, None]), verbose=False)
    assert column["class"].tolist() == one["class"].tolist()
    assert not column.attrs["several_labels"]
