"""Which folders are parts, which are classes, and which leave it open and are refused."""

import pytest

from recipes.images.inspection import scan
from recipes.images.layout import PART_NAMES, part_in, parts_of
from tests.recipes.images import pictures

CONTENT = pictures.GOOD["plain.png"]


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(CONTENT)
    return folder


def files(*folders):
    return [f"{folder}/cat/1.png" for folder in folders]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train", "val"], {"train": "train", "val": "validation"}),
        (["Training", "TEST"], {"Training": "train", "TEST": "test"}),
        (["train", "dev", "test"], {"train": "train", "dev": "validation", "test": "test"}),
        (["train"], {"train": "train"}),
        (["train", "cats"], {}),
        (["test", "cats", "dogs"], {}),
        (["contest", "entertainment", "valley"], {}),
        (["cat", "dog"], {}),
        ([], {}),
    ],
)
def test_parts_are_told_from_classes(names, parts):
    assert parts_of(files(*names), "photos") == parts


@pytest.mark.parametrize("name", PART_NAMES)
@pytest.mark.parametrize(
    "form", ["{}", "{}_images", "my-{}", "{}2017", "01_{}", "cats.{}", "{} set", "{}set", "{}_v2"]
)
@pytest.mark.parametrize("case", [str.lower, str.title, str.upper])
def test_a_part_s_name_is_seen_in_longer_ones(name, form, case):
    assert part_in(case(form.format(name))) == PART_NAMES[name]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["train2017", "val2017"], "train2017, val2017 is not exactly"),
        (["cats_train", "cats_test", "dogs_train", "dogs_test"], "cats_train"),
        (["train", "test", "masks"], "beside them lie pictures in masks"),
        (["train", "val", "cat"], "beside them lie pictures in cat"),
        (["val", "test"], "none of them is called train"),
        (["my_train", "my_valid", "extra"], "my_train"),
        (["train_a", "train_b"], "train_a"),
    ],
)
def test_what_looks_like_parts_and_is_not_taken_so_is_refused(names, reason):
    with pytest.raises(ValueError, match=r"^folder: photos looks divided into") as caught:
        parts_of(files(*names), "photos")
    assert reason in str(caught.value)
    assert "layout='parts'" in str(caught.value)
    assert parts_of(files(*names), "photos", "classes") == {}


def test_the_user_s_word_decides():
    assert parts_of(files("train2017", "val2017", "masks"), "photos", "parts") == {
        "train2017": "train",
        "val2017": "validation",
    }
    assert parts_of(files("train", "test"), "photos", "classes") == {}
    with pytest.raises(ValueError, match=r"^layout: no folder in photos is called train"):
        parts_of(files("val", "cat"), "photos", "parts")


def test_folders_without_pictures_are_not_in_the_way(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "val/cat/2.png", "val/dog/2.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.json").write_text("{}")
    frame = scan(tmp_path, verbose=False).set_index("path")
    assert set(frame.loc[frame["status"] == "ok", "part"]) == {"train", "validation"}
    assert frame.loc["annotations/a.json", "reason"] == "not in a part"
    assert "left out: annotations" in frame.attrs["layout"]


def test_classes_divided_each_for_itself_are_refused(tmp_path):
    touch(tmp_path, *(f"{a}/{b}/1.png" for a in ("cat", "dog") for b in ("train", "test")))
    with pytest.raises(ValueError, match=r"^folder: cat, dog in .* is divided into parts"):
        scan(tmp_path, verbose=False)
    assert set(scan(tmp_path, layout="classes", verbose=False)["class"]) == {"cat", "dog"}


def test_parts_one_folder_down_are_pointed_to(tmp_path):
    touch(tmp_path, "data/train/cat/1.png", "data/test/cat/2.png")
    with pytest.raises(ValueError, match=r"the parts are in data: name the folder .*/data\."):
        scan(tmp_path, verbose=False)


def test_parts_beside_folders_that_are_not_divided_are_refused(tmp_path):
    touch(tmp_path, "images/train/1.png", "images/val/2.png", "labels/3.png")
    with pytest.raises(ValueError, match=r"^folder: images in .* is divided into parts"):
        scan(tmp_path, verbose=False)


@pytest.mark.parametrize("form", ["fold{}", "Fold_{}", "split-{}", "part {}", "batch{}", "cv{}"])
def test_folds_are_no_classes(form):
    with pytest.raises(ValueError, match=r"^folder: photos looks divided into .* no classes"):
        parts_of(files(*(form.format(k) for k in range(3))), "photos")
    assert parts_of(files(form.format(1), "cat"), "photos") == {}


@pytest.mark.parametrize("name", ["unknown", "images", "0"])
def test_a_test_part_whose_only_folder_is_no_class_has_no_labels(tmp_path, name):
    touch(tmp_path, "train/cat/1.png", "train/dog/2.png", f"test/{name}/3.png")
    frame = scan(tmp_path, verbose=False).set_index("path")
    assert frame.loc[f"test/{name}/3.png", ["status", "class"]].tolist() == ["unlabelled", ""]


def test_a_test_part_of_one_class_keeps_its_labels(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/cat/3.png")
    assert (scan(tmp_path, verbose=False)["status"] == "ok").all()


def test_the_layout_is_said_in_words(tmp_path):
    touch(tmp_path, "Train/cat/1.png", "val/dog/2.png")
    assert scan(tmp_path, verbose=False).attrs["layout"] == (
        "a folder a class, parts by the folders Train (train), val (validation)"
    )


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        (["a.png", "b.png"], "2 pictures, such as 'a.png', and no class folders"),
        (["train/a.png", "val/cat/b.png"], "train has no class folders"),
    ],
)
def test_a_folder_without_class_folders_says_what_it_holds(tmp_path, paths, text):
    touch(tmp_path, *paths)
    with pytest.raises(ValueError, match=r"^folder: ") as caught:
        scan(tmp_path, verbose=False)
    assert text in str(caught.value)


def test_parts_of_a_table_may_be_the_folders_of_its_files(tmp_path):
    touch(tmp_path, *(f"{part}/{k}.png" for part in ("train", "test") for k in range(4)))
    rows = [f"{part}/{k}.png,{'ab'[k % 2]}" for part in ("train", "test") for k in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    frame = scan(tmp_path / "labels.csv", verbose=False)
    good = frame[frame["status"] == "ok"]
    assert good.groupby("part")["path"].count().to_dict() == {"train": 4, "test": 4}
    assert "parts by the folders on top" in frame.attrs["layout"]
