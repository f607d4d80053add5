"""Labels from CSV files and DataFrames: what is found, and how what does not fit is said."""

import pandas as pd
import pytest

from recipes.images.inspection import scan
from recipes.images.summary import summary
from recipes.images.tables import is_table, read_table
from tests.recipes.images import pictures

FILES = [f"{name}{k}.png" for name in ("cat", "dog") for k in range(4)]
LABELS = ["cat"] * 4 + ["dog"] * 4


@pytest.fixture
def place(tmp_path):
    """A folder with eight pictures in `pictures/`."""
    content = {
        name: pictures.encoded(pictures.RGB.rotate(10 * k), "PNG") for k, name in enumerate(FILES)
    }
    pictures.write(tmp_path / "pictures", content)
    return tmp_path


def found(data, **options):
    frame = scan(data, verbose=False, **options)
    return frame[frame["status"] == "ok"].set_index("path"), frame.set_index("path")


def labels_of(data, **options):
    return found(data, **options)[0]["class"].to_dict()


RIGHT = dict(zip(FILES, LABELS, strict=True))


def write(place, table, name="labels.csv", **options):
    table.to_csv(place / name, index=False, **options)
    return place / name


def beside(**columns):
    return pd.DataFrame({"file": FILES, "label": LABELS, **columns})


NAMES = {
    "as they are": FILES,
    "without ending": [name[:-4] for name in FILES],
    "below the table": [f"pictures/{name}" for name in FILES],
    "with a dot": [f"./pictures/{name}" for name in FILES],
    "with backslashes": [f"pictures\\{name}" for name in FILES],
    "with spaces around": [f" {name} " for name in FILES],
}


@pytest.mark.parametrize("how", NAMES)
def test_files_are_found_however_they_are_named(place, how):
    path = write(place, pd.DataFrame({"id": NAMES[how], "kind": LABELS}))
    expected = {f"pictures/{name}": label for name, label in RIGHT.items()}
    assert labels_of(path) == expected
    assert labels_of(path, file_column="id", label_column="kind") == expected


@pytest.mark.parametrize("how", ["as they are", "without ending"])
def test_the_folder_of_the_pictures_may_be_named(place, how):
    path = write(place, pd.DataFrame({"id": NAMES[how], "kind": LABELS}))
    assert labels_of(path, pictures=str(place / "pictures")) == RIGHT


def test_absolute_paths_are_taken(place, tmp_path):
    table = beside(file=[str(place / "pictures" / name) for name in FILES])
    assert labels_of(table, pictures=str(place / "pictures")) == RIGHT
    path = tmp_path / "elsewhere" / "labels.csv"
    path.parent.mkdir()
    table.to_csv(path, index=False)
    assert list(labels_of(path).values()) == LABELS


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_commas_semicolons_and_tabs_are_seen(place, separator, ending):
    path = write(place, beside(), f"labels.{ending}", sep=separator, encoding="utf-8-sig")
    assert list(labels_of(path).values()) == LABELS


def test_a_data_frame_is_a_table(place):
    table = beside().set_index(pd.Index(range(7, 15)))
    folder = str(place / "pictures")
    assert labels_of(table, pictures=folder) == RIGHT
    numbers = table.assign(label=[0] * 4 + [1] * 4)
    assert set(labels_of(numbers, pictures=folder).values()) == {"0", "1"}
    assert is_table(table)


def test_names_that_look_like_numbers_or_nothing_stay(place):
    path = write(place, beside(label=["007"] * 4 + ["NA"] * 4))
    assert set(labels_of(path).values()) == {"007", "NA"}


def test_parts_and_groups_come_from_columns(place):
    parts = ["train", "Training", "val", "test"] * 2
    path = write(place, beside(fold=parts, patient=list("aabbccdd")))
    for options in ({}, {"part_column": "fold"}):
        options |= {"label_column": "label", "group_column": "patient"}
        good, _ = found(path, **options)
        assert good["part"].tolist() == ["train", "train", "validation", "test"] * 2
        assert good["group"].tolist() == list("aabbccdd")


