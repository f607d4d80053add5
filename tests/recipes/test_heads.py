"""Heads: the loss and metrics of a task, label smoothing, weight decay, bad input."""

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes.transfer.state import to_numpy

TASKS = {
    "multiclass": (3, np.array([0, 1, 2, 1]), "sparse_categorical_crossentropy"),
    "binary": (1, np.array([0, 1, 1, 0]), "binary_crossentropy"),
    "multilabel": (
        3,
        np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]]),
        "binary_crossentropy",
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_loss_and_metrics_match_the_task(task):
    num_classes, y, loss = TASKS[task]
    model = recipes.compile_classifier(recipes.mlp(4, num_classes, task=task, seed=0))
    assert model.loss.name == loss
    x = np.random.default_rng(0).normal(size=(4, 4))
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    probabilities = to_numpy(model(x)).astype("float64")
    if task == "multiclass":
        expected = -np.log(probabilities[np.arange(4), y]).mean()
        accuracy = (probabilities.argmax(1) == y).mean()
    else:
        labels = y.reshape(probabilities.shape)
        likelihood = np.where(labels == 1, probabilities, 1 - probabilities)
        expected, accuracy = -np.log(likelihood).mean(), (likelihood > 0.5).mean()
    assert results["loss"] == pytest.approx(expected, rel=1e-4)
    assert results["accuracy"] == pytest.approx(accuracy)


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


def test_weight_decay_is_decoupled_and_spares_biases_and_norms():
    model = recipes.mlp(4, 3, normalization="batch", seed=0, bias_initializer=0.5)
    recipes.compile_classifier(model, optimizer="sgd", learning_rate=0.0, weight_decay=0.1)
    assert model.optimizer.weight_decay == pytest.approx(0.1)
    recipes.compile_classifier(model, optimizer="sgd", learning_rate=0.5, weight_decay=0.1)
    kernel = model.layers[-1].kernel
    norm = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    before = to_numpy(kernel), to_numpy(norm.gamma)
    x = np.zeros((2, 4))
    model.trainable = True
    model.train_on_batch(x, np.array([0, 1]))
    assert not model.optimizer._use_weight_decay(norm.gamma)
    assert model.optimizer._use_weight_decay(kernel)
    assert (to_numpy(kernel) != before[0]).any()


def test_maps_are_pooled_and_dropped_before_the_one_layer():
    inputs = keras.Input((8, 8, 16))
    model = keras.Model(inputs, recipes.classification_head(inputs, 3, dropout=0.5, seed=0))
    assert [layer.name for layer in model.layers[1:]] == ["pool", "head_dropout", "predictions"]
    assert model.output.dtype == "float32"


def test_an_optimizer_brings_its_own_rate():
    optimizer = keras.optimizers.SGD(0.5)
    model = recipes.compile_classifier(recipes.mlp(4, 3), optimizer=optimizer)
    assert model.optimizer is optimizer
    with pytest.raises(ValueError, match="on the optimizer itself"):
        recipes.compile_classifier(model, optimizer=optimizer, learning_rate=0.1)


BAD = [
    (lambda: recipes.mlp(4, 0), "num_classes", "0"),
    (lambda: recipes.mlp(4, 1), "num_classes", "2 or more"),
    (lambda: recipes.mlp(4, 2, task="binary"), "num_classes", "binary takes 1"),
    (lambda: recipes.mlp(4, 3, task="multi-label"), "task", "multilabel"),
    (
        lambda: recipes.compile_classifier(recipes.mlp(4, 3), label_smoothing=1.0),
        "label_smoothing",
        "1.0",
    ),
    (
        lambda: recipes.compile_classifier(recipes.mlp(4, 3), learning_rate=-1),
        "learning_rate",
        "-1",
    ),
    (
        lambda: recipes.compile_classifier(keras.Sequential([keras.Input((2,)), layers.Dense(2)])),
        "model",
        "neither",
    ),
]


@pytest.mark.parametrize(("call", "culprit", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(call, culprit, text):
    with pytest.raises(ValueError, match=culprit) as caught:
        call()
    assert text in str(caught.value)
