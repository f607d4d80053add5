"""Every task: its labels, its metrics against scikit-learn, its dictionary."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from scipy.stats import norm
from sklearn import metrics

from recipes import tasks
from recipes.tasks import TASKS, Binary, Multiclass, Multilabel, from_dict, get
from recipes.tasks.base import best_threshold, share_right

RNG = np.random.default_rng(0)
FEW = {
    "multiclass": ("9", "10", "NA", "cat & dog"),
    "binary": ("healthy", "ill"),
    "multilabel": ("beach", "boat", "dog"),
}
EXAMPLES = [get(name, classes) for name, classes in FEW.items()]
EXAMPLES += [Binary(("no", "yes"), (0.3,)), Multilabel(FEW["multilabel"], (0.3, 0.5, 0.8))]


def drawn(task, n=300, seed=0):
    """Targets, and outputs that know something of them."""
    rng = np.random.default_rng(seed)
    if task.name == "multiclass":
        targets = rng.choice(task.units, n, p=[0.4, 0.3, 0.2, 0.1])
        logits = rng.normal(0, 1.5, (n, task.units)) + 1.5 * np.eye(task.units)[targets]
        return targets, softmax(logits, axis=1).astype("float32")
    targets = (rng.random((n, task.units)) < 0.3).astype("float32")
    logits = rng.normal(-1, 1.5, targets.shape) + 2 * targets
    return targets, expit(logits).astype("float32")


def test_the_table_covers_every_task():
    assert set(FEW) == set(TASKS) == {task.name for task in EXAMPLES}


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_labels_come_back(task):
    targets, _ = drawn(task)
    names = task.names_of(targets)
    again = task.encode(list(names))
    np.testing.assert_array_equal(again, targets)
    assert again.dtype == ("int64" if task.name == "multiclass" else "float32")
    assert names.shape == (300,)


@given(st.data())
@settings(deadline=None)
def test_sets_of_labels_come_back(data):
    word = st.text(st.characters(codec="utf-8", exclude_characters=";"), min_size=1)
    classes = tuple(sorted(data.draw(st.sets(word, min_size=1, max_size=5))))
    task = Multilabel(classes)
    sets = data.draw(st.lists(st.sets(st.sampled_from(classes)), max_size=5))
    texts = [";".join(sorted(one)) for one in sets]
    targets = task.encode(texts)
    assert targets.shape == (len(sets), len(classes))
    assert task.names_of(targets).tolist() == texts
    assert targets.sum() == sum(map(len, sets))


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_classes_are_counted_and_like_pictures_are_of_a_kind(task):
    targets, _ = drawn(task)
    names = task.names_of(targets)
    shown = pd.Series(names).str.get_dummies(";").sum()
    assert task.counts(targets).tolist() == [shown.get(name, 0) for name in task.classes]
    kinds = task.kinds(targets)
    assert kinds.shape == (300,)
    pairs = pd.DataFrame({"kind": kinds, "labels": names}).drop_duplicates()
    assert pairs["kind"].is_unique
    assert pairs["labels"].is_unique


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_losses_are_scikit_learns(task):
    targets, outputs = drawn(task)
    if task.name == "multiclass":
        expected = metrics.log_loss(targets, outputs, labels=range(task.units))
        right = metrics.accuracy_score(targets, outputs.argmax(axis=1))
    else:
        columns = zip(targets.T, outputs.T.astype("float64"), strict=True)
        expected = np.mean([metrics.log_loss(t, p, labels=[0, 1]) for t, p in columns])
        right = metrics.accuracy_score(targets.ravel(), outputs.ravel() > 0.5)
    assert task.loss(targets, outputs) == pytest.approx(expected, rel=1e-5)
    assert task.loss_at(targets, outputs, np.ones(task.units)) == pytest.approx(expected, rel=1e-5)
    assert task.accuracy(targets, outputs) == pytest.approx(right)
    assert task.calibrated_loss(targets, outputs) < expected
    assert task.evaluate(targets, outputs)["log_loss"] == pytest.approx(expected, rel=1e-5)


def test_metrics_of_exclusive_classes_are_scikit_learns():
    task = EXAMPLES[0]
    targets, outputs = drawn(task)
    said = outputs.argmax(axis=1)
    found = task.evaluate(targets, outputs)
    expected = {
        "pictures": 300,
        "accuracy": metrics.accuracy_score(targets, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(targets, said),
        "macro_f1": metrics.f1_score(targets, said, average="macro"),
        "top_3_accuracy": metrics.top_k_accuracy_score(targets, outputs, k=3),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    rest = {"accuracy_interval", "log_loss", "calibration_error"}
    assert set(found) == {*expected, *rest}
    assert "top_3_accuracy" not in Multiclass(("a", "b", "c")).evaluate(
        np.array([0, 1, 2]), np.eye(3, dtype="float32")
    )


def test_a_class_without_pictures_does_not_spoil_the_metrics():
    task = EXAMPLES[0]
    targets, outputs = drawn(task)
    kept = targets < 3
    targets, outputs = targets[kept], outputs[kept]
    found = task.evaluate(targets, outputs)
    said = outputs.argmax(axis=1)
    recalls = [(said[targets == k] == k).mean() for k in range(3)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    four = metrics.f1_score(targets, said, labels=range(4), average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(four)


@pytest.mark.parametrize("task", [EXAMPLES[1], EXAMPLES[3]], ids=str)
def test_metrics_of_two_classes_are_scikit_learns(task):
    targets, outputs = drawn(task)
    truth, chances = targets[:, 0], outputs[:, 0]
    said = chances >= (0.3 if task.thresholds else 0.5)
    found = task.evaluate(targets, outputs)
    expected = {
        "pictures": 300,
        "accuracy": metrics.accuracy_score(truth, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, said),
        "precision": metrics.precision_score(truth, said),
        "recall": metrics.recall_score(truth, said),
        "f1": metrics.f1_score(truth, said),
        "macro_f1": metrics.f1_score(truth, said, average="macro"),
        "roc_auc": metrics.roc_auc_score(truth, chances),
        "average_precision": metrics.average_precision_score(truth, chances),
        "threshold": 0.3 if task.thresholds else 0.5,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert set(found) == {*expected, "accuracy_interval", "log_loss", "calibration_error"}
    one = task.evaluate(targets[truth == 1], outputs[truth == 1])
    assert {"roc_auc", "average_precision"} & set(one) == set()


@pytest.mark.parametrize("task", [EXAMPLES[2], EXAMPLES[4]], ids=str)
def test_metrics_of_several_labels_are_scikit_learns(task):
    targets, outputs = drawn(task)
    said = outputs >= np.array(task.thresholds or (0.5,) * 3, "float32")
    found = task.evaluate(targets, outputs)
    expected = {
        "pictures": 300,
        "accuracy": metrics.accuracy_score(targets, said),
        "label_accuracy": 1 - metrics.hamming_loss(targets, said),
        "macro_f1": metrics.f1_score(targets, said, average="macro"),
        "micro_f1": metrics.f1_score(targets, said, average="micro"),
        "mean_average_precision": metrics.average_precision_score(targets, outputs),
        "micro_average_precision": metrics.average_precision_score(
            targets, outputs, average="micro"
        ),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert set(found) == {*expected, "accuracy_interval", "log_loss", "calibration_error"}
    table = task.by_label(targets, outputs).set_index("class")
    scores = metrics.precision_recall_fscore_support(targets, said)
    columns = ("precision", "recall", "f1", "pictures")
    for column, values in zip(columns, scores, strict=True):
        np.testing.assert_allclose(table[column], values)
    average = metrics.average_precision_score(targets, outputs, average=None)
    np.testing.assert_allclose(table["average_precision"], average)


def test_a_label_that_no_picture_has_is_left_out_of_the_mean():
    task = EXAMPLES[2]
    targets, outputs = drawn(task)
    targets[:, 1] = 0
    found = task.evaluate(targets, outputs)
    kept = metrics.average_precision_score(targets[:, [0, 2]], outputs[:, [0, 2]])
    assert found["mean_average_precision"] == pytest.approx(kept)
    none = task.evaluate(targets * 0, outputs)
    assert "mean_average_precision" not in none
    assert np.isfinite([value for value in none.values() if isinstance(value, float)]).all()


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_metrics_are_plain_numbers(task):
    found = task.evaluate(*drawn(task))
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (9, 10), (37, 120), (1, 1)])
def test_the_interval_is_wilsons(right, n):
    """As statsmodels' `proportion_confint(right, n, method="wilson")` has it."""
    z = norm.isf(0.025)
    share = right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    found = share_right(np.arange(n) < right)
    assert found["accuracy"] == share
    assert found["accuracy_interval"] == pytest.approx([centre - half, centre + half], abs=1e-9)


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_the_threshold_has_the_best_f1_of_all(seed):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat([0.0, 1.0], (30, 10)))
    chances = expit(rng.normal(-1, 1, 40) + truth).round(2)
    limit = best_threshold(truth, chances)
    best = max(metrics.f1_score(truth, chances >= at) for at in np.unique(chances))
    assert metrics.f1_score(truth, chances >= limit) == pytest.approx(best)
    assert 0 < limit < 1


