"""The first epochs of a phase are on smaller pictures."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from recipes import strategies
from recipes.images import augment
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.stretches import stretches
from tests.recipes.transfer.interrupting import assert_same, resumed
from tests.recipes.transfer.tiny import DATA, SOLVED, build_tiny, digits_part, training_data

LATER = replace(SOLVED, phases=(strategies.HEAD, replace(SOLVED.phases[1], trainable_from=0.5)))
LARGE_SIDE = 96  # of which there is a smaller size
LARGE = {
    "train": digits_part("train", 0, 12, LARGE_SIDE),
    "validation": digits_part("validation", 32, 6, LARGE_SIDE),
}


@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize("strategy", [SOLVED, LATER], ids=["everything", "later stages"])
def test_an_interruption_between_two_sizes_changes_nothing(strategy, epochs, tmp_path, monkeypatch):
    def run(folder, work=None):
        transfer = build_tiny(side=LARGE_SIDE)
        data = training_data(LARGE, folder, augmentation=augment.get("light"))
        return transfer, *fine_tune(transfer, strategy, data, work=work, usual=1.0)

    expected = run(tmp_path / "whole")
    assert_same(resumed(run, epochs, tmp_path, monkeypatch), expected)


def test_the_first_epochs_are_on_smaller_pictures(tmp_path):
    transfer = build_tiny(side=LARGE_SIDE)
    phase = SOLVED.phases[1]
    cut = training_data(LARGE, tmp_path).cut(transfer, transfer.set_trainable(phase))
    first, second = stretches(cut, phase)
    assert (first.until, second.until) == (2, 3)
    assert first.train[0][0].shape[1:] == (64, 64, 3)
    assert second.train[0][0].shape[1:] == (LARGE_SIDE, LARGE_SIDE, 3)
    pairs = zip(first.part.variables, second.part.variables, strict=True)
    assert all(one is other for one, other in pairs)
    for picture, smaller in zip(LARGE["train"].pixels, cut.resized().inputs("train"), strict=True):
        expected = Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(smaller, np.asarray(expected))
    small = training_data(DATA, tmp_path).cut(build_tiny(), 0)
    assert [stretch.until for stretch in stretches(small, phase)] == [3]


def test_a_callback_that_stops_ends_the_phase_on_smaller_pictures_too(tmp_path):
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(
            stop.model, "stop_training", logs["phase"] == "everything"
        )
    )
    data = training_data(LARGE, tmp_path)
    history, audits = fine_tune(build_tiny(side=LARGE_SIDE), SOLVED, data, listeners=[stop])
    assert history["phase"].tolist() == ["classifier", "everything"]
    assert audits[1]["stopped"] == 1
    again, _ = fine_tune(
        build_tiny(side=LARGE_SIDE), SOLVED, data, known=[audits[0], {**audits[1], "blend": 1.0}]
    )
    assert again["phase"].tolist() == ["classifier", "everything"]
