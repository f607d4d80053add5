"""The page of a search, made from a table of trials."""

import re

import numpy as np
import pandas as pd

from recipes.tuning import report
from recipes.tuning.result import SearchResult

NOTE = {
    "algorithm": "grid",
    "recipe": "mlp",
    "max_epochs": 3,
    "seed": 7,
    "space": {"rate": [1e-4, 0.1, "log"], "kind": "only", "width": 20_000},
}


def written(folder, count, objective="val_loss"):
    trials = pd.DataFrame(
        {
            "trial": range(count),
            "status": ["completed"] * (count - 1) + ["failed"],
            "score": [*np.linspace(0.1, 0.9, count - 1), np.nan],
            "rate": np.linspace(1e-4, 0.1, count),
        }
    )
    best = {"rate": 0.01234567, "width": 20_000}
    result = SearchResult(trials, best, {"accuracy": 0.98765}, objective, folder, None)
    return report.write(result, NOTE).read_text("utf-8")


def rows(text):
    """The trials' numbers, in the order of the page."""
    return [int(number) for number in re.findall(r"<tr><td>(\d+)</td><td>(?:comp|fail)", text)]


def test_the_page_says_what_was_searched_and_found(tmp_path):
    text = written(tmp_path, 5)
    for words in (
        "<title>grid search of mlp</title>",
        "5 trials (4 completed, 1 failed), at most 3 epochs each, seed 7",
        "<b>0.9877</b>accuracy on the test part",
        "compared by val_loss",
        "<td>rate</td><td>0.01235</td>",
        "<td>width</td><td>20000</td>",
        "<td>rate</td><td>0.0001, 0.1, log</td>",
        "<td>kind</td><td>only</td>",
        "<td>failed</td><td></td>",
    ):
        assert words in text
    assert text.count("data:image/png;base64,") == 1


def test_the_best_trial_stands_first_and_a_failed_one_last(tmp_path):
    assert rows(written(tmp_path, 5)) == [0, 1, 2, 3, 4]
    assert rows(written(tmp_path, 5, "val_accuracy")) == [3, 2, 1, 0, 4]


def test_of_many_trials_the_best_are_shown(tmp_path):
    assert rows(written(tmp_path, 250)) == list(range(report.ROWS))


def test_the_report_escapes_names(tmp_path):
    trials = pd.DataFrame(
        {"trial": [0, 1], "status": "completed", "score": [1.0, 2.0], "a": ["<script>", "y"]}
    )
    result = SearchResult(trials, {"a": "<script>"}, {"loss": 0.5}, "val_loss", tmp_path, None)
    note = {"algorithm": "grid", "recipe": "<script>", "max_epochs": 1, "seed": 0, "space": {}}
    page = report.write(result, note).read_text()
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") >= 3
    assert "0.5" in page