def test_few_pictures_have_no_say_in_the_threshold():
    truth = np.repeat([0.0, 1.0], (30, 7))
    assert best_threshold(truth, truth * 0.3) == best_threshold(1 - truth, 0.3 - truth * 0.3) == 0.5


def test_the_nearest_of_equal_thresholds_is_taken():
    truth = np.repeat([0.0, 1.0], 10)
    assert best_threshold(truth, np.where(truth, 0.9, 0.2)) == 0.5
    assert best_threshold(truth, np.where(truth, 0.9, 0.6)) == pytest.approx(0.75)


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_thresholds_are_chosen_once_and_those_given_are_kept(task):
    targets, outputs = drawn(task)
    tuned = task.tuned(targets, outputs)
    if task.name == "multiclass":
        assert tuned is task
        return
    if task.thresholds:
        assert tuned is task
    else:
        pairs = zip(targets.T, outputs.T, strict=True)
        assert tuned.thresholds == tuple(best_threshold(t, p) for t, p in pairs)
        before, after = (
            metrics.f1_score(targets, one.decide(outputs), average=None, labels=range(task.units))
            if task.units > 1
            else metrics.f1_score(targets, one.decide(outputs))
            for one in (task, tuned)
        )
        assert np.all(after >= before - 1e-9)
        assert np.any(after > before)
    limits = np.array(tuned.thresholds, "float32")
    np.testing.assert_array_equal(tuned.decide(outputs), outputs >= limits)


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_a_probability_at_its_threshold_counts(task):
    if task.name != "multiclass":
        limits = np.array([task.thresholds or (0.5,) * task.units], "float32")
        assert task.decide(limits).all()
        assert not task.decide(np.nextafter(limits, np.float32(0))).any()


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_tables_say_what_the_outputs_say(task):
    targets, outputs = drawn(task, 20)
    files = [f"{k}.png" for k in range(20)]
    table = task.prediction_table(files, targets, outputs)
    assert table["file"].tolist() == files
    assert table["truth"].tolist() == task.names_of(targets).tolist()
    assert table["prediction"].tolist() == task.names_of(task.decide(outputs)).tolist()
    columns = [f"probability of {name}" for name in task.classes]
    assert list(table)[-len(columns) :] == columns
    np.testing.assert_allclose(table[columns], task.probabilities(outputs))
    if task.name != "multilabel":
        np.testing.assert_allclose(table[columns].sum(axis=1), 1, atol=1e-6)
        said = (f"probability of {name}" for name in table["prediction"])
        rows = [table.loc[k, name] for k, name in enumerate(said)]
        np.testing.assert_allclose(table["probability"], rows)
    answers = task.answers(outputs, 2)
    said = "labels" if task.name == "multilabel" else "label"
    assert answers[said].tolist() == table["prediction"].tolist()
    expected = {
        "multiclass": ["label", "probability", "label_2", "probability_2"],
        "binary": ["label", "probability", f"probability of {task.classes[1]}"],
        "multilabel": ["labels", *columns],
    }
    assert list(answers) == expected[task.name]


