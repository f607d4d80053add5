"""The recipes: structure, the grid of choices, published parameter counts, tasks, bad input."""

import itertools
import random

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import train_test_split

import recipes
from recipes import blocks
from recipes.ingredients import activations, initializers, normalization
from recipes.transfer.state import to_numpy

RECIPES = {
    "mlp": lambda **choices: recipes.mlp(8, 3, units=(16, 8), **choices),
    "cnn": lambda **choices: recipes.cnn((8, 8, 3), 3, widths=(8, 16), depth=1, **choices),
    "resnet": lambda **choices: recipes.resnet((8, 8, 3), 3, depth=(1, 1), width=8, **choices),
    "mobilenet": lambda **choices: recipes.mobilenet(
        (8, 8, 3), 3, width=0.25, stages=((1, 16, 1, 1), (2, 24, 2, 2)), **choices
    ),
}
GRID = {
    "recipe": list(RECIPES),
    "activation": activations.names(),
    "normalization": normalization.names(),
    "norm_position": list(blocks.ORDERS),
    "kernel_initializer": initializers.names(),
    "dropout": [0.0, 0.2],
}


def possible(choice):
    """Preactivation is for residual networks; vectors have no places for instance statistics."""
    if choice["norm_position"] == "preactivation" and choice["recipe"] != "resnet":
        return False
    return not (choice["normalization"] == "instance" and choice["recipe"] == "mlp")


WHOLE = [
    choice
    for values in itertools.product(*GRID.values())
    if possible(choice := dict(zip(GRID, values, strict=True)))
]


def pairs_of(choice):
    return set(itertools.combinations(sorted(choice.items()), 2))


def pairwise(choices, seed):
    """Choices in which every possible pair of values occurs: greedily, from random candidates."""
    rng = random.Random(seed)
    missing = set().union(*map(pairs_of, choices))
    chosen = []
    while missing:
        best = max(rng.sample(choices, 150), key=lambda choice: len(pairs_of(choice) & missing))
        if not pairs_of(best) & missing:
            best = next(choice for choice in choices if pairs_of(choice) & missing)
        chosen.append(best)
        missing -= pairs_of(best)
    return chosen


def name_of(choice):
    return "-".join(str(value) for value in choice.values())


def check(choice, tmp_path):
    """It builds, takes a step with finite gradients, and reloads to the same answers."""
    choice = dict(choice)
    recipe = choice.pop("recipe")
    model = RECIPES[recipe](**choice, seed=0)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (4, *model.input_shape[1:])).astype("float32")
    x = x / 255 if recipe == "mlp" else x
    y = np.arange(4) % 3
    assert not model.compiled
    # Eager: nine tenths of the time would be tracing.
    recipes.compile_classifier(model, optimizer="sgd", learning_rate=1e-3, run_eagerly=True)
    before = [to_numpy(w) for w in model.trainable_weights]
    loss = model.train_on_batch(x, y)[0]
    after = [to_numpy(w) for w in model.trainable_weights]
    assert np.isfinite(loss)
    assert all(np.isfinite(w).all() for w in after)
    assert any((one != two).any() for one, two in zip(before, after, strict=True))
    outputs = to_numpy(model(x, training=False))
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-4)
    path = tmp_path / f"{abs(hash(name_of(choice)))}.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    path.unlink()
    np.testing.assert_allclose(to_numpy(loaded(x, training=False)), outputs, atol=1e-5)


PAIRS = pairwise(WHOLE, seed=0)
SOME = random.Random().sample(WHOLE, 12)  # others in each run


def test_the_grid_has_thousands_and_the_pairs_are_all_there():
    assert len(WHOLE) > 5_000
    assert set().union(*map(pairs_of, PAIRS)) == set().union(*map(pairs_of, WHOLE))


@pytest.mark.filterwarnings("ignore:initializer. with zeros")
@pytest.mark.parametrize("part", range(8))
def test_every_pair_of_choices_works(part, tmp_path):
    for choice in PAIRS[part::8]:
        try:
            check(choice, tmp_path)
        except Exception as error:
            raise AssertionError(f"{choice}") from error


@pytest.mark.filterwarnings("ignore:initializer. with zeros")
def test_a_random_sample_of_the_grid_works(tmp_path):
    for choice in SOME:
        try:
            check(choice, tmp_path)
        except Exception as error:
            raise AssertionError(f"{choice}") from error


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.filterwarnings("ignore:initializer. with zeros")
def test_the_whole_grid_works(tmp_path):
    for number, choice in enumerate(WHOLE):
        check(choice, tmp_path)
        if number % 50 == 49:
            keras.backend.clear_session()


