"""The guide's Python runs, block by block."""

import re
from functools import partial
from pathlib import Path

import pytest

import recipes
from tests.recipes.images import pictures

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))


@pytest.mark.tensorflow_only
def test_the_guide_runs_from_top_to_bottom(tiny, tmp_path, monkeypatch):
    assert len(BLOCKS) == 7
    pictures.make_classes(tmp_path / "photos", 20, ("ash", "oak", "pine"))
    monkeypatch.chdir(tmp_path)
    for name in ("fit_folder", "predict"):
        monkeypatch.setattr(recipes, name, partial(getattr(recipes, name), backbone=tiny))
    names = {}
    for block in BLOCKS:
        exec(compile(block, str(GUIDE), "exec"), names)
    assert names["run"].decision.strategy == "mine"
    assert (tmp_path / "runs" / "photos" / "report.html").exists()
    assert names["history"].history["learning_rate"][-1] < 0.1
    assert len(names["result"].trials) == 3
