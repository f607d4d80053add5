"""The pages on the schemes: the table and the gallery have every one, and no other."""

import importlib.util
import re
from pathlib import Path

import pytest

import callbacks
from callbacks.registry import SHORT

DOCS = Path(__file__).parents[2] / "docs"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (DOCS / "schemes.md").read_text().splitlines()
    if line.startswith("| `")
]


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_in(cell):
    return re.findall(r"`(\w+)`", cell)


def test_the_table_has_every_scheme_once():
    classes = [name for row in ROWS for name in names_in(row[0])]
    assert sorted(classes) == sorted(callbacks.SCHEMES.values())


def test_the_table_has_every_short_name_beside_its_scheme():
    short = {name: names_in(row[0])[0] for row in ROWS for name in names_in(row[1])}
    assert short == {name: cls for name, (cls, _) in SHORT.items()}


def test_no_short_name_hides_one_of_ours():
    assert not {*SHORT} & {*callbacks.SCHEMES, *callbacks.SCHEMES.values()}
    assert callbacks.names() == sorted([*SHORT, *callbacks.SCHEMES])


def test_the_gallery_has_every_scheme(gallery):
    drawn = {gallery.name_of(line) for lines in gallery.LINES.values() for line in lines}
    assert drawn == set(callbacks.SCHEMES.values())
    assert gallery.page() == (DOCS / "gallery.md").read_text(), "run `make gallery`"


def test_the_galleries_pictures_are_there_and_small(gallery):
    pictures = {path.name: path.stat().st_size for path in (DOCS / "gallery").iterdir()}
    assert set(pictures) == set(gallery.files().values())
    assert max(pictures.values()) < 6_000


def test_every_line_of_the_gallery_makes_a_curve(gallery):
    for line in gallery.files():
        curve = gallery.rates(line)
        assert len(curve) == gallery.STEPS
        assert 0 <= curve.min() <= curve.max() <= 0.2, line
