"""Losses and accuracies: label smoothing, mixed labels, labels of no class."""

import keras
import numpy as np
import pytest

import recipes
from recipes.losses import SmoothedSparseCrossentropy, accuracy_of, loss_of
from recipes.transfer.state import to_numpy


def test_label_smoothing_is_keras_one_hot_form(tmp_path):
    model = recipes.mlp(4, 3, seed=0)
    x, y = np.random.default_rng(0).normal(size=(8, 4)), np.arange(8) % 3
    losses = []
    for one_hot in (False, True):
        recipes.compile_classifier(model, label_smoothing=0.2, one_hot=one_hot)
        labels = keras.utils.to_categorical(y, 3) if one_hot else y
        losses.append(model.evaluate(x, labels, verbose=0)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    recipes.compile_classifier(model, label_smoothing=0.2)
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0)[0] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_mixed_labels_have_the_loss_and_the_accuracy_of_their_shares(smoothing):
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.ones(3), 16).astype("float32")
    one, other, share = rng.integers(0, 3, 16), rng.integers(0, 3, 16), rng.random(16)
    targets = share[:, None] * np.eye(3)[one] + (1 - share[:, None]) * np.eye(3)[other]
    loss = loss_of("multiclass", smoothing)

    def each(labels):
        return to_numpy(loss.call(labels[:, None], keras.ops.convert_to_tensor(said)))

    expected = (share * each(one) + (1 - share) * each(other)).mean()
    assert float(loss(targets.astype("float32"), said)) == pytest.approx(expected, rel=1e-4)
    accuracy = accuracy_of("multiclass", mixed=True)
    accuracy.update_state(targets, said)
    best = said.argmax(axis=1)
    expected = (share * (best == one) + (1 - share) * (best == other)).mean()
    assert float(accuracy.result()) == pytest.approx(expected, rel=1e-5)


TARGETS = {
    "multiclass": np.array([[0], [1], [2], [1]]),
    "binary": np.array([[0], [1], [1], [0]]),
    "multilabel": np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]]),
}


@pytest.mark.parametrize("task", TARGETS)
def test_the_accuracy_of_mixed_labels_is_the_usual_one_where_nothing_is_mixed(task):
    hard = TARGETS[task]
    soft = np.eye(3)[hard[:, 0]] if task == "multiclass" else hard
    said = np.random.default_rng(0).random(soft.shape).astype("float32")
    usual, mixed = accuracy_of(task), accuracy_of(task, mixed=True)
    usual.update_state(hard, said)
    mixed.update_state(soft.astype("float32"), said)
    assert float(mixed.result()) == pytest.approx(float(usual.result()))


LABELS = {"above": 3, "far above": 200, "below": -1, "missing": np.nan}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("kind", LABELS)
def test_a_label_of_no_class_is_refused_with_smoothing_as_without(kind, smoothing, eagerly):
    """TensorFlow and PyTorch raise an error; on JAX, where Keras' own says nothing, it is NaN."""
    model = recipes.mlp(4, 3, units=(4,), seed=0)
    options = {"optimizer": "sgd", "label_smoothing": smoothing, "run_eagerly": eagerly}
    recipes.compile_classifier(model, **options)
    x, y = np.zeros((4, 4)), np.array([0, 1, LABELS[kind], 2])
    if keras.backend.backend() == "jax":
        if smoothing:
            assert np.isnan(model.train_on_batch(x, y)[0])
        return
    with pytest.raises(Exception, match=r"(?i)label|out of bounds|index"):
        model.train_on_batch(x, y)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("column", [False, True])
def test_the_smoothed_loss_is_keras_own_of_one_hot_rows(smoothing, column):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 64)
    probabilities = rng.dirichlet(np.ones(5) / 3, 64).astype("float32")
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    ours = SmoothedSparseCrossentropy(smoothing)
    expected = theirs(keras.utils.to_categorical(y, 5), probabilities)
    found = ours(y[:, None] if column else y, probabilities)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
