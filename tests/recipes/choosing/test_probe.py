import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from recipes.choosing import probe
from tests.recipes.transfer.tiny import SIDE, build_tiny


@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbour_accuracy_is_scikit_learns_with_one_left_out(k):
    x, y = load_iris(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))[:90]
    x, y = x[rows] - x.mean(axis=0), y[rows]
    classifier = KNeighborsClassifier(k, metric="cosine")
    expected = balanced_accuracy_score(y, cross_val_predict(classifier, x, y, cv=LeaveOneOut()))
    # A tie between classes goes to the nearer one here, to the first class there.
    assert probe.neighbour_accuracy(x, y, k) == pytest.approx(expected, abs=0.03)


def test_random_labels_are_at_chance_and_real_ones_above():
    x, y = load_digits(return_X_y=True)
    x, y = x[:400], y[:400]
    random = np.random.default_rng(0).permutation(y)
    assert probe.neighbour_accuracy(x, random) < 0.2
    assert probe.neighbour_accuracy(x, y) > 0.9
    assert probe.h_score(x, y) > 5 * probe.h_score(x, random)


@pytest.mark.parametrize("sizes", [(294, 6), (294, 6, 6), (200, 100, 3), (2000, 10)], ids=str)
@pytest.mark.parametrize("several", [False, True])
def test_uneven_noise_is_at_chance(sizes, several):
    """Features that say nothing, whatever the classes' sizes; the largest is no answer."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=(len(labels), 32))
    if several:
        labels = (labels[:, None] == np.arange(1, len(sizes) + 1)).astype("float32")
    chance = 1 / len(sizes)
    assert probe.neighbour_accuracy(x, labels) < chance + 0.15


@pytest.mark.parametrize("sizes", [(2, 2), (3, 3, 3), (200, 3, 3), (200, 2), (5, 2, 2)], ids=str)
def test_few_and_uneven_classes_that_are_apart_are_told_apart(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    x = 20 * np.eye(len(sizes))[labels] + np.random.default_rng(0).normal(size=(len(labels), 1))
    assert probe.neighbour_accuracy(x, labels) == 1
    several = np.concatenate([np.eye(len(sizes))[labels], np.ones((len(x), 1))], axis=1)
    assert 0 <= probe.neighbour_accuracy(x, several.astype("float32")) <= 1


def test_every_class_is_in_a_sample():
    groups = np.repeat([0, 1, 2], [5_000, 20, 3])
    rows = probe.drawn(groups, 100, seed=0)
    assert np.bincount(groups[rows]).tolist() == [77, 20, 3]
    assert len(np.unique(rows)) == 100
    assert np.bincount(groups[probe.drawn(groups, 9, seed=0)]).tolist() == [3, 3, 3]


NOTHING = {
    "one picture a class": np.arange(3),
    "one class has two": np.array([0, 0, 1, 2]),
    "one class": np.zeros(4, int),
    "one picture": np.zeros(1, int),
    "the same labels": np.ones((4, 2), "float32"),
}


@pytest.mark.parametrize("labels", NOTHING.values(), ids=NOTHING)
def test_what_cannot_be_measured_is_not(labels):
    pooled = [np.zeros((len(labels), width)) for width in (4, 8, 16)]
    assert probe.stages(build_tiny().backbone, pooled, labels) is None


def test_the_h_score_of_separate_classes_is_one_less_than_their_number():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 2_000)
    x = 20 * np.eye(4)[labels] + rng.normal(size=(8_000, 4))
    assert probe.h_score(x, labels) == pytest.approx(3, abs=0.05)


def test_a_probe_has_a_row_a_stage():
    labels = np.array([0] * 8 + [1] * 8 + [2])  # the last has no other of its class
    pooled = [np.eye(3)[labels] @ np.ones((3, width)) for width in (4, 8, 16)]
    table = probe.stages(build_tiny().backbone, pooled, labels)
    assert table["stage"].tolist() == ["stage0", "stage1", "stage2"]
    assert table["neighbour_accuracy"].between(0, 1).all()


def test_the_pooled_stages_are_the_means_of_the_maps():
    backbone = build_tiny().backbone
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), "uint8")
    pooled = keras.Model(backbone.model.input, probe.pooled_stages(backbone))
    stages = pooled.predict(pixels, verbose=0)
    assert [values.shape for values in stages] == [(5, 4), (5, 8), (5, 16)]
    maps = backbone.model.predict(pixels, verbose=0)
    np.testing.assert_allclose(stages[-1], maps.mean(axis=(1, 2)), atol=1e-5)
