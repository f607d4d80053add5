import os
import shutil

import pytest

from recipes.images.inspection import scan
from recipes.images.walk import list_files
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


def test_what_this_library_made_is_no_class(tmp_path, run):
    """A run, an unfinished one and a search inside the data folder."""
    pictures.make_classes(tmp_path, 2)
    shutil.copytree(run.folder, tmp_path / "runs" / "first")
    shutil.copytree(run.folder, tmp_path / "second")
    for name, files in {
        "third.partial": ("settings.json", "cache/pixels.png"),
        "third-process-1.partial": ("settings.json", "x/a.png"),
        "search": ("search.json", "split.json", "curves/a.png"),
        "other": ("search.json", "trials/a.png"),
    }.items():
        for file in files:
            place = tmp_path / name / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(pictures.GOOD["plain.png"])
    frame = scan(tmp_path, verbose=False).set_index("path")
    assert set(frame.loc[frame["status"] == "ok", "class"]) == {"cat", "dog"}
    assert frame.loc["runs/first", "reason"] == "a run that this library made"
    assert frame.loc["search", "reason"] == "a search that this library made"
    assert frame.loc["third.partial", "reason"] == "an unfinished run that this library made"
    assert len(frame) == 4 + 6


def test_a_run_beside_parts_leaves_them_parts(tmp_path, run):
    for part in ("train", "test"):
        pictures.make_classes(tmp_path / part, 2)
    shutil.copytree(run.folder, tmp_path / "out")
    frame = scan(tmp_path, verbose=False)
    assert set(frame.loc[frame["status"] == "ok", "part"]) == {"train", "test"}


def test_the_root_itself_may_be_a_run(run):
    assert "report.html" in list_files(run.folder)
