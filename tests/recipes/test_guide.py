"""The Python of the README and of the guide runs, block by block."""

import re
from functools import partial
from pathlib import Path

import pytest

import recipes
from tests.recipes.images import pictures

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(page, count, folder, backbone, monkeypatch):
    """What the names are after all blocks of a page, in a folder with pictures."""
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(blocks) == count
    pictures.make_classes(folder / "photos", 20, ("ash", "oak", "pine"))
    monkeypatch.chdir(folder)
    for name in ("fit", "predict", "load", "check"):
        monkeypatch.setattr(recipes, name, partial(getattr(recipes, name), backbone=backbone))
    names = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    return names


def test_the_recipes_page_runs(tiny, tmp_path, monkeypatch):
    names = run("docs/recipes.md", 1, tmp_path, tiny, monkeypatch)
    assert names["model"].output_shape == (None, 10)


@pytest.mark.tensorflow_only
def test_the_guide_runs_from_top_to_bottom(tiny, tmp_path, monkeypatch):
    names = run("docs/guide.md", 11, tmp_path, tiny, monkeypatch)
    assert names["run"].decision.strategy == "mine"
    assert (tmp_path / "runs" / "photos" / "report.html").exists()
    assert names["both"].task.name == "multilabel"
    assert names["both"].classes == ["ash", "evergreen", "oak", "pine"]
    assert names["history"].history["learning_rate"][-1] < 0.1
    assert len(names["result"].trials) == 3


@pytest.mark.tensorflow_only
def test_the_readme_runs_and_is_short(tiny, tmp_path, monkeypatch):
    names = run("README.md", 3, tmp_path, tiny, monkeypatch)
    assert names["run"].metrics["accuracy"] > 0.5
    assert len(names["result"].trials) == 3
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 110
