"""What follows a training: how much of it is kept, and probabilities that mean what they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from recipes.images.parts import Part
from recipes.tasks import Binary, Multilabel
from recipes.transfer import refine
from recipes.transfer.fine_tune import fine_tune
from tests.recipes.transfer.tiny import (
    DATA,
    SIDE,
    SOLVED,
    TASK,
    build_tiny,
    training_data,
    values_of,
)

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, SIDE, SIDE, 3), "uint8")
LABELS = RNG.integers(0, 3, 24)


@pytest.mark.parametrize("first", [0, 2, 3])
def test_calibrating_changes_no_prediction_and_divides_the_logits(first, tmp_path):
    transfer = build_tiny(dropout=0.0)
    before = transfer.model.predict(PIXELS, verbose=0)
    part = Part(PIXELS, LABELS, "key")
    cut = training_data({"validation": part}).cut(transfer, first)
    temperature, task = refine.calibrate(cut)
    assert task is cut.data.task  # one label a picture has no threshold
    after = transfer.model.predict(PIXELS, verbose=0)
    assert temperature == pytest.approx(TASK.temperatures(LABELS, before)[0])
    expected = softmax(np.log(np.maximum(before, 1e-30)) / temperature, axis=1)
    np.testing.assert_allclose(after, expected, atol=1e-5)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()


@pytest.mark.parametrize("task", [Binary(("no", "yes")), Multilabel(("a", "b", "c"))])
def test_each_output_is_divided_by_its_own_temperature(task):
    transfer = build_tiny(dropout=0.0, task=task)
    before = transfer.model.predict(PIXELS, verbose=0)
    targets = RNG.integers(0, 2, before.shape).astype("float32")
    part = Part(PIXELS, targets, "key")
    cut = training_data({"validation": part}, task=task).cut(transfer, 0)
    temperatures, tuned = refine.calibrate(cut)
    temperatures = np.atleast_1d(temperatures)
    after = transfer.model.predict(PIXELS, verbose=0)
    assert len(temperatures) == task.units
    np.testing.assert_allclose(after, expit(logit(before) / temperatures), atol=1e-5)
    expected = task.tuned(targets, after)
    np.testing.assert_allclose(tuned.thresholds, expected.thresholds, atol=1e-4)
    assert len(tuned.thresholds) == task.units


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_blend_is_so_far_on_the_way(share, tmp_path):
    start, last, blended = (build_tiny() for _ in range(3))
    for transfer, known in ((last, 1.0), (blended, share)):
        audits = [{"penalty": 0.1}, {"blend": known}]
        data = training_data(DATA, tmp_path)
        fine_tune(transfer, SOLVED, data, known=audits)
    known = [{"penalty": 0.1}]
    fine_tune(start, replace(SOLVED, phases=SOLVED.phases[:1]), training_data(DATA), known=known)
    first, end, found = (values_of(one.model) for one in (start, last, blended))
    assert any((first[path] != end[path]).any() for path in first)
    for path, value in found.items():
        expected = first[path] + share * (end[path] - first[path])
        np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=path)


def test_what_nothing_judges_is_not_validated(tmp_path):
    known = [{"penalty": 0.1}, {"blend": 0.5}]
    history, audits = fine_tune(build_tiny(), SOLVED, training_data(DATA, tmp_path), known=known)
    assert not [name for name in history if name.startswith("val_")]
    assert audits[1]["blend"] == 0.5


def test_a_solved_classifier_keeps_what_it_has_unless_validation_is_sure(tmp_path):
    """Pictures of one colour a class are solved by the classifier alone."""
    coloured = {}
    for name, part in DATA.items():
        colours = 200 * np.eye(3, dtype="uint8")[part.labels][:, None, None]
        coloured[name] = replace(part, pixels=part.pixels // 8 + colours, key=f"coloured {name}")
    transfer = build_tiny()
    _, audits = fine_tune(transfer, SOLVED, training_data(coloured, tmp_path), usual=1.0)
    assert audits[0]["cross_validated_balanced_accuracy"] >= 0.95
    assert audits[1]["blend"] == 0.0


def test_a_majority_that_is_always_said_has_solved_nothing(tmp_path):
    """Of noise nothing can be told; 95 % of one class are right, a third of the classes."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [88, 4, 4])
    noise = rng.integers(0, 255, (96, SIDE, SIDE, 3)).astype("uint8")
    train = replace(DATA["train"], pixels=noise, labels=labels, key="noise")
    data = training_data({**DATA, "train": train}, tmp_path)
    _, audits = fine_tune(build_tiny(), SOLVED, data, usual=1.0)
    assert audits[0]["cross_validated_accuracy"] > 0.85
    assert audits[0]["cross_validated_balanced_accuracy"] < 0.5


def test_a_blend_takes_moving_statistics_along(tmp_path):
    phase = replace(SOLVED.phases[1], reduced=0.0, update_batch_norm=True)
    strategy = replace(SOLVED, phases=(SOLVED.phases[0], phase))
    start, blended = build_tiny(), build_tiny()
    known = [{"penalty": 0.1}, {"blend": 0.0}]
    fine_tune(start, replace(SOLVED, phases=SOLVED.phases[:1]), training_data(DATA), known=known)
    before = values_of(start.model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recipes.transfer.fine_tune.blend", back_to_the_start)
        fine_tune(blended, strategy, training_data(DATA, tmp_path))
    names = [path for path in before if "moving" in path]
    after = values_of(blended.model)
    assert names
    for path in names:
        np.testing.assert_array_equal(before[path], after[path])


def back_to_the_start(cut, state, usual, share=None):
    return refine.blend(cut, state, usual, 0.0)
