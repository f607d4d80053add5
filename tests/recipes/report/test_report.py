"""The page of a run, made from tables."""

import re

import numpy as np
import pytest

from recipes import report
from tests.recipes.report import runs

CLASSES = ("007", "NA", "cat & <dog>")


def explain(pixels, classes):
    assert classes.tolist() == [1]
    return np.zeros((len(pixels), 2, 2))


@pytest.fixture
def folder(tmp_path):
    assert report.write(*runs.write(tmp_path, CLASSES), explain) == tmp_path / "report.html"
    return tmp_path


def page_of(folder):
    return re.sub(r"base64,[\w+/=]+", "base64,", (folder / "report.html").read_text("utf-8"))


def test_names_are_escaped_and_nothing_is_fetched(folder):
    text = page_of(folder)
    assert "cat &amp; &lt;dog&gt;" in text
    assert "Few pictures &amp; alike." in text
    assert "&lt;b&gt;.png" in text
    for evil in ("<dog>", "<b>.png", "<i>", "http"):
        assert evil not in text


def test_the_page_says_what_the_tables_say(folder):
    text = page_of(folder)
    for words in (
        "<title>3 classes, accuracy 75.0 %</title>",
        "<h1>photos</h1>",
        "tiny at 8 × 16 pixels, strategy <b>small_similar</b>, seed 7, 12 s",
        "<b>0.500</b>macro F1",
        '<td>pictures a class</td><td class="number">3</td>',
        "<td>classifier</td>",
        '<td>007</td><td class="number">1.000</td><td class="number">0.500</td>'
        '<td class="number">0.667</td><td class="number">2</td>',
        '<td>007/0.png</td><td>007</td><td>NA</td><td class="number">0.600</td>',
        "3 train, 3 validation, 3 test; 1 skipped. The largest class has 1.5 times",
        "class weights were not used",
        "<td>a note &lt;u&gt;</td>",
        "<td>keras</td><td>3.15.1</td>",
        "<td>weights</td><td>a package, Apache-2.0</td>",
    ):
        assert words in text
    assert "not measured" not in text


def test_every_figure_is_in_the_page_and_beside_it(folder):
    names = {path.stem for path in folder.glob("*.png")}
    assert names == {"history", "confusion", "classes", "samples", "mistakes", "evidence"}
    assert page_of(folder).count("data:image/png;base64,") == 6
    assert not list(folder.glob(".*"))


def test_without_mistakes(tmp_path):
    report.write(*runs.write(tmp_path, CLASSES, wrong=0), explain)
    assert "<p>None.</p>" in page_of(tmp_path)
    assert not (tmp_path / "mistakes.png").exists()


def test_without_an_explanation(tmp_path):
    report.write(*runs.write(tmp_path, CLASSES))
    assert "Grad-CAM" not in page_of(tmp_path)
    assert (tmp_path / "mistakes.png").exists()
    assert not (tmp_path / "evidence.png").exists()


def test_a_model_that_was_not_trained(tmp_path):
    arguments = runs.write(tmp_path, CLASSES, audit=[])
    (tmp_path / "history.csv").write_text("\n")  # as pandas writes a table of nothing
    report.write(*arguments)
    assert "Nothing was trained." in page_of(tmp_path)
    assert not (tmp_path / "history.png").exists()


@pytest.mark.parametrize("count", [1, 200])
def test_any_number_of_classes(count, tmp_path):
    classes = [f"class {number}" for number in range(count)]
    report.write(*runs.write(tmp_path, classes, wrong=0 if count == 1 else 20))
    text = page_of(tmp_path)
    assert f"<title>{count} classes" in text
    assert text.count("<td>class ") >= count
