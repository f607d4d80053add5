import itertools
import time

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from recipes.tuning import reading
from recipes.tuning.protocol import as_arrays

X = np.arange(24, dtype="float32").reshape(12, 2)
Y = np.arange(12) % 3
TRUTHS = [True, False] * 6
BOOLEANS = {
    "bool": TRUTHS,
    "object": np.array(TRUTHS, dtype=object),
    "nullable boolean": pd.array(TRUTHS, dtype="boolean"),
    "nullable integer": pd.array([1, 0] * 6, dtype="Int8"),
    "nullable float": pd.array([1.0, 0.0] * 6, dtype="Float32"),
    "sparse": pd.arrays.SparseArray([1.0, 0.0] * 6),
    "unsigned": np.array([1, 0] * 6, "uint8"),
}


@pytest.mark.parametrize("kind", BOOLEANS)
def test_true_and_false_are_one_and_zero(kind):
    table = pd.DataFrame({"a": X[:, 0], "b": BOOLEANS[kind], "kind": Y})
    x, labels, _ = as_arrays(table, "kind")
    assert x.dtype == "float32"
    assert x.tolist() == [[a, float(b)] for a, b in zip(X[:, 0], TRUTHS, strict=True)]
    assert labels.tolist() == Y.tolist()
    x, _, _ = as_arrays((table.drop(columns="kind"), table["kind"]), None)
    assert x[:, 1].tolist() == [1.0, 0.0] * 6


def test_arrays_of_truths_and_of_objects_are_numbers():
    x, _, _ = as_arrays((X > 5, Y), None)
    assert x.dtype == "float32"
    np.testing.assert_array_equal(x, X > 5)
    x, _, _ = as_arrays((X.astype(object), Y), None)
    np.testing.assert_array_equal(x, X)


TARGETS = [
    TRUTHS,
    pd.array(TRUTHS, dtype="boolean"),
    ["a", "b"] * 6,
    pd.Categorical(["a", "b"] * 6),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: type(target).__name__)
def test_targets_of_any_kind_are_classes(target):
    table = pd.DataFrame({"a": X[:, 0], "kind": target})
    _, labels, classes = as_arrays(table, "kind")
    assert len(classes) == 2
    assert sorted(np.bincount(labels)) == [6, 6]
    assert [classes[label] for label in labels] == list(target)


def holed(values, count=2):
    values = np.array(values, dtype=object)
    values[:count] = None
    return values


INFINITE = np.where(X == 6, np.inf, X)
MISSING = {
    "a cell": (
        pd.DataFrame({"a": holed(X[:, 0], 1), "b": X[:, 1], "kind": Y}),
        r"by column: 1 in 'a'\.$",
    ),
    "two columns": (
        pd.DataFrame({"a": holed(X[:, 0]), "b": X[:, 1], "c": holed(TRUTHS, 3), "kind": Y}),
        "2 in 'a', 3 in 'c'",
    ),
    "a nullable column": (
        pd.DataFrame({"a": pd.array([None, *range(11)], dtype="Int64"), "kind": Y}),
        "1 in 'a'",
    ),
    "an empty column": (pd.DataFrame({"a": X[:, 0], "b": None, "kind": Y}), "12 in 'b'"),
    "infinite": (pd.DataFrame(INFINITE, columns=["a", "b"]).assign(kind=Y), "1 in 'a'"),
    "too large": (pd.DataFrame({"a": [1e300, *range(11)], "kind": Y}), "1 in 'a'"),
    "a target": (pd.DataFrame({"a": X[:, 0], "kind": holed(Y)}), "'kind': 2 of 12 rows"),
    "a text target": (pd.DataFrame({"a": X[:, 0], "kind": holed(list("ab") * 6)}), "2 of 12"),
    "a number target": (pd.DataFrame({"a": X[:, 0], "kind": [np.nan, *range(11)]}), "1 of 12"),
    "a nullable target": (
        pd.DataFrame({"a": X[:, 0], "kind": pd.array([None, *TRUTHS[1:]], dtype="boolean")}),
        "1 of 12",
    ),
    "an array": ((np.where(X > 20, np.nan, X), Y), "1 in 0, 2 in 1"),
    "float64": ((np.where(X > 20, 1e300, X.astype(float)), Y), "1 in 0, 2 in 1"),
    "pictures": ((np.full((3, 4, 4, 1), np.nan), [0, 1, 0]), "48 values .* in 3 of 3 inputs"),
    "array targets": ((X, np.where(Y == 2, np.nan, Y)), "targets: 4 of 12"),
    "infinite targets": ((X, np.where(Y == 2, np.inf, Y)), "targets: 4 of 12"),
    "label rows": ((X, np.where(X == 6, np.nan, X > 5)), "targets: 1 of 12"),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_named_and_counted(case):
    data, words = MISSING[case]
    target = "kind" if isinstance(data, pd.DataFrame) else None
    with pytest.raises(ValueError, match=words):
        as_arrays(data, target)


def endless():
    for number in itertools.count():
        yield np.ones(2, "float32"), number % 2


def of_generator(generator):
    signature = (tf.TensorSpec((2,), "float32"), tf.TensorSpec((), "int32"))
    return tf.data.Dataset.from_generator(generator, output_signature=signature)


WHOLE = tf.data.Dataset.from_tensor_slices((X, Y))
ENDLESS = {
    "repeated": lambda: WHOLE.repeat(),
    "repeated, then in batches": lambda: WHOLE.repeat().batch(4).prefetch(1),
    "repeated and filtered": lambda: WHOLE.repeat().filter(lambda x, y: y < 9),
    "of a generator": lambda: of_generator(endless),
    "of a generator, in batches": lambda: of_generator(endless).batch(4),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_never_ends_is_refused_and_does_not_hang(kind, monkeypatch):
    monkeypatch.setattr(reading, "MOST_ELEMENTS", 2_000)
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"^data: the dataset (never ends|does not say how long)"):
        as_arrays(ENDLESS[kind](), None)
    assert time.monotonic() - began < 30


def test_what_is_too_large_to_have_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 10_000)
    with pytest.raises(ValueError, match="does not say how long"):
        as_arrays(of_generator(endless), None)


