import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from recipes.tuning.result import SearchResult


def test_importance_and_plot(tmp_path):
    rng = np.random.default_rng(0)
    trials = pd.DataFrame(
        {
            "trial": range(60),
            "status": "completed",
            "score": 0.0,
            "best_epoch": 3,
            "learning_rate": 10 ** rng.uniform(-5, -1, 60),
            "activation": rng.choice(["relu", "tanh", "mish"], 60),
            "momentum": rng.uniform(0, 1, 60),
            "depth": 2,
        }
    )
    trials["score"] = (np.log10(trials["learning_rate"]) + 3) ** 2 + (
        trials["activation"] == "tanh"
    )
    trials.loc[0, ["status", "score"]] = ["failed", np.nan]
    trials.loc[:30, "momentum"] = np.nan
    result = SearchResult(trials, {}, {}, "val_loss", tmp_path, None)
    importance = result.importance()
    assert importance.sum() == pytest.approx(1)
    assert importance.index.tolist()[:2] == ["learning_rate", "activation"]
    assert "depth" not in importance
    figure = result.plot(Figure())
    assert [ax.get_title() for ax in figure.axes[:3]] == ["progress", "importance", "learning_rate"]
    progress = figure.axes[0].lines[1].get_ydata()
    np.testing.assert_array_equal(progress[1:], trials["score"][1:].cummin())


def test_the_model_is_loaded_from_the_folder_by_the_best_setting(tmp_path):
    asked = []
    result = SearchResult(
        pd.DataFrame(), {"width": 8}, {}, "val_accuracy", tmp_path, lambda *a: asked.append(a)
    )
    assert not result.minimized
    assert not asked
    assert result.model is None
    assert asked == [(tmp_path, {"width": 8})]
