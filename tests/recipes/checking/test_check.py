"""A collection looked through, and the table read back as labels."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import recipes
from recipes.checking.check import describe, write
from recipes.cli import main
from recipes.images.tables import CHECKED
from tests.recipes.images import pictures

CLASSES = ("NA", "7", "007")
COUNT = 24
OPTIONS = {"verbose": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes of a colour each; two pictures are in a wrong one, and one is black."""
    place = pictures.make_classes(tmp_path_factory.mktemp("colours"), COUNT, CLASSES)
    (place / "NA" / "000.png").rename(place / "7" / "moved.png")
    (place / "007" / "001.png").rename(place / "NA" / "moved.png")
    Image.new("RGB", (90, 20)).save(place / "7" / "black.png")
    pictures.write(place / "7", {"cut.jpg": pictures.BAD["truncated.jpg"]})
    return place


@pytest.fixture(scope="module")
def table(folder, tiny):
    return recipes.check(folder, backbone=tiny, **OPTIONS)


def good(folder):
    frame = recipes.scan(folder, **OPTIONS)
    return frame[frame["status"] == "ok"]


def test_every_good_picture_has_a_row_and_wrong_labels_come_first(folder, table):
    assert set(table["file"]) == set(good(folder)["path"])
    assert table["file"].is_unique
    assert set(table["file"][:3]) == {"7/moved.png", "NA/moved.png", "7/black.png"}
    first = table.set_index("file")
    assert first.loc["7/moved.png", ["label", "suggested", "issue"]].tolist() == [
        "7", "NA", "label",
    ]  # fmt: skip
    assert first.loc["NA/moved.png", "suggested"] == "007"
    kinds = np.select([table["issue"].str.startswith("label"), table["issue"] != ""], [0, 1], 2)
    assert (np.diff(kinds) >= 0).all()
    for kind in (0, 2):
        assert (np.diff(table["score"][kinds == kind]) <= 0).all()


def test_an_odd_picture_is_named_and_what_many_are_is_said_once(table):
    issues = table.set_index("file").loc["7/black.png", "issue"].split(", ")
    assert issues[-3:] == ["one colour", "tiny", "very long"]
    assert table.attrs["notes"] == [
        "1 not looked at; `recipes scan` says why.",
        "25 of 73 pictures are dark: not marked, since so many are.",  # a class of dark blue
    ]
    assert "1 one colour, 1 tiny, 1 very long" in describe(table)


def test_a_table_and_arrays_give_the_same_as_the_folder(folder, table, tiny, tmp_path):
    frame = good(folder)
    listed = pd.DataFrame({"file": frame["path"], "label": frame["class"]})
    listed.to_csv(tmp_path / "labels.csv", index=False)
    from_csv = recipes.check(
        tmp_path / "labels.csv", pictures=str(folder), backbone=tiny, **OPTIONS
    )
    pd.testing.assert_frame_equal(from_csv, table)
    of_size = frame[frame["width"] == 32]
    pixels = pictures.read(folder, of_size["path"])
    found = recipes.check((pixels, of_size["class"].to_numpy()), backbone=tiny, **OPTIONS)
    names = of_size["path"].to_numpy()[found["file"].astype(int)]
    assert set(names[:2]) == {"7/moved.png", "NA/moved.png"}


def test_fit_takes_the_edited_table_without_further_options(folder, table, tiny, tmp_path):
    edited = table.copy()
    edited.loc[edited["suggested"] != "", "label"] = edited["suggested"]
    path = write(edited, tmp_path / "labels.csv")
    frame = recipes.scan(path, pictures=str(folder), **OPTIONS).set_index("path")
    read = frame.loc[edited["file"]]
    assert read["class"].tolist() == edited["label"].tolist()
    assert (read["status"] == "ok").all()
    run = recipes.fit(
        path, pictures=str(folder), output=tmp_path / "run", strategy="head_only", epochs=1,
        backbone=tiny, **OPTIONS,
    )  # fmt: skip
    assert set(run.classes) == set(CLASSES)
    assert run.dataset.set_index("path").loc["7/moved.png", "class"] == "NA"


