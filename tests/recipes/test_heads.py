"""Heads: the bias that knows how often a class occurs, pooling, bad input."""

import keras
import numpy as np
import pytest

import recipes
from recipes.pooling import pooled
from recipes.transfer.state import to_numpy

SHARES = {"multiclass": [0.7, 0.2, 0.1], "binary": [0.1], "multilabel": [0.7, 0.2, 0.1]}


@pytest.mark.parametrize("task", SHARES)
def test_the_bias_begins_with_the_classes_shares(task):
    """With kernels of zeros, what the head says is how often a class occurs."""
    shares = SHARES[task]
    count = len(shares)
    inputs = keras.Input((5,))
    outputs = recipes.classification_head(inputs, count, task, class_shares=shares)
    model = keras.Model(inputs, outputs)
    model.layers[-1].kernel.assign(np.zeros((5, count)))
    np.testing.assert_allclose(to_numpy(model(np.ones((2, 5)))), [shares] * 2, rtol=1e-5)
    again = keras.models.clone_model(model).layers[-1].bias
    np.testing.assert_allclose(to_numpy(again), to_numpy(model.layers[-1].bias))


def test_shares_may_be_counts_and_survive_saving(tmp_path):
    inputs = keras.Input((5,))
    outputs = recipes.classification_head(inputs, 3, class_shares=np.array([70, 20, 10]))
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    bias = to_numpy(keras.models.load_model(tmp_path / "model.keras").layers[-1].bias)
    np.testing.assert_allclose(bias, np.log([0.7, 0.2, 0.1]), rtol=1e-5)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("shares", [[1, 2], [1, 2, 0], [0.5, 0.5, -1], [1, 2, np.nan], 3, "abc"])
def test_shares_that_are_none_are_refused(shares, task):
    with pytest.raises(ValueError, match="class_shares"):
        recipes.classification_head(keras.Input((5,)), 3, task, class_shares=shares)


def test_shares_of_labels_are_below_1():
    with pytest.raises(ValueError, match=r"class_shares: .* are not shares"):
        recipes.classification_head(keras.Input((5,)), 2, "multilabel", class_shares=[3, 4])


def test_maps_are_pooled_and_dropped_before_the_one_layer():
    inputs = keras.Input((8, 8, 16))
    model = keras.Model(inputs, recipes.classification_head(inputs, 3, dropout=0.5, seed=0))
    assert [layer.name for layer in model.layers[1:]] == ["pool", "head_dropout", "predictions"]
    assert model.output.dtype == "float32"


def test_two_heads_stand_on_one_trunk():
    inputs = keras.Input((8, 8, 4))
    heads = [
        recipes.classification_head(inputs, 3, dropout=0.1),
        recipes.classification_head(inputs, 5, dropout=0.1, name="kind"),
    ]
    model = keras.Model(inputs, heads)
    assert model.output_names == ["predictions", "kind"]
    assert {"pool", "head_dropout", "kind_pool", "kind_dropout"} <= {m.name for m in model.layers}


BAD = [
    (0, "multiclass", "num_classes: 0"),
    (1, "multiclass", "2 or more"),
    (2, "binary", "binary takes 1"),
    (3, "multi-label", "task: .*multilabel"),
]


@pytest.mark.parametrize(("num_classes", "task", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(num_classes, task, text):
    with pytest.raises(ValueError, match=text):
        recipes.mlp(4, num_classes, task=task)


def test_tokens_become_one_vector():
    tokens = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
    inputs = keras.Input((7, 3))
    expected = {
        "class": tokens[:, 0],
        "mean": tokens[:, 3:].mean(axis=1),
        "class_and_mean": np.concatenate([tokens[:, 0], tokens[:, 3:].mean(axis=1)], axis=1),
        "none": tokens,
    }
    for kind, values in expected.items():
        model = keras.Model(inputs, pooled(inputs, kind, 3))
        found = keras.ops.convert_to_numpy(model(tokens))
        np.testing.assert_allclose(found, values, rtol=1e-5)
    with pytest.raises(ValueError, match="Unknown pooling: 'clas'"):
        pooled(inputs, "clas")
