import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier

from recipes.tasks import Binary, Multiclass, Multilabel
from recipes.transfer import solve as module
from recipes.transfer.balance import frozen_accuracy
from recipes.transfer.solve import PENALTIES, solve

CLASSES = tuple("abcd")


def digits(count=120, classes=4):
    x, y = load_digits(n_class=classes, return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))[:count]
    return x[rows], y[rows]


def scaled(x):
    """What `solve` works on: one scale for all channels."""
    return (x - x.mean(axis=0)) / x.std(axis=0).mean()


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("penalty", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [30, 120], ids=["fewer than channels", "more than channels"])
def test_the_solution_is_scikit_learns(penalty, weighted, count):
    x, y = digits(count)
    weights = np.array([1.0, 4.0, 0.5, 1.0]) if weighted else None
    found = solve(x, y, Multiclass(CLASSES), class_weights=weights, penalty=penalty)
    sample = weights[y] if weighted else np.ones(len(y))
    reference = LogisticRegression(C=1 / (penalty * sample.sum()), max_iter=5_000, tol=1e-10)
    reference.fit(scaled(x), y, sample_weight=sample)
    ours = softmax(x @ found.kernel.astype("float64") + found.bias)
    np.testing.assert_allclose(ours, reference.predict_proba(scaled(x)), atol=2e-3)
    assert not len(found.outputs)


@pytest.mark.parametrize("penalty", [1.0, 0.03])
def test_several_labels_are_scikit_learns_one_by_one(penalty):
    x, y = digits()
    flags = np.stack([y % 2, y // 2], axis=1).astype("float32")
    found = solve(x, flags, Multilabel(("odd", "high")), penalty=penalty)
    linear = LogisticRegression(C=1 / (penalty * len(y)), max_iter=5_000, tol=1e-10)
    reference = OneVsRestClassifier(linear).fit(scaled(x), flags)
    ours = 1 / (1 + np.exp(-(x @ found.kernel.astype("float64") + found.bias)))
    np.testing.assert_allclose(ours, reference.predict_proba(scaled(x)), atol=2e-3)
    one = solve(x, flags[:, :1], Binary(("even", "odd")), penalty=penalty)
    np.testing.assert_allclose(one.kernel[:, 0], found.kernel[:, 0], atol=1e-3)


def test_the_penalty_is_the_best_in_cross_validation_and_no_picture_judged_itself():
    x, y = digits()
    task = Multiclass(CLASSES)
    found = solve(x, y, task, seed=3)
    folds = list(module._folds(y, task, np.arange(len(y)), 3))
    losses = {}
    for penalty in PENALTIES:
        said = np.zeros((len(y), 4))
        for learned, held_out in folds:
            one = module._Problem(scaled(x)[None], np.eye(4)[y], np.ones(len(y)), "softmax")
            kernel, bias = one.solved(learned, [penalty])[0]
            said[held_out] = softmax(scaled(x)[held_out] @ kernel + bias)
        losses[penalty] = log_loss(y, said)
    assert losses[found.penalty] == pytest.approx(min(losses.values()), abs=5e-3)
    assert log_loss(y, found.outputs) == pytest.approx(losses[found.penalty], abs=5e-3)


def test_pictures_that_belong_together_are_in_one_fold():
    """Random labels that each unit's pictures share: told apart only where a unit is split."""
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(40), 5)
    x = rng.normal(size=(40, 30))[units] + 0.01 * rng.normal(size=(200, 30))
    y = rng.permutation(np.arange(40) % 2)[units]
    task = Multiclass(("a", "b"))
    apart = (solve(x, y, task).outputs.argmax(axis=1) == y).mean()
    together = (solve(x, y, task, units=units).outputs.argmax(axis=1) == y).mean()
    assert apart > 0.9
    assert together < 0.75


def test_random_labels_are_at_chance():
    x, y = digits(200)
    y = np.random.default_rng(1).permutation(y)
    found = solve(x, y, Multiclass(CLASSES))
    assert (found.outputs.argmax(axis=1) == y).mean() < 0.4
    assert log_loss(y, found.outputs) < 1.5  # the penalty keeps it from being sure


def test_channels_that_hardly_vary_are_not_made_much_of():
    """Noise of a millionth, a hundred thousand times as large in a new picture, changes little."""
    x, y = digits()
    quiet = 1e-6 * np.random.default_rng(0).normal(size=x.shape)
    found = solve(np.concatenate([x, quiet], axis=1), y, Multiclass(CLASSES), penalty=0.01)
    kernel = found.kernel[x.shape[1] :]
    assert np.abs(kernel).max() > 0
    assert np.abs(0.1 * np.ones(x.shape) @ kernel).max() < 1e-3


def test_views_are_learned_from_and_the_first_is_judged():
    x, y = digits()
    rng = np.random.default_rng(0)
    views = np.stack([x, x + rng.normal(size=x.shape)])
    found = solve(views, y, Multiclass(CLASSES))
    assert found.outputs.shape == (len(y), 4)
    doubled = np.concatenate(list(views))
    known = solve(doubled, np.tile(y, 2), Multiclass(CLASSES), penalty=found.penalty)
    np.testing.assert_allclose(found.kernel, known.kernel, atol=1e-3)


FEW = {
    "one picture a class": np.arange(4),
    "one of one class": np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3]),
    "a class without a picture": np.array([0, 0, 1, 1, 2, 2]),
    "one picture": np.zeros(1, int),
}


