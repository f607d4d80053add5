"""What a report says of pictures with any number of labels."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from recipes.page import Picture, Table
from recipes.report import multilabel
from recipes.tasks import Multilabel
from tests.recipes.report import runs

TASK = Multilabel(("beach", "boat", "<dog>"), (0.5, 0.4, 0.6))
RNG = np.random.default_rng(0)
TARGETS = (RNG.random((60, 3)) < [0.5, 0.3, 0.2]).astype("float32")
OUTPUTS = np.clip(0.4 * TARGETS + RNG.random((60, 3)) * 0.6, 0, 1).astype("float32")
PIXELS = np.zeros((60, 4, 4, 3), "uint8")


@pytest.fixture
def info():
    found = {"part": "test", **TASK.evaluate(TARGETS, OUTPUTS)}
    return {**runs.INFO, "classes": list(TASK.classes), "task": TASK.to_dict(), "metrics": found}


@pytest.fixture
def table():
    return TASK.prediction_table([f"{n}.png" for n in range(60)], TARGETS, OUTPUTS)


def test_the_head_has_the_mean_average_precision(info):
    title, strip = multilabel.head(info)
    mean = metrics.average_precision_score(TARGETS, OUTPUTS)
    assert title == f"3 labels, mean average precision {mean:.3f}"
    assert strip[0] == (f"{mean:.3f}", "mean average precision")
    assert strip[2][1].startswith("all labels right on the test part, ")


def test_each_label_has_a_row_with_scikit_learns_figures(info, table):
    parts = multilabel.results(info, table, PIXELS)
    rows = parts["By label"][0].rows
    average = metrics.average_precision_score(TARGETS, OUTPUTS, average=None)
    assert [row[0] for row in rows] == list(TASK.classes)
    assert [row[1] for row in rows] == [str(int(count)) for count in TARGETS.sum(axis=0)]
    assert [row[2] for row in rows] == ["0.500", "0.400", "0.600"]
    assert [row[3] for row in rows] == [f"{value:.3f}" for value in average]


def test_mistakes_are_the_surest_first_and_explained_by_their_label(info, table):
    asked = []

    def explain(pictures, labels):
        asked.append(labels.tolist())
        return np.zeros((len(pictures), 2, 2))

    worst = multilabel.mistakes(TASK, table["file"], TARGETS, OUTPUTS)
    said = TASK.decide(OUTPUTS)
    for row, mistake in worst.iterrows():
        label = TASK.classes.index(mistake["label"])
        assert said[row, label] != TARGETS[row, label]
        assert mistake["said"] == bool(said[row, label])
    sure = np.where(worst["said"], worst["probability"], 1 - worst["probability"])
    assert (np.diff(sure) <= 0).all()
    parts = multilabel.results(info, table, PIXELS, explain)["The most confident mistakes"]
    assert [type(part) for part in parts] == [Picture, str, Picture, Table]
    assert asked == [worst["place"].tolist()]
    right = TASK.prediction_table(list(table["file"]), said, OUTPUTS)
    assert multilabel.results(info, right, PIXELS)["The most confident mistakes"] == ["None."]


def test_the_balance_counts_labels(info):
    rows = {"class": ["beach;boat", "boat", "", "<dog>"], "part": "train", "status": "ok"}
    sentence, picture = multilabel.balance(info, pd.DataFrame(rows))
    assert sentence.startswith("A picture has 1.0 labels in the mean")
    assert picture.png


def test_of_many_labels_the_hardest_have_curves():
    many = Multilabel(tuple(f"label {k}" for k in range(30)))
    rng = np.random.default_rng(1)
    targets = (rng.random((40, 30)) < 0.4).astype("float32")
    figure = multilabel.plot_curves(many, targets, rng.random((40, 30)).astype("float32"))
    assert len(figure.axes[0].lines) == multilabel.MOST_CURVES
