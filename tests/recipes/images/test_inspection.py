import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes.images.inspection import scan
from tests.recipes.images import pictures


def state_of(folder: Path) -> dict:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A folder with every kind of file in it, as a table by file name."""
    folder = tmp_path_factory.mktemp("odd")
    pictures.write(folder / "a", {**pictures.GOOD, **pictures.BAD})
    pictures.special_files(folder / "a")
    pictures.make_classes(folder, 3, classes=("b",))
    (folder / "empty").mkdir()
    pictures.write(folder / "__MACOSX" / "a", {"._plain.png": b"junk"})
    pictures.write(folder, {"stray.png": pictures.GOOD["plain.png"]})
    before = state_of(folder)
    frame = scan(folder, verbose=False)
    assert state_of(folder) == before
    return frame.set_index("path")


@pytest.mark.parametrize("name", pictures.GOOD)
def test_good_files_are_ok_with_their_size_and_hash(odd, name):
    row = odd.loc[f"a/{name}"]
    content = pictures.GOOD[name]
    assert (row["status"], row["reason"], row["class"]) == ("ok", "", "a")
    with Image.open(io.BytesIO(content)) as picture:
        assert (row["width"], row["height"]) == picture.size
        assert (row["mode"], row["format"]) == (picture.mode, picture.format)
    assert row["bytes"] == len(content)
    assert row["hash"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", pictures.BAD)
def test_bad_files_are_skipped_with_a_reason(odd, name):
    row = odd.loc[f"a/{name}"]
    assert row["status"] == "skipped"
    assert row["reason"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a/pipe.png", "not a regular file"),
        ("a/broken_link.png", "no such file"),
        ("a/self.png", "cannot be opened"),
        ("a/loop", "link to a folder that is read already"),
        ("__MACOSX", "hidden or system folder"),
        ("stray.png", "not in a class folder"),
    ],
)
def test_what_is_no_picture_in_a_class_says_so(odd, path, reason):
    assert odd.loc[path, "status"] == "skipped"
    assert reason in odd.loc[path, "reason"]


def test_an_empty_folder_and_a_system_folder_are_no_classes(odd):
    assert set(odd.loc[odd["status"] == "ok", "class"]) == {"a", "b"}


def test_nested_folders_belong_to_the_class_above(tmp_path):
    pictures.write(tmp_path / "cat" / "2024" / "may", {"x.png": pictures.GOOD["plain.png"]})
    frame = scan(tmp_path, verbose=False)
    assert frame[["path", "class"]].to_numpy().tolist() == [["cat/2024/may/x.png", "cat"]]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_permission_denied_is_a_reason(tmp_path):
    path = pictures.make_classes(tmp_path, 1) / "cat" / "000.png"
    path.chmod(0)
    frame = scan(tmp_path, verbose=False).set_index("path")
    assert frame.loc["cat/000.png", "reason"] == "permission denied"


def test_groups_come_from_a_csv_file_or_a_pattern(tmp_path):
    folder = pictures.make_classes(tmp_path / "photos", 3)
    table = tmp_path / "groups.csv"
    table.write_text("file,group\ncat/000.png,anna\ncat/001.png,anna\ndog/000.png,ben\n")
    by_file = scan(folder, groups=str(table), verbose=False).set_index("path")["group"]
    assert by_file[["cat/000.png", "cat/001.png", "dog/000.png", "cat/002.png"]].tolist() == [
        "anna",
        "anna",
        "ben",
        "",
    ]
    by_name = scan(folder, groups=r"(\d+)\.png", verbose=False).set_index("path")["group"]
    assert by_name["cat/001.png"] == by_name["dog/001.png"] == "001"


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ("no_such.csv", "there is no file"),
        ("(", "not a regular expression"),
        ("abc", "0 groups in parentheses"),
        ("(never)", "gives no picture of the folder a group"),
    ],
)
def test_unusable_groups_are_refused(tmp_path, groups, text):
    folder = pictures.make_classes(tmp_path, 1)
    with pytest.raises(ValueError, match=r"^groups: ") as caught:
        scan(folder, groups=groups, verbose=False)
    assert text in str(caught.value)


def test_unusable_folders_are_refused(tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        scan(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is a file"):
        scan(file)
    with pytest.raises(ValueError, match="is empty"):
        scan(empty)


def test_one_bad_file_among_a_thousand_good_ones(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(500):
            Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype="uint8")).save(
                tmp_path / name / f"{index}.png"
            )
    pictures.write(tmp_path / "a", {"bad.jpg": pictures.BAD["truncated.jpg"]})
    frame = scan(tmp_path, verbose=False)
    assert (frame["status"] == "ok").sum() == 1000
    assert frame.loc[frame["status"] != "ok", "path"].tolist() == ["a/bad.jpg"]
