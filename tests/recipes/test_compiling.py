"""Compiling: the loss and the metrics of a task, weight decay, rates, bad input."""

import keras
import numpy as np
import pytest
from keras import layers

import callbacks
import recipes
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers.cases import RECIPES

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


SPARED = {
    "prelu": {"activation": "prelu"},
    "tlu": {"activation": "tlu"},
    "rms": {"normalization": "rms"},
    "layer": {"normalization": "layer"},
    "weight": {"normalization": "weight"},
    "filter_response": {"normalization": "filter_response"},
}


@pytest.mark.parametrize("kind", SPARED)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("recipe", ["cnn", "mobilenet", "vit"])
def test_weight_decay_moves_kernels_alone(recipe, optimizer, kind):
    """Measured: at gradients of 0 a step changes what is decayed and nothing else."""
    model = RECIPES[recipe](**SPARED[kind], seed=0, bias_initializer=0.5)
    options = {"weight_decay": 0.1} if optimizer == "sgd" else {}  # AdamW has its own
    recipes.compile_classifier(model, optimizer=optimizer, learning_rate=0.5, **options)
    before = [to_numpy(w).copy() for w in model.trainable_weights]
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    zeros = [keras.ops.zeros_like(w) for w in model.trainable_variables]
    optimizer.apply_gradients(zip(zeros, model.trainable_variables, strict=True))
    names = {
        w.name
        for w, old in zip(model.trainable_weights, before, strict=True)
        if (to_numpy(w) != old).any()
    }
    assert names == {"kernel"}
    assert len({w.name for w in model.trainable_weights}) > 1


def test_an_optimizer_brings_its_own_rate():
    optimizer = keras.optimizers.SGD(0.5)
    model = recipes.compile_classifier(recipes.mlp(4, 3), optimizer=optimizer)
    assert model.optimizer is optimizer
    with pytest.raises(ValueError, match="on the optimizer itself"):
        recipes.compile_classifier(model, optimizer=optimizer, learning_rate=0.1)


GIVEN = {
    "a name": "mae",
    "a list": ["mae"],
    "a tuple": ("mae",),
    "an object": keras.metrics.MeanAbsoluteError(name="mae"),
    "a function": keras.metrics.mean_absolute_error,
    "none": (),
    "nothing": None,
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", GIVEN)
def test_metrics_come_besides_those_of_the_head(kind, task):
    num_classes, y, _ = TASKS[task]
    model = recipes.mlp(4, num_classes, task=task, seed=0)
    y = keras.utils.to_categorical(y, 3) if task == "multiclass" else y
    options = {"one_hot": task == "multiclass", "metrics": GIVEN[kind]}
    recipes.compile_classifier(model, **options)
    found = set(model.evaluate(np.zeros((4, 4)), y, verbose=0, return_dict=True))
    own = {"loss", "accuracy"} if task == "multiclass" else {"loss", "accuracy", "auc"}
    more = {"a function": {"mean_absolute_error"}, "none": set(), "nothing": set()}
    assert found == own | more.get(kind, {"mae"})


@pytest.mark.parametrize("metrics", ["accuracy", ["acc"], [keras.metrics.AUC(name="auc")]])
def test_a_metric_of_the_heads_name_takes_its_place(metrics):
    model = recipes.compile_classifier(recipes.mlp(4, 1, task="binary"), metrics=metrics)
    results = model.evaluate(np.zeros((4, 4)), np.array([0, 1, 1, 0]), verbose=0, return_dict=True)
    assert sorted({"acc": "accuracy"}.get(name, name) for name in results) == [
        "accuracy",
        "auc",
        "loss",
    ]


def test_metrics_by_output_are_taken_as_they_are():
    model = recipes.compile_classifier(recipes.mlp(4, 3), metrics={"predictions": ["accuracy"]})
    results = model.evaluate(np.zeros((4, 4)), np.array([0, 1, 2, 0]), verbose=0, return_dict=True)
    assert {"loss", "accuracy"} <= set(results)


SCHEDULES = {
    "Keras'": lambda: keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5),
    "ours": lambda: callbacks.ExponentialDecay(0.5, 1, 0.5).as_schedule(9),
    "a number of NumPy": lambda: np.float32(0.5),
    "a whole number": lambda: 1,
}


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw"])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_is_a_learning_rate(kind, optimizer):
    rate = SCHEDULES[kind]()
    model = recipes.compile_classifier(
        recipes.mlp(4, 3), optimizer=optimizer, learning_rate=rate, weight_decay=0.1
    )
    if kind.startswith("a "):
        assert float(model.optimizer.learning_rate) == pytest.approx(float(rate))
        return
    assert float(model.optimizer.learning_rate) == pytest.approx(0.5)
    model.train_on_batch(np.zeros((2, 4)), np.array([0, 1]))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.25)


BAD = [
    ({"learning_rate": "fast"}, "learning_rate", "no number"),
    ({"learning_rate": float("nan")}, "learning_rate", "no number"),
    ({"learning_rate": -1}, "learning_rate", "-1"),
    ({"learning_rate": callbacks.StepLR(3)}, "learning_rate", "as_schedule"),
    ({"weight_decay": "0.1"}, "weight_decay", "no number"),
    ({"label_smoothing": "0.1"}, "label_smoothing", "0.1"),
    ({"label_smoothing": 1.0}, "label_smoothing", "1.0"),
    ({"loss": "mse"}, "loss", "the head decides it"),
    ({"weighted_metric": []}, "option of compile", "Did you mean 'weighted_metrics'"),
]


@pytest.mark.parametrize(("options", "culprit", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(options, culprit, text):
    with pytest.raises(ValueError, match=culprit) as caught:
        recipes.compile_classifier(recipes.mlp(4, 3), **options)
    assert text in str(caught.value)


def test_a_model_without_probabilities_is_refused():
    with pytest.raises(ValueError, match="model: its last layer is neither"):
        recipes.compile_classifier(keras.Sequential([keras.Input((2,)), layers.Dense(2)]))
