import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics

from recipes.tasks.thresholds import balanced_accuracy, best_threshold, f1

SCORES = {"f1": (f1, metrics.f1_score),
          "balanced": (balanced_accuracy, metrics.balanced_accuracy_score)}  # fmt: skip


def drawn(count, seed=0, centre=-2.0, spread=1.5):
    """Calibrated probabilities of a rare label, and whether pictures have it."""
    rng = np.random.default_rng(seed)
    chances = expit(rng.normal(centre, spread, count))
    return (rng.random(count) < chances).astype("float64"), chances


@pytest.mark.parametrize("name", SCORES)
def test_scores_are_scikit_learns_row_by_row(name):
    ours, theirs = SCORES[name]
    truth, chances = drawn(200)
    taken = chances >= np.linspace(0, 0.9, 10)[:, None]
    np.testing.assert_allclose(ours(truth, taken), [theirs(truth, row) for row in taken])


@pytest.mark.parametrize("seed", range(3))
def test_calibrated_probabilities_have_the_threshold_that_theory_says(seed):
    """For F1 it is half of the best F1 (arXiv 1402.1892, theorem 1)."""
    truth, chances = drawn(3_000, seed)
    limit = best_threshold(truth, chances, f1)
    best = max(metrics.f1_score(truth, chances >= at) for at in np.linspace(0.05, 0.6, 56))
    assert limit == pytest.approx(best / 2, abs=0.06)
    # For the balanced accuracy it is the share of pictures that have the label.
    balanced = best_threshold(truth, chances, balanced_accuracy)
    assert balanced == pytest.approx(truth.mean(), abs=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_pictures_that_cannot_tell_leave_it_at_a_half(seed):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat([0.0, 1.0], 9))
    assert best_threshold(truth, rng.uniform(0.4, 0.6, 18), balanced_accuracy) == 0.5
    assert best_threshold(np.zeros(30), rng.random(30), f1) == 0.5
    assert best_threshold(np.ones(30), rng.random(30), f1) == 0.5


def test_where_a_half_is_as_good_it_stays():
    truth = np.repeat([0.0, 1.0], 30)
    assert best_threshold(truth, np.where(truth, 0.9, 0.1), f1) == 0.5


def test_the_same_pictures_have_the_same_threshold():
    truth, chances = drawn(400)
    assert best_threshold(truth, chances, f1) == best_threshold(truth, chances, f1) < 0.5
