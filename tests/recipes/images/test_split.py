import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from recipes.images.split import class_weights, imbalance_ratio, split


def table(classes, *, groups=None, hashes=None, parts=None):
    count = len(classes)
    return pd.DataFrame(
        {
            "path": [f"{name}/{i}.png" for i, name in enumerate(classes)],
            "part": parts or [""] * count,
            "class": classes,
            "group": groups or [""] * count,
            "hash": hashes or [f"h{i}" for i in range(count)],
            "status": "ok",
            "reason": "",
        }
    )


sizes = st.lists(st.integers(3, 60), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    sizes=sizes,
    seed=st.integers(0, 2**31),
    validation=st.floats(0.05, 0.3),
    test=st.floats(0.05, 0.3),
)
def test_every_class_has_its_share_in_each_part(sizes, seed, validation, test):
    classes = [f"c{i}" for i, size in enumerate(sizes) for _ in range(size)]
    frame = split(table(classes), validation=validation, test=test, seed=seed)
    counts = frame.groupby(["class", "part"]).size().unstack()
    for index, size in enumerate(sizes):
        row = counts.loc[f"c{index}"]
        assert row.sum() == size
        assert row["test"] == max(round(size * test), 1)
        assert row["validation"] == max(round(size * validation), 1)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_groups_and_copies_stay_together(data, seed):
    count = data.draw(st.integers(60, 120))
    classes = ["x" if i % 2 else "y" for i in range(count)]
    groups = data.draw(st.lists(st.sampled_from(["", *"abcdefgh"]), min_size=count, max_size=count))
    copies = data.draw(st.lists(st.integers(0, 200), min_size=count, max_size=count))
    hashes = [f"{name}{copy}" for name, copy in zip(classes, copies, strict=True)]
    table_of_all = table(classes, groups=groups, hashes=hashes)
    try:
        frame = split(table_of_all, seed=seed)
    except ValueError:  # one group can hold a whole class
        assume(False)
    for column in ("group", "hash"):
        named = frame[frame[column] != ""]
        assert (named.groupby(column)["part"].nunique() == 1).all()


def test_the_seed_decides_and_the_parts_are_random():
    frame = table(["a", "b"] * 50)
    first, again, other = (split(frame, seed=seed)["part"].tolist() for seed in (0, 0, 1))
    assert first == again != other
    in_test = np.mean([[p == "test" for p in split(frame, seed=s)["part"]] for s in range(200)], 0)
    assert np.abs(in_test - 0.16).max() < 0.12  # each picture has its turn: 8 of 50 a class


def test_it_is_as_stratified_as_scikit_learns():
    classes = ["a"] * 190 + ["b"] * 10
    ours = split(table(classes), validation=0.2, test=0.2, seed=3)
    splitter = StratifiedShuffleSplit(1, test_size=0.2, random_state=3)
    _, theirs = next(splitter.split(classes, classes))
    counts = ours[ours["part"] == "test"]["class"].value_counts()
    assert counts["b"] == sum(classes[i] == "b" for i in theirs)
    assert counts["a"] == sum(classes[i] == "a" for i in theirs)


def test_ready_made_parts_are_kept():
    parts = ["train", "validation", "test"] * 20
    frame = split(table(["a", "b"] * 30, parts=parts))
    assert frame["part"].tolist() == parts


def test_what_is_missing_is_taken_from_train():
    parts = ["train"] * 40 + ["test"] * 10
    frame = split(table(["a", "b"] * 25, parts=parts), validation=0.25)
    assert (frame["part"][40:] == "test").all()
    assert (frame["part"] == "validation").sum() == 10


def test_contradicting_copies_are_skipped_and_named():
    frame = split(table(["a", "b"] * 10, hashes=["same", "same", *map(str, range(18))]))
    assert frame["status"].tolist()[:3] == ["skipped", "skipped", "ok"]
    assert frame["reason"][0] == "the same picture is in the classes a, b"
    assert (frame["part"][:2] == "").all()


def test_a_copy_in_ready_made_train_and_test_stays_in_test():
    parts = ["train", "test"] * 10
    classes = ["a", "a", "b", "b"] * 5
    frame = split(table(classes, parts=parts, hashes=["same", "same", *map(str, range(18))]))
    assert frame.loc[0, ["status", "reason"]].tolist() == ["skipped", "a copy is in the test part"]
    assert frame.loc[1, "part"] == "test"


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (table(["a"] * 9), "one class only, 'a'"),
        (table(["a"] * 9 + ["b"] * 2 + ["c"]), "'b' (2), 'c' (1)"),
        (table(["a", "b"] * 9, groups=["g", ""] * 9), "'a' (9)"),
        (table(["a", "b"] * 9).assign(status="skipped"), "no readable picture"),
    ],
)
def test_unusable_tables_are_refused_by_name(frame, text):
    with pytest.raises(ValueError, match=r"^folder: ") as caught:
        split(frame)
    assert text in str(caught.value)


def test_class_weights_offset_the_imbalance():
    labels = [0] * 30 + [1] * 10 + [2] * 20
    weights = class_weights(labels, 3)
    np.testing.assert_allclose(weights * np.bincount(labels), 20)
    assert imbalance_ratio(labels) == 3