def test_a_table_that_other_columns_were_added_to_keeps_its_meaning(folder, table, tmp_path):
    more = table.assign(
        photographer=["Ann", "Bob"] * (len(table) // 2) + ["Ann"] * (len(table) % 2)
    )
    path = write(more, tmp_path / "labels.csv")
    frame = recipes.scan(path, pictures=str(folder), **OPTIONS)
    assert set(frame.loc[frame["status"] == "ok", "class"]) == set(CLASSES)
    named = recipes.scan(path, pictures=str(folder), label_column="photographer", **OPTIONS)
    assert set(named.loc[named["status"] == "ok", "class"]) == {"Ann", "Bob"}
    assert set(table.columns) >= CHECKED


def test_several_labels_go_there_and_back_with_none_and_one(tiny, tmp_path):
    folder, pairs = pictures.pairs_of_digits(tmp_path / "pairs", 60)
    files = sorted(path.name for path in folder.iterdir())
    flags = pd.DataFrame({"file": files})
    for digit in (1, 2):  # two zeros have no label
        flags[f"a {digit}"] = [int(digit in pair) for pair in pairs]
    flags.to_csv(tmp_path / "flags.csv", index=False)
    options = {"pictures": str(folder), **OPTIONS}
    before = recipes.scan(tmp_path / "flags.csv", **options).set_index("path")["class"]
    assert {"", "a 1", "a 1;a 2"} <= set(before)
    table = recipes.check(tmp_path / "flags.csv", backbone=tiny, **options)
    assert table["score"].notna().all()
    assert (table.loc[table["issue"] == "", "suggested"] == "").all()
    assert table.loc[table["suggested"] != "", "suggested"].str.contains(";").all()
    frame = recipes.scan(write(table, tmp_path / "labels.csv"), **options)
    assert frame.attrs["several_labels"]
    assert (frame["status"] == "ok").all()
    assert frame.set_index("path")["class"].loc[before.index].equals(before)


def test_labels_of_which_no_picture_has_two_are_several_still(tiny, tmp_path):
    folder = pictures.make_classes(tmp_path / "colours", 6, ("red", "green"))
    table = recipes.check(folder, task="multilabel", backbone=tiny, **OPTIONS)
    assert set(table["label"]) == {"red;", "green;"}
    frame = recipes.scan(write(table, tmp_path / "l.csv"), pictures=str(folder), **OPTIONS)
    assert frame.attrs["several_labels"]
    assert set(frame["class"]) == {"red", "green"}


def test_two_classes_by_one_probability(tiny, tmp_path):
    folder = pictures.make_classes(tmp_path, 20, ("ill", "well"))
    (folder / "ill" / "003.png").rename(folder / "well" / "moved.png")
    table = recipes.check(folder, task="binary", backbone=tiny, **OPTIONS)
    assert table.loc[0, ["file", "suggested"]].tolist() == ["well/moved.png", "ill"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_pictures_a_class_are_listed_and_nothing_is_said(count, tiny, tmp_path):
    folder = pictures.make_classes(tmp_path, count, CLASSES)
    table = recipes.check(folder, backbone=tiny, **OPTIONS)
    assert len(table) == 3 * count
    assert table["score"].isna().all()
    assert table.attrs["notes"][-1].startswith("Nothing can be said")
    assert "Nothing can be said" in describe(table)


def test_copies_with_different_labels_are_suspicious_for_certain(tiny, tmp_path):
    folder = pictures.make_classes(tmp_path, 8, CLASSES)
    (folder / "NA" / "copy.png").write_bytes((folder / "7" / "005.png").read_bytes())
    table = recipes.check(folder, backbone=tiny, **OPTIONS)
    assert set(table["file"][:2]) == {"NA/copy.png", "7/005.png"}
    assert (table["score"][:2] == 1).all()
    assert (table["reason"][:2] == "the same picture has the labels 7, NA").all()


def test_ready_made_parts_stay_in_the_table(tiny, tmp_path):
    for part in ("train", "val", "test"):
        pictures.make_classes(tmp_path / "p" / part, 3, ("a", "b"))
    table = recipes.check(tmp_path / "p", backbone=tiny, **OPTIONS)
    assert set(table["part"]) == {"train", "validation", "test"}
    path = write(table, tmp_path / "labels.csv")
    frame = recipes.scan(path, pictures=str(tmp_path / "p"), **OPTIONS).set_index("path")
    assert frame.loc[table["file"], "part"].tolist() == table["part"].tolist()


def test_the_same_seed_gives_the_same_table(folder, table, tiny):
    assert recipes.check(folder, backbone=tiny, **OPTIONS).equals(table)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tsak": "binary"}, "tsak.*Did you mean 'task'"),
        ({"backbone": "resnet5"}, "Did you mean 'ResNet5"),
        ({"task": "binary"}, "binary takes two classes"),
    ],
)
def test_what_cannot_be_used_is_refused(folder, options, text):
    with pytest.raises(ValueError, match=text):
        recipes.check(folder, **{"image_size": 32, **OPTIONS, **options})


def test_a_folder_without_a_readable_picture_is_refused(tiny, tmp_path):
    pictures.write(tmp_path / "a", {"x.jpg": b"no picture"})
    with pytest.raises(ValueError, match="data: it holds no readable picture"):
        recipes.check(tmp_path, backbone=tiny, **OPTIONS)


def test_the_command_writes_a_table_and_never_over_one(folder, tmp_path, capsys):
    path = tmp_path / "labels.csv"
    assert main(["check", str(folder), "--image-size", "32", "--csv", str(path)]) == 0
    out = capsys.readouterr().out
    assert "labels to look at" in out
    assert "moved.png" in out
    assert f"recipes fit {path} --pictures {folder} --output" in out
    written = path.read_bytes()
    assert main(["check", str(folder), "--image-size", "32", "--csv", str(path)]) == 2
    assert f"csv: {path} exists" in capsys.readouterr().err
    assert path.read_bytes() == written
    assert main(["check", str(folder), "--csv", str(tmp_path / "no" / "l.csv")]) == 2
    assert "is no folder" in capsys.readouterr().err
