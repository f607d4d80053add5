"""Heads: the loss and metrics of a task, label smoothing, weight decay, bad input."""

import keras
import numpy as np
import pytest
from keras import layers

import callbacks
import recipes
from recipes.heads import accuracy_of, loss_of
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


@pytest.mark.parametrize("task", TASKS)
def test_the_accuracy_of_mixed_labels_is_the_usual_one_where_nothing_is_mixed(task):
    units, y, _ = TASKS[task]
    said = np.random.default_rng(0).random((4, units)).astype("float32")
    hard = y if y.ndim == 2 else y[:, None]
    soft = np.eye(units)[y] if task == "multiclass" else hard
    usual, mixed = accuracy_of(task), accuracy_of(task, mixed=True)
    usual.update_state(hard, said)
    mixed.update_state(soft.astype("float32"), said)
    assert float(mixed.result()) == pytest.approx(float(usual.result()))


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


@pytest.mark.parametrize("task", TASKS)
def test_the_bias_begins_with_the_classes_shares(task):
    """With kernels of zeros, what the head says is how often a class occurs."""
    count = TASKS[task][0]
    shares = {1: [0.1], 3: [0.7, 0.2, 0.1]}[count]
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


def test_an_optimizer_brings_its_own_rate():
    optimizer = keras.optimizers.SGD(0.5)
    model = recipes.compile_classifier(recipes.mlp(4, 3), optimizer=optimizer)
    assert model.optimizer is optimizer
    with pytest.raises(ValueError, match="on the optimizer itself"):
        recipes.compile_classifier(model, optimizer=optimizer, learning_rate=0.1)


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
    ours = recipes.heads.SmoothedSparseCrossentropy(smoothing)
    expected = theirs(keras.utils.to_categorical(y, 5), probabilities)
    found = ours(y[:, None] if column else y, probabilities)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


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
    *(
        (lambda options=options: recipes.compile_classifier(recipes.mlp(4, 3), **options), *words)
        for options, *words in [
            ({"learning_rate": "fast"}, "learning_rate", "no number"),
            ({"learning_rate": float("nan")}, "learning_rate", "no number"),
            ({"learning_rate": callbacks.StepLR(3)}, "learning_rate", "as_schedule"),
            ({"weight_decay": "0.1"}, "weight_decay", "no number"),
            ({"label_smoothing": "0.1"}, "label_smoothing", "0.1"),
            ({"loss": "mse"}, "loss", "the head decides it"),
            ({"weighted_metric": []}, "option of compile", "Did you mean 'weighted_metrics'"),
        ]
    ),
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


def test_tokens_become_one_vector():
    from recipes.heads import pooled

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
