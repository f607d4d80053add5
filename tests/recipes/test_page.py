"""A page says what it was given, escaped, in one file."""

import re

import numpy as np
import pytest
from markupsafe import Markup
from matplotlib.figure import Figure

from recipes import page
from recipes.page import Picture, Table

EVIL = "<script>alert('&')</script>"


def rendered(**options):
    defaults = {"heading": "", "subtitle": "", "strip": [], "sections": {}}
    return page.render("title", **{**defaults, **options})


def test_every_place_is_escaped():
    text = page.render(
        EVIL,
        heading=EVIL,
        subtitle=EVIL,
        strip=[(EVIL, EVIL)],
        lead=EVIL,
        sections={EVIL: [EVIL, Table([[EVIL]], [EVIL]), Picture(EVIL, f'">{EVIL}', b"")]},
    )
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 11
    assert 'alt="&#34;&gt;' in text


def test_markup_in_the_subtitle_stays_and_what_is_put_into_it_does_not():
    text = rendered(subtitle=Markup("strategy <b>{}</b>").format(EVIL))
    assert "strategy <b>&lt;script&gt;" in text


def test_the_parts_of_a_section_stand_in_order_under_its_heading():
    figure = Figure()
    figure.subplots().plot([1, 2])
    picture = Picture.of(figure, "line", "A line")
    text = rendered(sections={"One": ["before", picture, "after"], "Two": [Table([["cell"]])]})
    places = [text.index(word) for word in ("<h2>One", "before", "A line", "after", "<h2>Two")]
    assert places == sorted(places)
    assert f'<img src="{picture.uri}" alt="A line">' in text
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", text)


def test_the_last_columns_are_numbers():
    table = Table([("a", "b", 1, 2)], ("w", "x", "y", "z"), numbers=2)
    text = rendered(sections={"": [table]})
    number = ' class="number"'
    assert f"<tr><th>w</th><th>x</th><th{number}>y</th><th{number}>z</th></tr>" in text
    assert f"<tr><td>a</td><td>b</td><td{number}>1</td><td{number}>2</td></tr>" in text
    assert "<th" not in rendered(sections={"": [Table([("a",)])]})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456, "0.1235"),
        (np.float64(2), "2"),
        (20_000, "20000"),
        (True, "True"),
        (None, ""),
        (np.nan, ""),
        ("a", "a"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_value_as_a_table_shows_it(value, expected):
    assert page.text(value) == expected


def test_a_short_name_keeps_its_ends():
    assert page.short("oak") == "oak"
    assert page.short("x" * 24) == "x" * 24
    assert page.short("a" * 50 + "b" * 50) == "a" * 12 + "…" + "b" * 12
    assert page.short("a\nb\0c") == "a?b?c"
    assert page.short(7) == "7"


def test_letters_that_the_font_has_not_warn_of_nothing():
    figure = Figure()
    figure.suptitle("日本")
    assert Picture.of(figure, "name", "").png.startswith(b"\x89PNG")