def test_what_was_guessed_is_said(place):
    frame = scan(write(place, beside(fold=["train", "test"] * 4)), verbose=False)
    assert frame.attrs["layout"].endswith("files by file, labels by label, parts by fold")
    assert not frame.attrs["several_labels"]


def test_rows_of_a_test_part_may_have_no_label(place):
    labels = ["cat", "cat", "dog", "dog", "", "", "", ""]
    _, frame = found(write(place, beside(label=labels, fold=["train"] * 4 + ["test"] * 4)))
    assert frame["status"].tolist() == ["ok"] * 4 + ["unlabelled"] * 4


def test_pictures_of_a_test_folder_that_are_not_listed_have_no_labels(place):
    (place / "test").mkdir()
    for name in FILES[6:]:
        (place / "pictures" / name).rename(place / "test" / name)
    _, frame = found(write(place, beside().iloc[:6]))
    assert frame.loc[[f"test/{name}" for name in FILES[6:]], "status"].tolist() == [
        "unlabelled",
        "unlabelled",
    ]


FLAGS = {
    "red": [1, 1, 0, 0, 0, 0, 1, 1],
    "big": [1, 0, 1, 0, 1, 0, 1, 0],
    "wet": [0, 0, 0, 0, 1, 1, 1, 1],
}
SETS = ["big;red", "red", "big", "", "big;wet", "wet", "big;red;wet", "red;wet"]


def flags():
    return pd.DataFrame({"file": FILES, **FLAGS})


@pytest.mark.parametrize("kind", [int, float, bool, str])
def test_columns_of_0_and_1_are_labels(place, kind):
    path = write(place, flags().astype(dict.fromkeys(FLAGS, kind)))
    frame = scan(path, label_column=list(FLAGS), verbose=False)
    assert frame["class"].tolist() == SETS
    assert frame["status"].eq("ok").all()
    assert frame.attrs["several_labels"]


def test_they_are_guessed(place):
    frame = scan(write(place, flags()), verbose=False)
    assert frame["class"].tolist() == SETS
    assert "labels by red, big, wet" in frame.attrs["layout"]


def test_cells_with_semicolons_are_several_labels(place):
    cells = ["red;big", "red", " big ", "red; red", "wet;big", "wet", "big;red;wet", "wet;red"]
    frame = scan(write(place, beside(label=cells)), label_column="label", verbose=False)
    expected = ["big;red", "red", "big", "red", "big;wet", "wet", "big;red;wet", "red;wet"]
    assert frame["class"].tolist() == expected
    assert frame.attrs["several_labels"]


def test_with_one_label_a_picture_a_semicolon_is_a_letter(place):
    path = write(place, beside(label=["a;b"] * 4 + ["c"] * 4))
    frame = scan(path, task="multiclass", verbose=False)
    assert set(frame["class"]) == {"a;b", "c"}
    assert not frame.attrs["several_labels"]


def test_what_is_listed_and_missing_and_what_is_there_and_not_listed_is_said(place):
    table = beside(file=[*FILES[:7], "gone.png"])
    _, frame = found(write(place, table))
    assert frame.loc["gone.png", ["status", "reason"]].tolist() == ["skipped", "no such file"]
    lost = frame.loc[f"pictures/{FILES[7]}"]
    assert lost[["status", "reason"]].tolist() == ["skipped", "not listed in labels.csv"]
    said = summary(scan(place / "labels.csv", verbose=False))["skipped"]
    assert "1 no such file ('gone.png')" in said
    assert f"1 not listed in labels.csv ('pictures/{FILES[7]}')" in said


def test_many_problems_are_counted_and_a_few_are_named(place):
    gone = pd.DataFrame({"file": [f"gone{k}.png" for k in range(7)], "label": "cat"})
    frame = scan(write(place, pd.concat([beside(), gone])), verbose=False)
    expected = "7: 7 no such file ('gone0.png', 'gone1.png', 'gone2.png', …)"
    assert summary(frame)["skipped"] == expected


