"""A training that was interrupted ends as one that was not."""

from dataclasses import replace

import numpy as np
import pytest

from recipes.images import augment
from recipes.tasks import Binary, Multilabel
from recipes.transfer.fine_tune import fine_tune
from tests.recipes.transfer.interrupting import assert_same, resumed
from tests.recipes.transfer.tiny import (
    DATA,
    FROM_PIXELS,
    TASK,
    TWO_PHASES,
    build_tiny,
    training_data,
)

TARGETS = {
    "multiclass": (TASK, lambda labels: labels),
    "binary": (Binary(("a", "b")), lambda labels: (labels[:, None] == 1).astype("float32")),
    "multilabel": (Multilabel(("a", "b", "c")), lambda labels: np.eye(3, dtype="float32")[labels]),
}


@pytest.mark.parametrize(
    ("strategy", "epochs"), [(TWO_PHASES, 1), (TWO_PHASES, 2), (TWO_PHASES, 3), (FROM_PIXELS, 1)]
)
def test_an_interrupted_training_ends_with_the_same_weights(
    strategy, epochs, tmp_path, monkeypatch
):
    def run(folder, work=None):
        transfer, light = build_tiny(), augment.get("light")
        data = training_data(DATA, folder, seed=3, augmentation=light, views=2)
        return transfer, *fine_tune(transfer, strategy, data, work=work)

    expected = run(tmp_path / "whole")
    assert len(expected[2]) == len(strategy.phases)
    assert_same(resumed(run, epochs, tmp_path, monkeypatch), expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["multiclass", "binary", "multilabel"])
def test_an_interrupted_training_on_mixed_pictures_ends_with_the_same_weights(
    name, weighted, tmp_path, monkeypatch
):
    task, labels = TARGETS[name]
    parts = {k: replace(part, labels=labels(part.labels)) for k, part in DATA.items()}
    weights = np.linspace(1, 3, len(task.classes)) if weighted else None

    def run(folder, work=None):
        data = training_data(parts, folder, task=task, augmentation=augment.get("heavy"))
        transfer = build_tiny(task=task)
        found = fine_tune(transfer, FROM_PIXELS, data, work=work, class_weights=weights)
        return transfer, *found

    expected = run(tmp_path / "whole")
    assert expected[1]["accuracy"].between(0.05, 0.95).all()  # of labels that are shares
    assert_same(resumed(run, 1, tmp_path, monkeypatch), expected)