def test_a_generator_with_an_end_is_read():
    def pairs():
        yield from zip(X, Y.astype("int32"), strict=True)

    for dataset in (
        of_generator(pairs),
        of_generator(pairs).batch(5),
        WHOLE.filter(lambda x, y: True),
    ):
        x, labels, _ = as_arrays(dataset, None)
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(labels, Y)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return X, Y


OTHERS = {
    "a generator": (endless, "a generator is not taken"),
    "a map": (lambda: map(abs, X), "a map is not taken"),
    "an iterator of a dataset": (lambda: iter(WHOLE), "OwnedIterator is not taken"),
    "a PyDataset": (Batches, "Batches is not taken"),
    "nothing": (lambda: None, "a NoneType is not taken"),
    "one array": (lambda: X, "a numpy ndarray is not taken"),
    "a dictionary": (lambda: {"x": X, "y": Y}, "a dict is not taken"),
    "three": (lambda: (X, Y, Y), "a tuple of 3 is not taken"),
    "a pair of generators": (lambda: (endless(), Y), "the inputs are a generator"),
    "no targets": (lambda: (X, None), "the targets are a NoneType"),
    "texts": (lambda: (X.astype(str), Y), "not numbers"),
    "dates": (lambda: (X.astype("datetime64[s]"), Y), "not numbers"),
    "complex": (lambda: (X.astype(complex), Y), "not numbers"),
    "texts in pictures": (lambda: (np.full((3, 2, 2), "a", object), Y[:3]), "not numbers"),
    "one dimension": (lambda: (X[:, 0], Y), "shape .12,."),
    "rows of several lengths": (lambda: ([[1, 2], [3]], [0, 1]), "no array"),
    "targets of three dimensions": (lambda: (X, np.zeros((12, 2, 2))), "targets have the shape"),
    "mixed targets": (lambda: (X, np.array(["a", 1, 2] * 4, object)), "several types: int, str"),
    "no rows": (lambda: (X[:0], Y[:0]), "the targets have the shape"),
    "an empty dataset": (lambda: WHOLE.take(0), "the dataset is empty"),
    "a dataset of inputs": (lambda: WHOLE.map(lambda x, y: x), "does not give pairs"),
    "a dataset of dictionaries": (lambda: WHOLE.map(lambda x, y: ({"a": x}, y)), "give pairs"),
    "a dataset with weights": (lambda: WHOLE.map(lambda x, y: (x, y, y)), "give pairs"),
    "a dataset of several sizes": (
        lambda: WHOLE.map(lambda x, y: (tf.ones((y + 2, 2)), y)),
        "the inputs differ in shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_other_data_are_refused_by_what_they_are(kind):
    make, words = OTHERS[kind]
    with pytest.raises(ValueError, match=words):
        as_arrays(make(), None)


TABLES = {
    "no target": (None, "target: name the column .* a, kind"),
    "an unknown target": ("knd", "Did you mean 'kind'"),
    "a list": (["kind"], "target"),
    "the only column": ("kind", "no column is left"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_target_is_a_column(case):
    target, words = TABLES[case]
    table = pd.DataFrame({"a": X[:, 0], "kind": Y})
    table = table[["kind"]] if case == "the only column" else table
    with pytest.raises(ValueError, match=words):
        as_arrays(table, target)


def test_tables_that_do_not_fit():
    table = pd.DataFrame({"a": X[:, 0], "kind": Y})
    with pytest.raises(ValueError, match="'a' is there more than once"):
        as_arrays(pd.concat([table, table[["a"]]], axis=1), "kind")
    with pytest.raises(ValueError, match="the columns b, c are not numbers"):
        as_arrays(table.assign(b="x", c=pd.Timestamp(0)), "kind")
    with pytest.raises(ValueError, match=r"^target: 'kind' is for a DataFrame"):
        as_arrays((X, Y), "kind")
