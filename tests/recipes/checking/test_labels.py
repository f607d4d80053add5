"""Which labels are suspicious, against cleanlab and scikit-learn, and where nothing can be said."""

import numpy as np
import pytest
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
from cleanlab.rank import get_label_quality_scores
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recipes import tasks
from recipes.checking.labels import FEWEST, WRONG, marked, out_of_fold, suspicions
from recipes.tasks import Binary, Multiclass, Multilabel

DIGITS, TRUTH = load_digits(return_X_y=True)
DIGITS = DIGITS.astype("float32")
TEN = Multiclass(tuple("0123456789"))
RNG = np.random.default_rng(0)


def changed(truth, share=0.05):
    rows = np.random.default_rng(1).permutation(len(truth))[: round(share * len(truth))]
    given = truth.copy()
    given[rows] = (given[rows] + 3) % 10
    return given, np.isin(np.arange(len(truth)), rows)


def test_changed_labels_are_the_most_suspicious_and_their_suggestion_is_the_truth():
    given, wrong = changed(TRUTH)
    table, notes = suspicions(TEN, given, DIGITS)
    assert notes == []
    first = np.argsort(-table["score"].to_numpy())[: wrong.sum()]
    assert wrong[first].mean() > 0.85
    said = (table["issue"] == WRONG).to_numpy()
    assert said[wrong].mean() > 0.85
    assert wrong[said].mean() > 0.6
    found = table[said & wrong]
    assert (found["suggested"] == TRUTH[said & wrong].astype(str)).mean() > 0.9
    assert (table.loc[~said, ["suggested", "reason"]] == "").all(axis=None)
    row = found.iloc[0]
    assert row["reason"].startswith(f"looks like {row['suggested']} (")
    assert 0 <= table["score"].min() <= table["score"].max() <= 1


def test_the_chances_are_scikit_learns_and_the_score_is_cleanlabs_self_confidence():
    x, y = DIGITS[:300], TRUTH[:300]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, tol=1e-2, max_iter=200))
    folds = StratifiedKFold(5, shuffle=True, random_state=4)
    expected = cross_val_predict(classifier, x, y, cv=folds, method="predict_proba")
    chances = out_of_fold(x, y, np.arange(len(y)), seed=4)
    np.testing.assert_allclose(chances, expected, atol=1e-6)
    table, _ = suspicions(TEN, y, x, seed=4)
    quality = get_label_quality_scores(y, chances, method="self_confidence")
    np.testing.assert_allclose(table["score"].astype(float), 1 - quality)
    assert ((table["issue"] == WRONG) == marked(y, chances)).all()


def test_two_classes_are_as_two_of_many():
    rows = np.flatnonzero(TRUTH < 2)
    given, _ = changed(TRUTH[rows], 0)
    given[:8] = 1 - given[:8]
    binary = suspicions(Binary(("0", "1")), given[:, None].astype("float32"), DIGITS[rows])[0]
    many = suspicions(Multiclass(("0", "1")), given, DIGITS[rows])[0]
    assert binary.equals(many)
    assert (binary["issue"][:8] == WRONG).sum() > 4
    assert (binary["issue"][8:] == WRONG).mean() < 0.05


def test_each_of_several_labels_is_judged_as_cleanlab_does():
    task = Multilabel(("even", "large", "<three>"))
    truth = np.stack([TRUTH % 2 == 0, TRUTH > 4, TRUTH == 3], axis=1).astype("float32")
    given = truth.copy()
    given[:40, 0] = 1 - given[:40, 0]
    table, notes = suspicions(task, given, DIGITS)
    groups = np.arange(len(given))
    chances = [out_of_fold(DIGITS, given[:, k].astype(int), groups)[:, 1] for k in range(3)]
    lists = [np.flatnonzero(row).tolist() for row in given]
    expected = find_multilabel_issues_per_class(
        lists, np.stack(chances, axis=1), filter_by="both", n_jobs=1
    )
    said = (table["issue"] == WRONG).to_numpy()
    assert notes == []
    assert (said == np.asarray(expected).any(axis=1)).all()
    assert said[:40].mean() > 0.5
    right = table["suggested"] == task.names_of(truth)
    assert right[:40][said[:40]].mean() > 0.8
    reasons = " ".join(table["reason"])
    assert "even seems wrong (" in reasons
    assert "even seems missing (" in reasons


def test_copies_of_a_wrong_label_do_not_speak_for_it():
    x, given = DIGITS[:400], TRUTH[:400].copy()
    copies = np.repeat(x[:1], 30, axis=0)
    x = np.concatenate([x, copies])
    given = np.concatenate([given, np.full(30, 7)])  # a zero
    groups = [*range(400), *["copy"] * 30]
    apart, _ = suspicions(TEN, given, x, groups)
    beside, _ = suspicions(TEN, given, x)
    assert (apart["score"][400:] > 0.9).all()
    assert (beside["score"][400:] < 0.5).all()


FEW = {
    "two a class": (Multiclass(("a", "b")), [0, 0, 1, 1]),
    "three a class": (Multiclass(("a", "b", "c")), [0, 0, 0, 1, 1, 1, 2, 2, 2]),
    "one large class": (Multiclass(("a", "b")), [0] * 20 + [1] * (FEWEST - 1)),
    "one class": (Multiclass(("a",)), [0] * 9),
    "one picture": (Multiclass(("a",)), [0]),
    "two classes of one probability": (Binary(("a", "b")), [[0.0], [0.0], [1.0]]),
    "several labels": (Multilabel(("a", "b")), [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    "a label that all have": (Multilabel(("a",)), [[1.0]] * 20),
    "a label that none has": (Multilabel(("a",)), [[0.0]] * 20),
}


@pytest.mark.parametrize("name", FEW)
def test_of_few_pictures_nothing_is_said(name):
    task, targets = FEW[name]
    targets = np.array(targets)
    table, notes = suspicions(task, targets, RNG.normal(size=(len(targets), 8)))
    assert len(table) == len(targets)
    assert table["score"].isna().all()
    assert (table[["suggested", "issue", "reason"]] == "").all(axis=None)
    assert len(notes) == 1
    assert notes[0].startswith("Nothing can be said")


@pytest.mark.parametrize("name", tasks.TASKS)
def test_pictures_of_one_group_alone_are_not_judged(name):
    task = tasks.get(name, ("a", "b"))
    labels = ["a", "b"] * 10
    table, notes = suspicions(task, task.encode(labels), RNG.normal(size=(20, 4)), ["x"] * 20)
    assert table["score"].isna().all()
    assert "all in one group" in notes[0]


def test_a_small_class_is_named_and_the_others_are_judged():
    rows = np.flatnonzero(TRUTH < 3)[:150]
    keep = rows[(TRUTH[rows] < 2) | (np.cumsum(TRUTH[rows] == 2) <= 3)]
    task = Multiclass(("0", "1", "NA"))
    table, notes = suspicions(task, TRUTH[keep], DIGITS[keep])
    assert (table["score"].isna() == (TRUTH[keep] == 2)).all()
    assert notes == [
        "Nothing can be said of 1 label with fewer than 5 pictures, or all in one group: NA."
    ]


@pytest.mark.parametrize("groups", [2, 3])
def test_a_class_of_few_groups_is_judged_where_it_can_be(groups):
    rows = np.flatnonzero(TRUTH < 2)[:60]
    given = np.arange(60) % groups
    table, _ = suspicions(Multiclass(("0", "1")), TRUTH[rows], DIGITS[rows], given)
    assert table["score"].notna().all()
    assert (table["score"] < 0.5).all()