def test_an_empty_label_is_a_reason(place):
    _, frame = found(write(place, beside(label=["", " ", *LABELS[2:]])))
    assert frame["status"].tolist() == ["skipped"] * 2 + ["ok"] * 6
    assert frame["reason"].tolist()[:2] == ["no label"] * 2


def test_an_empty_cell_of_a_data_frame_is_none_too(place):
    table = beside(label=[None, float("nan"), *LABELS[2:]])
    _, frame = found(table, pictures=str(place / "pictures"), label_column="label")
    assert frame["reason"].tolist()[:2] == ["no label"] * 2


def test_a_file_twice_with_one_label_counts_once(place):
    table = pd.concat([beside(), beside().iloc[[0]]])
    good, _ = found(write(place, table))
    assert good.index.is_unique
    assert len(good) == 8


def test_a_file_twice_with_two_labels_is_skipped(place):
    table = pd.concat([beside(), beside().iloc[[0]].assign(label="dog")])
    good, frame = found(write(place, table), file_column="file", label_column="label")
    assert len(good) == 7
    reasons = frame.loc[f"pictures/{FILES[0]}", "reason"].tolist()
    assert reasons == ["listed with the labels cat, dog"] * 2


def test_where_several_are_allowed_it_has_both(place):
    table = pd.concat([beside(), beside().iloc[[0]].assign(label="dog")])
    good, _ = found(
        write(place, table), task="multilabel", file_column="file", label_column="label"
    )
    assert good.loc[f"pictures/{FILES[0]}", "class"] == "cat;dog"
    assert len(good) == 8


def test_a_name_that_two_files_have_is_not_guessed(place):
    pictures.write(place / "more", {FILES[0]: pictures.encoded(pictures.GRAY, "PNG")})
    _, frame = found(write(place, beside()))
    assert frame.loc[FILES[0], "reason"] == "no such file"


BAD = {
    "no such column": (beside(), {"label_column": "lable"}, "label_column.*Did you mean 'label'"),
    "no such file column": (beside(), {"file_column": "fiel"}, "file_column.*Did you mean 'file'"),
    "no such part": (beside(), {"part_column": "fold"}, "part_column"),
    "no such group": (beside(), {"group_column": "who"}, "group_column"),
    "no rows": (beside().iloc[:0], {}, "it has no rows"),
    "nothing to guess": (
        beside().drop(columns="label"),
        {},
        r"column of labels cannot be guessed \(none is\).*label_column",
    ),
    "two that could be": (
        beside(colour=["red", "blue"] * 4),
        {},
        r"labels cannot be guessed \(label, colour could be\).*label_column",
    ),
    "no files": (
        beside(file=[f"x{k}" for k in range(8)]),
        {},
        r"column of files cannot be guessed.*file_column",
    ),
    "parts of another kind": (
        beside(fold=["one", "two"] * 4),
        {"part_column": "fold", "label_column": "label"},
        "part_column: fold holds 'one'; allowed are train",
    ),
    "flags that are none": (
        flags().assign(red=list("01201011")),
        {"label_column": ["red", "big"]},
        "the column red of a label holds '2', not 0 or 1",
    ),
    "several for one": (
        flags(),
        {"label_column": ["red", "big"], "task": "multiclass"},
        "label_column: red, big are several; with task = 'multiclass' it is one",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_refused_by_name(place, name):
    table, options, text = BAD[name]
    with pytest.raises(ValueError, match=text):
        scan(write(place, table), verbose=False, **options)


def test_pictures_that_are_elsewhere_are_asked_for(place, tmp_path):
    table = beside(file=[f"x{k}.png" for k in range(8)])
    with pytest.raises(FileNotFoundError, match=r"none of its 8 files.*such as 'x0.png'.*pictures"):
        scan(write(place, table), file_column="file", verbose=False)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        scan(table, pictures=str(tmp_path / "nowhere"), verbose=False)
    with pytest.raises(FileNotFoundError, match="no such file"):
        scan(tmp_path / "none.csv", verbose=False)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'file,label\n"a'])
def test_what_is_no_table_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match="it is not a table in UTF-8"):
        read_table(tmp_path / "t.csv")
