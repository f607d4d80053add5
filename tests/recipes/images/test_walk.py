import os

import pytest

from recipes.images.inspection import scan
from recipes.images.walk import list_files, parts_of
from tests.recipes.images import pictures


def test_list_files_leaves_hidden_ones_out(tmp_path):
    pictures.write(tmp_path / "x", {"a.png": b"1", ".b.png": b"2"})
    assert list_files(tmp_path) == ["x/a.png"]


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "validation"), ("training", "test")]
)
def test_ready_made_parts_are_recognised(tmp_path, names):
    for name in names:
        pictures.make_classes(tmp_path / name, 1)
    frame = scan(tmp_path, verbose=False)
    expected = {"val": "validation", "training": "train"}
    assert set(frame["part"]) == {expected.get(n.lower(), n.lower()) for n in names}
    assert set(frame["class"]) == {"cat", "dog"}


def test_a_class_called_train_is_a_class(tmp_path):
    pictures.make_classes(tmp_path, 1, classes=("train", "car"))
    assert set(scan(tmp_path, verbose=False)["class"]) == {"train", "car"}


def test_linked_class_folders_are_followed_once(tmp_path):
    real = pictures.make_classes(tmp_path / "elsewhere", 2)
    root = tmp_path / "photos"
    root.mkdir()
    (root / "cat").symlink_to(real / "cat", target_is_directory=True)
    (root / "again").symlink_to(real / "cat", target_is_directory=True)
    frame = scan(root, verbose=False)
    assert (frame["status"] == "ok").sum() == 2
    assert "link to a folder" in frame.loc[frame["status"] != "ok", "reason"].iloc[0]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems only")
def test_a_name_that_is_no_utf8_is_skipped_and_shown(tmp_path):
    place = os.fsencode(pictures.make_classes(tmp_path, 1) / "cat")
    with open(os.path.join(place, b"caf\xe9.png"), "wb") as file:
        file.write(pictures.GOOD["plain.png"])
    frame = scan(tmp_path, verbose=False)
    row = frame[frame["status"] != "ok"].iloc[0]
    assert row["path"] == "cat/caf\\xe9.png".replace("\\x", "\\udc")
    assert row["reason"] == "its name is not valid UTF-8"


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train", "val"], {"train": "train", "val": "validation"}),
        (["Training", "TEST", ".cache", "@eaDir"], {"Training": "train", "TEST": "test"}),
        (["train", "cats"], {}),
        (["val", "test"], {}),
        ([], {}),
    ],
)
def test_parts_are_told_from_classes(tmp_path, names, parts):
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").touch()
    assert parts_of(tmp_path) == parts
