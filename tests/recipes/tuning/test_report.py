import pandas as pd

from recipes.tuning import report
from recipes.tuning.result import SearchResult


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
