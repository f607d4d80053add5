"""What a report says where each picture has one label."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from recipes.page import Picture, Table
from recipes.report import multiclass
from recipes.report.common import plot_counts
from tests.recipes.report import runs

INFO = {**runs.INFO, "classes": ["a", "b", "c"]}


def many(count):
    return [f"class {number} of a long name, which no plot has room for" for number in range(count)]


def test_the_head_has_the_measured_figures():
    title, strip = multiclass.head(INFO)
    assert title == "3 classes, accuracy 75.0 %"
    assert [figure for figure, _ in strip] == ["75.0 %", "0.500", "0.250", "0.125", "4"]
    assert strip[0][1] == "accuracy on the test part, 30.1 % to 95.4 % with 95 % confidence"


def test_the_class_table_is_scikit_learns():
    table = runs.predictions("abc", wrong=3)
    found = multiclass.class_table(table, ["a", "b", "c", "never seen"])
    truth, prediction = table["truth"], table["prediction"]
    for name in ("precision", "recall", "f1"):
        score = getattr(metrics, f"{name}_score")
        expected = score(truth, prediction, labels=list("abc"), average=None, zero_division=0)
        np.testing.assert_array_equal(found[name][:3], expected)
    assert found["pictures"].tolist() == [2, 2, 2, 0]
    assert found.loc[3, ["precision", "recall", "f1"]].tolist() == [0, 0, 0]


def test_mistakes_are_the_surest_first():
    table = runs.predictions("abc", wrong=4)
    assert multiclass.mistakes(table)["file"].tolist() == [
        "b/3.png", "b/2.png", "a/1.png", "a/0.png",
    ]  # fmt: skip
    assert multiclass.mistakes(table, most=1)["file"].tolist() == ["b/3.png"]
    assert multiclass.mistakes(runs.predictions("abc", wrong=0)).empty


def test_the_explanation_is_asked_for_the_wrong_classes_of_the_mistakes():
    table = runs.predictions("abc", wrong=3)
    pixels = np.arange(6, dtype="uint8")[:, None, None, None] * np.ones((6, 4, 4, 3), "uint8")
    asked = []

    def explain(pictures, classes):
        asked.append((pictures[:, 0, 0, 0].tolist(), classes.tolist()))
        return np.zeros((len(pictures), 2, 2))

    parts = multiclass.results(INFO, table, pixels, explain)["The most confident mistakes"]
    assert asked == [([2, 1, 0], [2, 1, 1])]
    assert [type(part) for part in parts] == [Picture, str, Picture, Table]
    assert parts[-1].rows[0] == ("b/2.png", "b", "c", "0.720")


@pytest.mark.parametrize(("count", "names", "numbers"), [(1, 1, 1), (20, 20, 40), (200, 0, 0)])
def test_the_confusion_matrix_of_few_and_many_classes(count, names, numbers):
    classes = many(count)
    figure = multiclass.plot_confusion(runs.predictions(classes, wrong=0), classes)
    axis = figure.axes[0]
    np.testing.assert_array_equal(np.diag(axis.images[0].get_array()), np.ones(count))
    assert sum(t.get_text().startswith("class") for t in axis.get_yticklabels()) == names
    assert sum(int(t.get_text()) for t in axis.texts) == (numbers and 2 * count)
    assert max(figure.get_size_inches()) < 17
    assert Picture.of(figure, "confusion", "").png


@pytest.mark.parametrize("count", [1, 200])
def test_the_pictures_of_each_class_by_part(count):
    classes = many(count)
    counts = pd.DataFrame(1, classes, ["train", "validation", "test"])
    figure = plot_counts(counts)
    assert len(figure.axes[0].patches) == 3 * count
    assert {bar.get_width() for bar in figure.axes[0].patches} == {1}
    assert figure.get_size_inches()[1] <= 30
    sentence, picture = multiclass.balance({**INFO, "classes": classes}, runs.dataset(classes))
    assert "1.5 times" in sentence
    assert picture.name == "classes"