@pytest.mark.parametrize("labels", FEW.values(), ids=FEW)
def test_few_pictures_have_a_solution(labels):
    x = 5 * np.eye(4)[labels] + np.random.default_rng(0).normal(size=(len(labels), 4))
    found = solve(x, labels, Multiclass(CLASSES))
    assert np.isfinite(found.kernel).all()
    assert found.kernel.shape == (4, 4)
    assert len(found.outputs) in (0, len(labels))


def test_labels_of_their_own_have_a_solution():
    labels = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0]], "float32")
    x = np.random.default_rng(0).normal(size=(5, 8))
    found = solve(x, labels, Multilabel(("a", "b", "c")))
    assert found.outputs.shape == (5, 3)


def test_a_class_that_is_all_in_one_unit_is_not_judged_and_does_not_decide():
    x, y = digits(90, classes=3)
    rare = np.flatnonzero(y == 2)[:5]
    rows = np.concatenate([np.flatnonzero(y < 2), rare])
    x, y = x[rows], y[rows]
    units = np.where(y == 2, 1_000, np.arange(len(y)))
    found = solve(x, y, Multiclass(CLASSES[:3]), units=units)
    judged = ~np.isnan(found.outputs).any(axis=1)
    np.testing.assert_array_equal(judged, y < 2)
    others = solve(x[y < 2], y[y < 2], Multiclass(CLASSES[:2]))
    assert abs(np.log10(found.penalty / others.penalty)) <= 1
    assert frozen_accuracy(Multiclass(CLASSES[:3]), y, found.outputs) > 0.95


def test_flags_that_are_never_or_always_set_elsewhere_are_not_judged():
    flags = np.array([[0.0], [0.0], [0.0], [1.0]], "float32")
    problem = module._Problem(np.zeros((1, 4, 2)), flags, np.ones(4), "sigmoid")
    learned, held_out = np.array([0, 1]), np.array([2, 3])
    assert problem.known(learned, held_out).tolist() == [True, False]
    assert problem.known(np.array([3]), held_out).tolist() == [False, True]


def test_the_penalty_is_chosen_by_whole_units_of_many_pictures(monkeypatch):
    x, y = digits()
    units = np.arange(len(y)) // 3
    whole = solve(x, y, Multiclass(CLASSES), units=units)
    monkeypatch.setattr(module, "MOST", 50)
    found = solve(x, y, Multiclass(CLASSES), units=units)
    judged = ~np.isnan(found.outputs).any(axis=1)
    assert 50 <= judged.sum() < 56
    assert all(len(set(judged[units == unit])) == 1 for unit in units)
    assert found.kernel.shape == whole.kernel.shape


def test_many_features_are_solved_in_single_precision(monkeypatch):
    x, y = digits()
    exact = solve(x, y, Multiclass(CLASSES), penalty=0.1)
    monkeypatch.setattr(module, "LARGE", 0)
    found = solve(x, y, Multiclass(CLASSES), penalty=0.1)
    one, other = (softmax(x @ s.kernel.astype("float64") + s.bias) for s in (exact, found))
    np.testing.assert_allclose(one, other, atol=2e-3)
