"""What a report says of doubtful labels, from tables made by hand."""

import numpy as np
import pandas as pd
import pytest

from recipes.page import Picture, Table
from recipes.report import labels
from recipes.run import LABEL_ISSUES

FILES = [f"{number}.png" for number in range(30)]
PIXELS = np.arange(30, dtype="uint8")[:, None, None, None] * np.ones((30, 4, 4, 3), "uint8")
DATASET = pd.DataFrame(
    {
        "path": ["other.png", *FILES, "bad.png"],
        "part": ["test", *["train"] * 30, ""],
        "status": ["ok", *["ok"] * 30, "skipped"],
    }
)


def write(folder, wrong, score=0.5):
    issues = ["label"] * wrong + [""] * (30 - wrong)
    table = pd.DataFrame({"file": FILES[::-1], "label": "NA", "suggested": "7", "score": score})
    table.assign(issue=issues, reason="why").to_csv(folder / LABEL_ISSUES, index=False)


def test_without_a_table_it_says_so(tmp_path):
    (words,) = labels.section(tmp_path, DATASET, PIXELS)
    assert words.startswith("Not looked for")


def test_without_scores_nothing_can_be_said(tmp_path):
    write(tmp_path, 0, score=np.nan)
    (words,) = labels.section(tmp_path, DATASET, PIXELS)
    assert words.startswith("Nothing can be said")


def test_without_a_doubt_none_stands_out(tmp_path):
    write(tmp_path, 0)
    (words,) = labels.section(tmp_path, DATASET, PIXELS)
    assert words.startswith("None stands out: 0 of 30 training pictures")


@pytest.mark.parametrize("wrong", [1, 5, 30])
def test_the_most_suspicious_are_shown_with_what_is_meant(wrong, tmp_path, monkeypatch):
    drawn = []
    plot = labels.plot_pictures
    monkeypatch.setattr(labels, "plot_pictures", lambda *a: drawn.append(a) or plot(*a))
    write(tmp_path, wrong)
    words, picture, table = labels.section(tmp_path, DATASET, PIXELS)
    shown = min(wrong, 12)
    assert words.startswith(f"{wrong} of 30 training pictures")
    assert isinstance(picture, Picture)
    assert isinstance(table, Table)
    assert [row[:3] for row in table.rows] == [[f, "NA", "7"] for f in FILES[::-1][:shown]]
    pixels, titles = drawn[0]
    assert pixels[:, 0, 0, 0].tolist() == list(range(29, 29 - shown, -1))
    assert titles == ["NA\n→ 7"] * shown
