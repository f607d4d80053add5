"""From a source to parts: the task, the copies, the pixels."""

import numpy as np
import pandas as pd
import pytest

from recipes.images.parts import ArrayCache, Collection, content_key, joined_copies
from recipes.settings import DataSettings
from recipes.tasks import Binary, Multiclass, Multilabel
from tests.recipes.images import pictures


def frame_of(rows):
    columns = ["path", "class", "hash", "part"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(status="ok", reason="", group="")


def test_a_picture_in_several_class_folders_has_all_their_labels():
    frame = frame_of(
        [
            ("beach/1.png", "beach", "same", ""),
            ("boat/9.png", "boat", "same", ""),
            ("dog/4.png", "beach;dog", "same", ""),
            ("dog/5.png", "dog", "other", ""),
        ]
    )
    before = frame.copy()
    joined = joined_copies(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert joined["class"].tolist()[0] == "beach;boat;dog"
    assert joined["status"].tolist() == ["ok", "skipped", "skipped", "ok"]
    assert joined["reason"].tolist()[1] == "the same picture as beach/1.png, which has its labels"


def test_copies_with_the_same_labels_and_skipped_ones_stay_as_they_are():
    frame = frame_of(
        [
            ("a/1.png", "a", "same", ""),
            ("a/2.png", "a", "same", ""),
            ("b/3.png", "b", "bad", ""),
            ("c/3.png", "c", "bad", ""),
        ]
    )
    frame.loc[3, "status"] = "skipped"
    pd.testing.assert_frame_equal(joined_copies(frame), frame)


def test_copies_in_several_ready_made_parts_are_not_joined_over_the_parts():
    frame = frame_of([("train/a/1.png", "a", "x", "train"), ("test/b/1.png", "b", "x", "test")])
    assert joined_copies(frame)["class"].tolist() == ["a", "b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve pictures a class, four of which lie in both."""
    folder = pictures.make_classes(tmp_path_factory.mktemp("both"), 12)
    for number in range(4):
        name = f"{number:03d}.png"
        (folder / "dog" / f"copy {name}").write_bytes((folder / "cat" / name).read_bytes())
    return folder


def opened(data, **options):
    return Collection.open(data, DataSettings(**options), verbose=False)


def test_class_folders_may_hold_several_labels(folder):
    found = opened(folder, task="multilabel")
    assert found.task == Multilabel(("cat", "dog"))
    counts = found.frame[found.frame["status"] == "ok"]["class"].value_counts()
    assert counts.to_dict() == {"cat": 8, "dog": 12, "cat;dog": 4}
    assert found.summary()["task"] == "multilabel: any of cat, dog"


def test_with_one_label_a_picture_they_contradict_each_other(folder):
    found = opened(folder)
    assert found.task == Multiclass(("cat", "dog"))
    assert found.frame["status"].value_counts().to_dict() == {"ok": 20, "skipped": 8}
    assert found.summary()["skipped"].startswith("8: 8 the same picture is in the classes cat, dog")


@pytest.mark.parametrize(
    ("options", "task"),
    [
        ({"task": "binary"}, Binary(("cat", "dog"))),
        ({"task": "binary", "positive": "cat"}, Binary(("dog", "cat"))),
        ({"task": "binary", "threshold": 0.2}, Binary(("cat", "dog"), (0.2,))),
        ({"task": "multilabel", "threshold": 0.2}, Multilabel(("cat", "dog"), (0.2, 0.2))),
    ],
)
def test_the_task_is_as_it_was_asked_for(folder, options, task):
    assert opened(folder, **options).task == task


def test_the_key_tells_labels_parts_task_and_seed_apart(folder):
    keys = [
        opened(folder).key(),
        opened(folder, task="binary").key(),
        opened(folder, task="multilabel").key(),
        opened(folder, test=0.3).key(),
        Collection.open(folder, DataSettings(), seed=1, verbose=False).key(),
        opened(folder).key(image_size=96),
    ]
    assert len(set(keys)) == len(keys)
    assert opened(folder).key() == keys[0]


def test_the_order_of_pictures_is_part_of_their_key():
    frame = frame_of([("a", "x", "1", "train"), ("b", "y", "2", "train")])
    assert content_key(frame) != content_key(frame.iloc[::-1])


def test_parts_are_the_pictures_of_the_table_in_order(folder, tmp_path):
    found = opened(folder, task="multilabel")
    parts, frame = found.decoded((32, 32), ArrayCache(tmp_path), verbose=False)
    pd.testing.assert_frame_equal(frame, found.frame)
    for name, part in parts.items():
        rows = frame[frame["part"] == name]
        np.testing.assert_array_equal(part.pixels, pictures.read(folder, rows["path"]))
        np.testing.assert_array_equal(part.labels, found.task.encode(rows["class"].tolist()))
        assert len(part) == len(rows) > 0


def fill_with(value, calls):
    def fill(array):
        calls.append(value)
        array[:] = value

    return fill


def test_arrays_are_made_once_and_those_above_the_limit_in_files(tmp_path):
    calls = []
    cache = ArrayCache(tmp_path / "cache", memory_limit=40)
    small = cache.get("a", (10,), "float32", fill_with(1, calls))
    assert not (tmp_path / "cache").exists()
    large = cache.get("b", (10,), "float32", fill_with(2, calls))
    assert isinstance(large, np.memmap)
    assert large.dtype == "float16"
    bytes_ = cache.get("c", (10,), "uint8", fill_with(3, calls))
    assert isinstance(bytes_, np.memmap)
    assert (small.sum(), large.sum(), bytes_.sum()) == (10, 20, 30)
    assert cache.get("a", (10,), "float32", fill_with(9, calls)) is small
    assert calls == [1, 2, 3]
    again = ArrayCache(tmp_path / "cache", memory_limit=0)
    assert again.get("b", (10,), "float32", fill_with(9, calls)).sum() == 20
    assert calls == [1, 2, 3]


def test_a_file_without_its_note_or_of_another_shape_is_made_again(tmp_path):
    calls = []
    ArrayCache(tmp_path, 0).get("b", (10,), "uint8", fill_with(2, calls))
    ArrayCache(tmp_path, 0).get("b", (5,), "uint8", fill_with(3, calls))
    assert calls == [2, 3]
    next(tmp_path.glob("*.json")).unlink()
    assert ArrayCache(tmp_path, 0).get("b", (5,), "uint8", fill_with(4, calls)).sum() == 20
    assert calls == [2, 3, 4]