def test_as_many_labels_are_given_as_there_are():
    task = EXAMPLES[0]
    _, outputs = drawn(task, 20)
    answers = task.answers(outputs, 9)
    ranked = [f"probability{suffix}" for suffix in ("", "_2", "_3", "_4")]
    np.testing.assert_allclose(answers[ranked], -np.sort(-outputs, axis=1))


@pytest.mark.parametrize("task", EXAMPLES, ids=str)
def test_a_task_comes_back_from_its_dictionary(task):
    assert from_dict(json.loads(json.dumps(task.to_dict()))) == task
    assert task.with_options(classes=task.classes) == task


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "binary"},
        {"name": "guessing", "classes": ["a", "b"]},
        {"name": ["binary"], "classes": ["a", "b"]},
        {"name": "binary", "classes": None},
        {"name": "binary", "classes": 7},
        {"name": "binary", "classes": ["a", "b", "c"]},
        {"name": "binary", "classes": ["a", "b"], "thresholds": [0.5, 0.5]},
        {"name": "binary", "classes": ["a", "b"], "thresholds": "high"},
        {"name": "binary", "classes": ["a", "b"], "thresholds": 0.5},
        {"name": "multilabel", "classes": ["a", "b"], "thresholds": [0.5]},
        {"name": "multilabel", "classes": ["a", "b"], "thresholds": [None, 0.5]},
        {"name": "multiclass", "classes": ["a", "b"], "thresholds": [0.5, 0.5]},
        {"name": "multiclass", "classes": ["a", "b"], "__class__": "os.system"},
        {"name": "multiclass", "classes": ["a", "b"], "units": 10**9},
    ],
    ids=str,
)
def test_a_hostile_dictionary_is_refused(values):
    with pytest.raises(ValueError, match=r"^task: the description is damaged"):
        from_dict(values)


def test_a_task_is_found_by_name():
    assert tasks.get("binary", ["a", "b"]) == Binary(("a", "b"))
    with pytest.raises(ValueError, match="Did you mean 'multilabel'"):
        tasks.get("multi_label", ["a"])
    with pytest.raises(ValueError, match="binary takes two classes; there are 3"):
        tasks.get("binary", list("abc"))
