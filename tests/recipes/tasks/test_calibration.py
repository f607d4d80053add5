import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.calibration import calibration_curve

from recipes.tasks import Binary, Multiclass, Multilabel
from recipes.tasks.calibration import (
    calibration_error,
    label_calibration_error,
    sigmoid_loss,
    softmax_loss,
)

TASK = Multiclass(tuple("abcd"))


def drawn(temperature, n=20_000, classes=4):
    """Labels drawn from a softmax, and the probabilities that a model with other logits gives."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (n, classes))
    truth = softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return labels, softmax(logits * temperature, axis=1), truth


def drawn_labels(temperatures, n=20_000):
    """The same for a sigmoid a label: each has a temperature of its own."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (n, len(temperatures)))
    targets = (rng.random(logits.shape) < expit(logits)).astype("float32")
    return targets, expit(logits * np.array(temperatures)), expit(logits)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 6.0])
def test_the_temperature_of_drawn_labels_is_found(temperature):
    labels, probabilities, _ = drawn(temperature)
    assert TASK.temperatures(labels, probabilities) == pytest.approx([temperature], rel=0.03)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_that_of_one_probability_is_found(temperature):
    targets, outputs, _ = drawn_labels([temperature])
    found = Binary(("no", "yes")).temperatures(targets, outputs)
    assert found == pytest.approx([temperature], rel=0.03)


def test_each_label_has_a_temperature_of_its_own():
    temperatures = [0.3, 1.0, 2.5, 0.7]
    targets, outputs, _ = drawn_labels(temperatures)
    found = Multilabel(tuple("abcd")).temperatures(targets, outputs)
    assert found == pytest.approx(temperatures, rel=0.04)


def test_a_few_pictures_that_are_all_right_do_not_make_it_certain():
    probabilities = np.full((3, 3), 0.1) + 0.7 * np.eye(3)
    assert Multiclass(tuple("abc")).temperatures(np.arange(3), probabilities)[0] > 0.4


def test_pictures_that_are_right_say_less_than_those_that_are_wrong():
    """Of a model that fits what it learned from; the validation part of 60 pictures has twelve."""
    labels, right = np.arange(12) % 3, np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    task, outputs = Multiclass(tuple("abc")), right[labels]
    assert 0.7 < task.temperatures(labels, outputs)[0] < 0.9
    labels[:4] = 2, 2, 1, 1  # two thirds are right: log 18 / log 4 is 2.09
    assert 1.7 < task.temperatures(labels, outputs)[0] < 2.1


def test_a_label_that_is_rare_and_found_does_not_make_it_certain():
    targets, outputs = np.eye(4, 1, dtype="float32"), np.array([[0.8], [0.1], [0.1], [0.1]])
    assert Multilabel(("a",)).temperatures(targets, outputs)[0] > 0.3


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_calibration_error_is_that_of_scikit_learns_curve(temperature):
    labels, probabilities, _ = drawn(temperature, classes=2)
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    share, mean = calibration_curve(right, sure, n_bins=15)
    counts = np.histogram(sure, np.linspace(0, 1, 16))[0]
    expected = (np.abs(share - mean) * counts[counts > 0]).sum() / len(sure)
    assert calibration_error(labels, probabilities) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_so_is_that_of_one_label(temperature):
    targets, outputs, _ = drawn_labels([temperature])
    truth, chances = targets[:, 0], outputs[:, 0]
    share, mean = calibration_curve(truth, chances, n_bins=15)
    counts = np.histogram(chances, np.linspace(0, 1, 16))[0]
    expected = (np.abs(share - mean) * counts[counts > 0]).sum() / len(truth)
    assert label_calibration_error(truth, chances) == pytest.approx(expected, abs=1e-4)


def test_the_calibrated_loss_is_the_smallest_over_temperatures():
    labels, probabilities, truth = drawn(3.0)
    expected = -np.log(truth[np.arange(len(labels)), labels]).mean()
    assert TASK.calibrated_loss(labels, probabilities) == pytest.approx(expected, rel=1e-3)
    assert np.isnan(TASK.calibrated_loss(labels, probabilities * np.nan))


@pytest.mark.parametrize("task", [Binary(("no", "yes")), Multilabel(("a", "b", "c"))])
def test_so_it_is_of_probabilities_by_themselves(task):
    targets, outputs, truth = drawn_labels([3.0, 0.5, 1.5][: task.units])
    expected = -np.log(np.where(targets == 1, truth, 1 - truth)).mean()
    assert task.calibrated_loss(targets, outputs) == pytest.approx(expected, rel=1e-3)
    assert np.isnan(task.calibrated_loss(targets, outputs * np.nan))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_loss_at_a_temperature_is_that_of_divided_logits(temperature):
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 4, 50), rng.normal(0, 2, (50, 4))
    expected = -np.log(softmax(logits / temperature, axis=1)[np.arange(50), labels]).mean()
    found = softmax_loss(labels, softmax(logits, axis=1), np.log(temperature))
    assert found == pytest.approx(expected)
    truth, chances = (labels > 1).astype("float64"), expit(logits[:, 0])
    right = np.where(truth == 1, 1, -1) * logit(chances) / temperature
    expected = -np.log(expit(right)).mean()
    assert sigmoid_loss(truth, chances, np.log(temperature)) == pytest.approx(expected)
