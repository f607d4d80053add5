import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings, strategies as st
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
        (table(["a", "b"] * 9).assign(status="skipped"), "no picture can be used: 18: 18"),
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


def label_table(rng, count, names):
    """A drawn table of labels that go together, and the text of each picture's labels."""
    shares = rng.uniform(0.1, 0.5, len(names))
    base = rng.random((count, 1))
    flags = (0.5 * base + 0.5 * rng.random((count, len(names)))) < shares
    return flags, [";".join(np.array(names)[row]) for row in flags]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(60, 300),
    labels=st.integers(1, 8),
    validation=st.floats(0.1, 0.3),
    test=st.floats(0.1, 0.3),
)
def test_every_label_has_its_share_in_each_part(seed, count, labels, validation, test):
    """What iterative stratification promises (Sechidis et al., 2011, table 4)."""
    rng = np.random.default_rng(seed)
    flags, texts = label_table(rng, count, list("abcdefgh")[:labels])
    assume(any(texts))
    shares = {"validation": validation, "test": test, "train": 1 - validation - test}
    options = {"validation": validation, "test": test, "several_labels": True}
    parts = split(table(texts), seed=seed, **options)["part"].to_numpy()
    for part, share in shares.items():
        chosen = flags[parts == part]
        assert abs(len(chosen) - share * count) <= 2 + 0.02 * count
        off = chosen.sum(axis=0) - share * flags.sum(axis=0)
        assert np.abs(off).max() <= 2 + labels / 2
    again = split(table(texts), seed=seed, **options)["part"]
    assert again.tolist() == parts.tolist()


def test_rare_labels_are_in_every_part_where_chance_would_leave_them_out():
    rng = np.random.default_rng(0)
    texts = ["common;rare" if k < 12 else "common" for k in range(400)]
    for seed in range(10):
        order = rng.permutation(400)
        given_ = table([texts[k] for k in order])
        frame = split(given_, seed=seed, several_labels=True)
        rare = frame[frame["class"].str.contains("rare")]["part"].value_counts()
        assert rare.to_dict() == {"train": 8, "validation": 2, "test": 2}


@settings(max_examples=30, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_groups_and_copies_of_several_labels_stay_together(data, seed):
    rng = np.random.default_rng(seed)
    count = data.draw(st.integers(60, 120))
    flags, texts = label_table(rng, count, list("abc"))
    groups = [f"g{k}" if k else "" for k in rng.integers(0, 25, count)]
    firsts = pd.Series(texts).groupby(texts).cumcount() // rng.integers(1, 3)
    hashes = [f"{text} {copy}" for text, copy in zip(texts, firsts, strict=True)]
    try:
        frame = split(table(texts, groups=groups, hashes=hashes), seed=seed, several_labels=True)
    except ValueError:  # a rare label may lie in one group that another label has claimed
        assume(False)
    for column in ("group", "hash"):
        named = frame[frame[column] != ""]
        assert (named.groupby(column)["part"].nunique() == 1).all()
    for part, share in (("validation", 0.15), ("test", 0.15)):
        off = flags[frame["part"] == part].sum(axis=0) - share * flags.sum(axis=0)
        assert np.abs(off).max() <= 2 + count / 10  # a group has 5 pictures and more


@pytest.mark.parametrize("several", [False, True])
def test_without_a_test_share_there_is_no_test_part(several):
    frame = split(table(["a", "b"] * 30), test=0, several_labels=several)
    counts = frame["part"].value_counts().to_dict()
    assert set(counts) == {"train", "validation"}
    assert counts["validation"] == pytest.approx(9, abs=1)


def test_a_ready_made_test_part_is_kept_where_no_share_is_wanted():
    frame = split(table(["a", "b"] * 25, parts=[""] * 40 + ["test"] * 10), test=0)
    assert (frame["part"][40:] == "test").all()
    assert (frame["part"][:40] != "test").all()


def test_pictures_without_any_label_are_divided_too():
    texts = ["a", "b", "", "a;b"] * 25
    frame = split(table(texts), several_labels=True)
    none = frame[frame["class"] == ""]["part"].value_counts()
    assert set(none.index) == {"train", "validation", "test"}


def test_a_test_part_without_labels_stays_out_of_the_draw():
    given_ = table(["a", "b"] * 20 + [""] * 5, parts=[""] * 40 + ["test"] * 5)
    given_.loc[40:, "status"] = "unlabelled"
    frame = split(given_, test=0)
    assert (frame["part"][40:] == "test").all()
    assert set(frame["part"][:40]) == {"train", "validation"}


@pytest.mark.parametrize(
    ("part", "name", "hint"),
    [
        ("test", "Cat", ", where there is 'cat'"),
        ("validation", "cats", ", where there is 'cat'"),
        ("test", "elephant", " and not in train. A class"),
    ],
)
def test_a_class_that_train_does_not_know_is_named_with_the_nearest(part, name, hint):
    classes = ["cat", "dog"] * 10 + [name] * 4
    frame = table(classes, parts=["train"] * 20 + [part] * 4)
    with pytest.raises(ValueError, match=rf"^folder: '{name}' is in {part} and not in train") as e:
        split(frame)
    assert hint in str(e.value)


def test_a_label_of_several_that_train_does_not_know_is_named():
    frame = table(["a;b", "a", "b", "a;b"] * 5 + ["a;c"] * 3, parts=["train"] * 20 + ["test"] * 3)
    with pytest.raises(ValueError, match=r"^folder: 'c' is in test and not in train"):
        split(frame, several_labels=True)