def count(model, trainable=True):
    chosen = model.trainable_weights if trainable else model.weights
    return sum(int(np.prod(w.shape)) for w in chosen)


@pytest.mark.parametrize(
    ("build", "published"),
    [
        (lambda: recipes.resnet((224, 224, 3), 1000, depth=18), 11_689_512),
        (lambda: recipes.resnet((224, 224, 3), 1000, depth=34), 21_797_672),
        (lambda: recipes.resnet((224, 224, 3), 1000, depth=50), 25_557_032),
        (lambda: recipes.mobilenet((224, 224, 3), 1000), 3_504_872),
    ],
)
def test_parameters_are_as_many_as_published(build, published):
    assert count(build()) == published


def kinds(model):
    """The layers in order, by short names."""
    short = {
        layers.Conv2D: "kernel",
        layers.Dense: "kernel",
        layers.DepthwiseConv2D: "kernel",
        normalization.WeightNormalization: "weight",
        layers.BatchNormalization: "norm",
        layers.ReLU: "act",
        layers.SpatialDropout2D: "drop",
        layers.Dropout: "drop",
        layers.Add: "add",
    }
    return [short[type(layer)] for layer in model.layers if type(layer) in short]


@pytest.mark.parametrize(
    ("position", "order"),
    [("before", ["kernel", "norm", "act", "drop"]), ("after", ["kernel", "act", "norm", "drop"])],
)
def test_the_order_is_the_one_asked_for(position, order):
    choices = {"normalization": "batch", "norm_position": position, "dropout": 0.1}
    assert kinds(recipes.mlp(4, 3, units=(8, 8), **choices)) == [*order, *order, "kernel"]
    one = recipes.cnn((8, 8, 3), 3, widths=(8,), depth=2, **choices)
    assert kinds(one) == [*order, *order, "kernel"]


def test_a_residual_block_in_its_three_orders():
    def trunk(position):
        config = blocks.BlockConfig(norm_position=position)
        inputs = keras.Input((8, 8, 8))
        return kinds(keras.Model(inputs, blocks.residual_block(inputs, 8, config)))

    assert trunk("before") == ["kernel", "norm", "act", "kernel", "norm", "add", "act"]
    assert trunk("after") == ["kernel", "act", "norm", "kernel", "norm", "add", "act"]
    assert trunk("preactivation") == ["norm", "act", "kernel", "norm", "act", "kernel", "add"]


PLACES = [
    (recipe, name, position)
    for recipe, name, position in itertools.product(RECIPES, normalization.names(), blocks.ORDERS)
    if possible({"recipe": recipe, "normalization": name, "norm_position": position})
]


@pytest.mark.parametrize(("recipe", "name", "position"), PLACES)
def test_a_bias_is_where_it_has_an_effect(recipe, name, position):
    """Only a bias right before a norm that shifts is left out."""
    model = RECIPES[recipe](normalization=name, norm_position=position)
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            readers = [node.operation for node in layer._outbound_nodes]
            before_norm = bool(readers) and all(getattr(r, "center", False) for r in readers)
            assert inner.use_bias != before_norm, layer.name


