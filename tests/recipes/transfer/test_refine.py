import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from recipes.images.parts import Part
from recipes.tasks import Binary, Multilabel
from recipes.transfer import refine
from tests.recipes.transfer.tiny import SIDE, TASK, build_tiny, training_data

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
