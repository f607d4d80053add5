"""Folders and names of files as sources of labels."""

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from recipes.images.folders import ClassFolders, FileNames, Files
from recipes.images.inspection import open_source, scan
from recipes.images.sources import natural_order
from recipes.images.tables import LabelTable
from recipes.settings import DataSettings
from tests.recipes.images import pictures

PICTURE = pictures.encoded(pictures.RGB, "PNG")


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(PICTURE)
    return folder


def rows(source, *columns):
    table = source.listing().table
    return [tuple(row) for row in table[["path", *columns]].itertuples(index=False)]


def test_a_class_is_the_first_folder(tmp_path):
    touch(tmp_path, "cat/a.png", "cat/2024/b.png", "dog/c.png", "stray.png")
    assert rows(ClassFolders(tmp_path), "class", "labelled", "reason") == [
        ("cat/2024/b.png", "cat", True, ""),
        ("cat/a.png", "cat", True, ""),
        ("dog/c.png", "dog", True, ""),
        ("stray.png", "", False, "not in a class folder"),
    ]


def test_parts_have_class_folders_inside(tmp_path):
    touch(tmp_path, "Train/cat/a.png", "val/dog/b.png", "test/cat/deep/c.png", "test/stray.png")
    assert rows(ClassFolders(tmp_path), "part", "class", "reason") == [
        ("Train/cat/a.png", "train", "cat", ""),
        ("test/cat/deep/c.png", "test", "cat", ""),
        ("test/stray.png", "", "", "not in a class folder"),
        ("val/dog/b.png", "validation", "dog", ""),
    ]


def test_a_test_part_of_pictures_alone_has_no_labels(tmp_path):
    touch(tmp_path, "train/cat/a.png", "train/dog/b.png", "test/c.png", "test/d.png")
    assert rows(ClassFolders(tmp_path), "part", "labelled", "reason")[:2] == [
        ("test/c.png", "test", False, ""),
        ("test/d.png", "test", False, ""),
    ]
    frame = scan(tmp_path, verbose=False).set_index("path")
    assert frame["status"].to_dict() == {
        "test/c.png": "unlabelled",
        "test/d.png": "unlabelled",
        "train/cat/a.png": "ok",
        "train/dog/b.png": "ok",
    }


def test_parts_without_class_folders_are_refused_with_what_to_do(tmp_path):
    touch(tmp_path, "train/cat.1.png", "train/dog.1.png", "test/1.png")
    with pytest.raises(ValueError, match=r"no class folders.*labels_from_name"):
        ClassFolders(tmp_path).listing()


def test_labels_come_from_names(tmp_path):
    touch(tmp_path, "cat.1.png", "x/dog_2.png", "3.png")
    found = rows(FileNames(tmp_path, r"^([a-z]+)[._]"), "class", "labelled", "reason")
    assert found == [
        ("3.png", "", False, "no label in its name"),
        ("cat.1.png", "cat", True, ""),
        ("x/dog_2.png", "dog", True, ""),
    ]


def test_a_label_may_be_anywhere_in_a_name_and_missing_from_a_test_part(tmp_path):
    touch(tmp_path, "train/1_cat.png", "train/2_dog.png", "train/3.png", "test/4.png")
    found = rows(FileNames(tmp_path, r"_(\w+)"), "part", "class", "reason")
    assert found == [
        ("test/4.png", "test", "", ""),
        ("train/1_cat.png", "train", "cat", ""),
        ("train/2_dog.png", "train", "dog", ""),
        ("train/3.png", "train", "", "no label in its name"),
    ]
    frame = scan(tmp_path, labels_from_name=r"_(\w+)", verbose=False).set_index("path")
    assert frame.loc["test/4.png", "status"] == "unlabelled"
    assert frame.loc["train/3.png", "status"] == "skipped"


def test_a_label_in_the_folder_s_name_is_none(tmp_path):
    touch(tmp_path, "cat_1/x.png", "dog_2.png")
    found = rows(FileNames(tmp_path, r"([a-z]+)_"), "class")
    assert found == [("cat_1/x.png", ""), ("dog_2.png", "dog")]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(", "not a regular expression"),
        ("abc", "has 0 groups"),
        ("(a)(b)", "has 2 groups"),
        ("(never)_", "finds a label in no name of 1, such as 'a.png'"),
    ],
)
def test_unusable_expressions_are_refused_by_name(tmp_path, pattern, text):
    touch(tmp_path, "a.png")
    with pytest.raises(ValueError, match=r"^labels_from_name: ") as caught:
        scan(tmp_path, labels_from_name=pattern, verbose=False)
    assert text in str(caught.value)


@pytest.mark.parametrize("kind", [ClassFolders, lambda folder: FileNames(folder, "(a)")])
def test_what_is_no_folder_is_refused(tmp_path, kind):
    file = touch(tmp_path, "a.png") / "a.png"
    with pytest.raises(FileNotFoundError, match=r"^folder: .*does not exist"):
        kind(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"^folder: .*is a file"):
        kind(file)
    with pytest.raises(ValueError, match=r"^folder: the path is empty"):
        kind("")


def test_files_have_no_labels(tmp_path):
    touch(tmp_path, "b/a.png", "c.png")
    assert rows(Files(tmp_path), "labelled") == [("b/a.png", False), ("c.png", False)]


def test_the_right_source_is_opened(tmp_path):
    touch(tmp_path, "cat/a.png")
    (tmp_path / "t.csv").write_text("file,label\ncat/a.png,x\n")
    settings = DataSettings()
    assert isinstance(open_source(tmp_path, settings), ClassFolders)
    assert isinstance(open_source(str(tmp_path), settings), ClassFolders)
    assert isinstance(open_source(tmp_path / "t.csv", settings), LabelTable)
    frame = pd.DataFrame({"file": ["cat/a.png"]})
    assert isinstance(open_source(frame, DataSettings(pictures=str(tmp_path))), LabelTable)
    names = DataSettings(labels_from_name="(a)")
    assert isinstance(open_source(tmp_path, names), FileNames)
    source = Files(tmp_path)
    assert open_source(source, settings) is source
    with pytest.raises(ValueError, match="data: a folder, a table"):
        open_source(7, settings)


def test_classes_that_are_numbers_come_in_the_order_of_numbers():
    names = [str(number) for number in range(1, 13)]
    assert natural_order(sorted(names)) == names
    assert natural_order(["img12", "img2", "a", "07", "7"]) == ["07", "7", "a", "img2", "img12"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), unique=True), st.sampled_from(["", "c", "level "]))
def test_numbers_in_names_are_numbers(numbers, word):
    names = [f"{word}{number}" for number in numbers]
    assert natural_order(names) == [f"{word}{number}" for number in sorted(numbers)]


@settings(deadline=None)
@given(st.lists(st.text(max_size=6)))
def test_any_names_have_one_order(names):
    assert natural_order(names) == natural_order(names[::-1])
    assert sorted(natural_order(names)) == sorted(names)


@pytest.mark.parametrize("root", ["", "train/"])
def test_empty_class_folders_are_pointed_out(tmp_path, root):
    touch(tmp_path, f"{root}cat/a.png", f"{root}dog/2024/b.png")
    for name in ("fox", "elk/2024", ".cache", "__MACOSX"):
        (tmp_path / root / name).mkdir(parents=True)
    (note,) = ClassFolders(tmp_path).listing().notes
    assert note == f"{root}elk, {root}fox: empty, and no class."
