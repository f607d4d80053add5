"""What a report says of two classes that are told apart by one probability."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from recipes.page import Picture
from recipes.report import binary
from recipes.tasks import Binary
from tests.recipes.report import runs

TASK = Binary(("healthy", "ill"), (0.3,))
RNG = np.random.default_rng(0)
TRUTH = RNG.permutation(np.repeat([0.0, 1.0], (60, 20)))[:, None]
OUTPUTS = np.clip(0.3 * TRUTH + RNG.random((80, 1)) * 0.7, 0, 1).astype("float32")


@pytest.fixture
def info():
    found = {"part": "validation", **TASK.evaluate(TRUTH, OUTPUTS)}
    return {**runs.INFO, "classes": list(TASK.classes), "task": TASK.to_dict(), "metrics": found}


def test_the_head_has_the_area_and_the_threshold(info):
    title, strip = binary.head(info)
    assert title.startswith("healthy or ill, accuracy ")
    figures = {text: figure for figure, text in strip}
    area = metrics.roc_auc_score(TRUTH, OUTPUTS)
    assert figures["area under the ROC curve"] == f"{area:.3f}"
    assert figures["threshold, from which it is ill"] == "0.300"
    assert figures["validation pictures, which also decided when to stop"] == "80"


def test_the_curves_are_scikit_learns_and_the_threshold_lies_on_them():
    figure = binary.plot_curves(TRUTH[:, 0] > 0, OUTPUTS[:, 0], TASK)
    roc, recalls = figure.axes
    wrong, hits, _ = metrics.roc_curve(TRUTH, OUTPUTS)
    np.testing.assert_allclose(roc.lines[0].get_xydata(), np.stack([wrong, hits], axis=1))
    said = np.float32(0.3) <= OUTPUTS
    recall = metrics.recall_score(TRUTH, said)
    precision = metrics.precision_score(TRUTH, said)
    np.testing.assert_allclose(recalls.lines[1].get_xydata(), [[recall, precision]])
    np.testing.assert_allclose(roc.lines[2].get_xydata()[0, 1], recall)


def test_the_results_begin_with_the_threshold(info):
    table = TASK.prediction_table([f"{n}.png" for n in range(80)], TRUTH, OUTPUTS)
    pixels = np.zeros((80, 4, 4, 3), "uint8")
    parts = binary.results(info, table, pixels)
    assert list(parts) == ["The threshold", "By class", "The most confident mistakes"]
    text, picture = parts["The threshold"]
    assert f"recall {info['metrics']['recall']:.3f}, for ill" in text
    assert isinstance(picture, Picture)
    one_class = table[table["truth"] == "ill"].reset_index(drop=True)
    assert "The threshold" not in binary.results(info, one_class, pixels)


def test_the_balance_is_that_of_classes(info):
    rows = {"class": ["healthy", "ill"], "part": "train", "status": "ok"}
    sentence, picture = binary.balance(info, pd.DataFrame(rows))
    assert "1.5 times" in sentence
    assert picture.name == "classes"
