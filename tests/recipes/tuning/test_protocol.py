import json

import numpy as np
import pytest
import tensorflow as tf

from recipes.tuning.protocol import as_arrays, open_folder, split_rows
from tests.recipes.wine import X, Y


def pairs():
    one_hot = np.eye(3, dtype="float32")[Y]
    for x, y in ((X, Y), (X, one_hot)):
        single = tf.data.Dataset.from_tensor_slices((x, y))
        yield from (single, single.batch(50), single.batch(50, drop_remainder=False))
    yield (X, one_hot)
    yield (X, Y[:, None])


@pytest.mark.parametrize("data", list(pairs()), ids=str)
def test_data_come_as_datasets_and_one_hot_too(data):
    x, labels, classes = as_arrays(data, None)
    assert np.array_equal(x, X)
    assert np.array_equal(labels, Y)
    assert classes.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((X, np.full((len(X), 3), 0.5)), "neither classes nor one-hot"),
        ((X, np.zeros((len(X), 3))), "no row has the label 0 of 3"),
        ((X, Y[:-1]), "178 inputs and 177 targets"),
        ((X, np.zeros(len(X))), "all of one class"),
    ],
)
def test_data_that_do_not_fit(data, words):
    with pytest.raises(ValueError, match=words):
        as_arrays(data, None)


def test_rows_are_drawn_by_class_once_and_kept(tmp_path):
    rows = split_rows(tmp_path, Y, 0.25, 0.25, seed=0)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(len(Y)))
    shares = {name: np.bincount(Y[part]) / len(part) for name, part in rows.items()}
    for share in shares.values():
        np.testing.assert_allclose(share, np.bincount(Y) / len(Y), atol=0.02)
    again = split_rows(tmp_path, Y, 0.25, 0.25, seed=1)
    assert all((rows[name] == again[name]).all() for name in rows)
    own = {name: np.array([number]) for number, name in enumerate(rows)}
    (tmp_path / "split.json").unlink()
    assert split_rows(tmp_path, Y, 0.25, 0.25, 0, own) == own


def test_a_replaced_search_is_kept_beside(tmp_path):
    folder = tmp_path / "a"
    open_folder(folder, {"seed": 0}, overwrite=False)
    (folder / "trials.csv").write_text("mine")
    open_folder(folder, {"seed": 0}, overwrite=False)
    assert (folder / "trials.csv").read_text() == "mine"
    open_folder(folder, {"seed": 1}, overwrite=True)
    assert json.loads((folder / "search.json").read_text()) == {"seed": 1}
    (old,) = (path for path in tmp_path.iterdir() if path != folder)
    assert (old / "trials.csv").read_text() == "mine"


def test_rows_of_any_number_of_labels_are_divided_by_label(tmp_path):
    several = np.stack([Y == 0, Y < 2, Y == 2], axis=1).astype(int)
    several[0] = 0
    _, labels, classes = as_arrays((X, several), None)
    assert classes.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(labels, several)
    rows = split_rows(tmp_path, labels, 0.25, 0.25, seed=0)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(len(Y)))
    for part, share in (("train", 0.5), ("validation", 0.25), ("test", 0.25)):
        np.testing.assert_allclose(
            labels[rows[part]].sum(axis=0), share * labels.sum(axis=0), atol=2
        )
