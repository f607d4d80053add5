"""Groups from a file: every row fits or every picture does, however the paths are written."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from recipes.images.groups import groups_of

PATHS = ["cat/café 1.png", "cat/2.png", "dog/3.png", "dog/4.png"]
FOLDER = Path("photos").absolute()


def write(tmp_path, rows, separator=","):
    path = tmp_path / "groups.csv"
    lines = [separator.join(("file", "group")), *(separator.join(row) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "spelling",
    [
        lambda path: path,
        lambda path: f"./{path}",
        lambda path: path.replace("/", "\\"),
        lambda path: path.replace("/", "//"),
        lambda path: f" {path} ",
        lambda path: f"{FOLDER}/{path}",
        lambda path: unicodedata.normalize("NFD", path),
        lambda path: f"x/../{path}",
    ],
)
def test_paths_are_the_same_however_they_are_written(tmp_path, spelling):
    rows = [(spelling(path), f"g{k // 2}") for k, path in enumerate(PATHS)]
    found = groups_of(pd.Series(PATHS), write(tmp_path, rows), FOLDER)
    assert found.tolist() == ["g0", "g0", "g1", "g1"]
    decomposed = pd.Series([unicodedata.normalize("NFD", path) for path in PATHS])
    assert groups_of(decomposed, write(tmp_path, rows), FOLDER).tolist() == found.tolist()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_other_separators_are_read(tmp_path, separator):
    groups = write(tmp_path, [(path, "g") for path in PATHS], separator)
    assert groups_of(pd.Series(PATHS), groups, FOLDER).tolist() == ["g"] * 4


def test_every_row_or_every_picture_has_to_fit(tmp_path):
    part = write(tmp_path, [(path, "g") for path in PATHS[:2]])
    assert groups_of(pd.Series(PATHS), part, FOLDER).tolist() == ["g", "g", "", ""]
    more = write(tmp_path, [(path, "g") for path in [*PATHS, "gone.png"]])
    assert groups_of(pd.Series(PATHS), more, FOLDER).tolist() == ["g"] * 4


def test_a_file_of_which_one_row_fits_is_refused_with_examples_of_both(tmp_path):
    rows = [("cat/2.png", "g"), ("3.png", "g"), ("4.png", "h")]
    with pytest.raises(ValueError, match=r"^groups: ") as caught:
        groups_of(pd.Series(PATHS), write(tmp_path, rows), FOLDER)
    assert "2 of its 3 rows name none, such as '3.png' and '4.png'" in str(caught.value)
    assert "3 of 4 pictures have no row, such as 'cat/café 1.png'" in str(caught.value)


def test_a_file_in_two_groups_is_refused(tmp_path):
    rows = [("cat/2.png", "g"), ("./cat/2.png", "h")]
    with pytest.raises(ValueError, match=r"^groups: .*'cat/2.png' in several groups"):
        groups_of(pd.Series(PATHS), write(tmp_path, rows), FOLDER)


def test_a_table_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_bytes("file,group\ncafé.png,g\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"groups\.csv: it is not a table in UTF-8"):
        groups_of(pd.Series(PATHS), str(path), FOLDER)
