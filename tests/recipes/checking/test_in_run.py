"""The doubtful labels of a run, in its folder and in its report."""

import re

import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.checking import in_run
from recipes.run import LABEL_ISSUES, read_table
from recipes.strategies import STRATEGIES
from tests.recipes.images import pictures

CLASSES = ("NA", "7", "cat & <dog>")
OPTIONS = {"epochs": 1, "refit": False, "verbose": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = pictures.make_classes(tmp_path_factory.mktemp("colours"), 40, CLASSES)
    for number in range(4):
        (place / "NA" / f"{number:03d}.png").rename(place / "7" / f"moved{number}.png")
    return place


@pytest.fixture(scope="module")
def runs(folder, tiny, tmp_path_factory):
    made = {}

    def run(strategy):
        if strategy not in made:
            output = tmp_path_factory.mktemp("runs") / strategy
            made[strategy] = recipes.fit(
                folder, output=output, strategy=strategy, backbone=tiny, **OPTIONS
            )
        return made[strategy]

    return run


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_labels_are_looked_at_where_the_backbone_is_frozen_first(runs, strategy):
    run = runs(strategy)
    page = (run.folder / "report.html").read_text("utf-8")
    assert "<h2>Labels to look at</h2>" in page
    frozen = STRATEGIES[strategy].phases[0].trainable_from == 1
    assert (run.folder / LABEL_ISSUES).exists() == frozen
    assert ("Not looked for" in page) != frozen


def test_the_table_is_of_the_training_part_and_names_what_is_wrong(runs):
    run = runs("small_similar")
    table = read_table(run.folder / LABEL_ISSUES)
    train = run.dataset[run.dataset["part"] == "train"].set_index("path")
    assert set(table["file"]) == set(train.index)
    assert table["label"].tolist() == train.loc[table["file"], "class"].tolist()
    moved = {path for path in train.index if "moved" in path}
    assert moved == set(table["file"][: len(moved)])
    found = table[table["issue"] == "label"]
    assert len(found) > 1
    assert (found["suggested"] == "NA").all()
    page = (run.folder / "report.html").read_text("utf-8")
    page = re.sub(r"base64,[\w+/=]+", "", page)
    first = table.loc[0, "file"]
    assert f"<td>{first}</td><td>7</td><td>NA</td><td>looks like NA (" in page
    assert f"{len(found)} of {len(table)} training pictures" in page
    assert (run.folder / "labels.png").exists()


@pytest.mark.parametrize("strategy", ["small_dissimilar", "large_similar"])
def test_it_is_the_same_whatever_is_trained_afterwards(runs, strategy):
    files = [runs(name).folder / LABEL_ISSUES for name in ("small_similar", strategy)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_of_many_pictures_some_are_drawn(folder, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(in_run, "MOST", 50)
    options = {"strategy": "head_only", "backbone": tiny, "views": 2, **OPTIONS}
    run = recipes.fit(folder, output=tmp_path / "run", **options)
    table = read_table(run.folder / LABEL_ISSUES)
    assert len(table) == 50
    train = run.dataset[run.dataset["part"] == "train"].set_index("path")
    assert table["label"].tolist() == train.loc[table["file"], "class"].tolist()


def test_few_pictures_end_no_training(tiny, tmp_path):
    folder = pictures.make_classes(tmp_path / "few", 3, CLASSES)
    output = tmp_path / "run"
    run = recipes.fit(folder, output=output, strategy="head_only", backbone=tiny, **OPTIONS)
    assert "Nothing can be said: too few pictures" in (run.folder / "report.html").read_text()


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_other_tasks_are_looked_at_too(task, tiny, tmp_path):
    folder, pairs = pictures.pairs_of_digits(tmp_path / "pairs", 80)
    files = sorted(path.name for path in folder.iterdir())
    cells = [";".join(sorted({f"a {d}" for d in pair})) for pair in pairs]
    if task == "binary":
        cells = ["a 0" if 0 in pair else "none" for pair in pairs]
    table = pd.DataFrame({"file": [str(folder / name) for name in files], "label": cells})
    options = {"task": task, "strategy": "head_only", "backbone": tiny, **OPTIONS}
    run = recipes.fit(table, output=tmp_path / "run", label_column="label", **options)
    found = read_table(run.folder / LABEL_ISSUES)
    assert np.isfinite(pd.to_numeric(found["score"])).all()
    assert "Labels to look at" in (run.folder / "report.html").read_text("utf-8")
