import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from recipes.choosing import probe
from tests.recipes.transfer.tiny import SIDE, build_tiny


@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbour_accuracy_is_scikit_learns_with_one_left_out(k):
    x, y = load_iris(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))[:90]
    x, y = x[rows] - x.mean(axis=0), y[rows]
    classifier = KNeighborsClassifier(k, metric="cosine")
    expected = cross_val_score(classifier, x, y, cv=LeaveOneOut()).mean()
    # A tie between classes goes to the nearer one here, to the first class there.
    assert probe.neighbour_accuracy(x, y, k) == pytest.approx(expected, abs=0.03)


def test_random_labels_are_at_chance_and_real_ones_above():
    x, y = load_digits(return_X_y=True)
    x, y = x[:400], y[:400]
    random = np.random.default_rng(0).permutation(y)
    assert probe.neighbour_accuracy(x, random) < 0.2
    assert probe.linear_accuracy(x, random) < 0.2
    assert probe.neighbour_accuracy(x, y) > 0.9
    assert probe.linear_accuracy(x, y) > 0.9
    assert probe.h_score(x, y) > 5 * probe.h_score(x, random)


def test_the_h_score_of_separate_classes_is_one_less_than_their_number():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 2_000)
    x = 20 * np.eye(4)[labels] + rng.normal(size=(8_000, 4))
    assert probe.h_score(x, labels) == pytest.approx(3, abs=0.05)


def test_a_probe_has_a_row_a_stage():
    transfer = build_tiny()
    rng = np.random.default_rng(0)
    labels = np.array([0] * 8 + [1] * 8 + [2])  # the last has no other of its class
    pixels = (rng.integers(0, 60, (17, SIDE, SIDE, 3)) + 90 * labels[:, None, None, None]).astype(
        "uint8"
    )
    table = probe.probe(transfer.backbone, pixels, labels, verbose=False)
    assert table["stage"].tolist() == ["stage0", "stage1", "stage2"]
    assert table["neighbour_accuracy"].between(0, 1).all()
    assert table["linear_accuracy"].notna().tolist() == [False, False, True]


def test_the_pooled_stages_are_the_means_of_the_maps():
    transfer = build_tiny()
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), "uint8")
    stages = probe.pooled_stages(transfer.backbone, pixels, verbose=False)
    assert [values.shape for values in stages] == [(5, 4), (5, 8), (5, 16)]
    maps = transfer.backbone.model.predict(pixels, verbose=0)
    np.testing.assert_allclose(stages[-1], maps.mean(axis=(1, 2)), atol=1e-5)