@pytest.mark.parametrize("name", ["crelu", "maxout"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_widths_are_those_asked_for_whatever_the_activation(name, recipe):
    plain, other = (RECIPES[recipe](activation=a) for a in ("relu", name))
    widths = [m.layers[-1].input.shape[-1] for m in (plain, other)]
    assert widths[0] == widths[1]


def test_regularization_is_on_kernels_alone():
    model = recipes.cnn((8, 8, 3), 3, widths=(8,), kernel_regularizer="l2", normalization="none")
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            assert layer.kernel_regularizer is not None
            assert layer.bias_regularizer is None
    penalty = sum(float(to_numpy(loss)) for loss in model.losses)
    squares = sum(float((to_numpy(w) ** 2).sum()) for w in model.weights if "kernel" in w.path)
    assert penalty == pytest.approx(0.01 * squares, rel=1e-4)


def test_dropout_zero_costs_nothing_and_selu_gets_its_own():
    assert "drop" not in kinds(recipes.cnn((8, 8, 3), 3, widths=(8,)))
    model = recipes.mlp(4, 3, activation="selu", dropout=0.1)
    assert sum(isinstance(layer, layers.AlphaDropout) for layer in model.layers) == 2


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_seed_gives_the_same_model(recipe):
    one, same, other = (RECIPES[recipe](seed=seed).get_weights() for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
    kernels = [w for w in one if w.ndim > 1]
    assert all(np.unique(w).size > w.size // 2 for w in kernels)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_model_can_be_cloned(recipe):
    model = RECIPES[recipe]()
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:]))
    np.testing.assert_allclose(to_numpy(clone(x)), to_numpy(model(x)), atol=1e-6)


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


BAD = [
    (lambda: recipes.mlp(4, 3, activation="rleu"), "activation", "relu"),
    (lambda: recipes.mlp(4, 3, activation="softmax"), "activation", "output layer"),
    (lambda: recipes.mlp(4, 3, normalization="grupo"), "normalization", "group"),
    (lambda: recipes.mlp(4, 3, normalization="instance"), "normalization", "places"),
    (lambda: recipes.mlp(4, 3, norm_position="preactivation"), "norm_position", "after"),
    (lambda: recipes.mlp(4, 3, kernel_initializer="he"), "initializer", "he_normal"),
    (lambda: recipes.mlp(4, 3, kernel_regularizer="l22"), "regularizer", "l2"),
    (lambda: recipes.mlp(4, 3, dropout=-0.1), "dropout", "-0.1"),
    (lambda: recipes.mlp(4, 3, dropout=1.0), "dropout", "1.0"),
    (lambda: recipes.mlp(4, 3, units=(0,)), "units", "0"),
    (lambda: recipes.mlp(4, 3, units=(7,), activation="crelu"), "units", "odd"),
    (lambda: recipes.mlp(4, 0), "num_classes", "0"),
    (lambda: recipes.mlp(4, 1), "num_classes", "2 or more"),
    (lambda: recipes.mlp(4, 2, task="binary"), "num_classes", "binary takes 1"),
    (lambda: recipes.mlp(4, 3, task="multi-label"), "task", "multilabel"),
    (lambda: recipes.mlp(4, 3, scaling="standrad"), "scaling", "standard"),
    (lambda: recipes.cnn((8, 8, 3), 3, widths=(8, 8, 8, 8)), "input_shape", "too small"),
    (lambda: recipes.cnn((8, 8), 3), "input_shape", "height, width, channels"),
    (lambda: recipes.cnn((32, 32, 3), 3, pooling="avg"), "pooling", "average"),
    (lambda: recipes.cnn((32, 32, 3), 3, depth=0), "depth", "0"),
    (
        lambda: recipes.cnn(
            (32, 32, 3), 3, widths=(10,), normalization=layers.GroupNormalization(4)
        ),
        "groups",
        "4 does not divide 10",
    ),
    (lambda: recipes.resnet((32, 32, 3), 3, depth=20), "depth", "18"),
    (lambda: recipes.resnet((32, 32, 3), 3, stem="tiny"), "stem", "large"),
    (lambda: recipes.mobilenet((32, 32, 3), 3, width=0), "width", "0"),
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


def test_zeros_for_hidden_kernels_warn():
    with pytest.warns(UserWarning, match="stay identical"):
        recipes.mlp(4, 3, kernel_initializer="zeros")


@pytest.mark.parametrize(
    ("load", "task"), [(load_wine, "multiclass"), (load_breast_cancer, "binary")]
)
def test_tables_of_numbers_are_learned(load, task):
    table = load(as_frame=True).frame
    train, test = train_test_split(table, test_size=0.3, random_state=0, stratify=table["target"])
    features = [name for name in table.columns if name != "target"]
    scaled = recipes.scaling.get("standard", data=train[features])
    num_classes = table["target"].nunique() if task == "multiclass" else 1
    model = recipes.mlp(len(features), num_classes, task=task, scaling=scaled, seed=0)
    recipes.compile_classifier(model, learning_rate=3e-3)
    model.fit(train[features], train["target"], epochs=25, batch_size=16, verbose=0)
    assert (
        model.evaluate(test[features], test["target"], verbose=0, return_dict=True)["accuracy"]
        > 0.93
    )
    assert isinstance(train, pd.DataFrame)


def test_a_cnn_learns_pictures_of_digits():
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    x = pictures.reshape(-1, 8, 8, 1) * 255 / 16
    x, x_test, y, y_test = train_test_split(x, labels, test_size=0.3, random_state=0)
    model = recipes.cnn((8, 8, 1), 10, widths=(16, 32), depth=1, activation="mish", seed=0)
    recipes.compile_classifier(model, learning_rate=3e-3)
    model.fit(x, y, epochs=8, batch_size=32, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.95
