"""What holds for every recipe: the grid of choices, seeds, copies, and that it is registered."""

import inspect
import itertools
import random
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes import blocks
from recipes.classifiers import registry
from recipes.ingredients import activations, initializers, normalization
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers.cases import RECIPES

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


def check(choice, tmp_path=None):
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
    if tmp_path is None:
        return
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
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("activation", GRID["activation"])
def test_the_whole_grid_works(recipe, activation, tmp_path):
    """Each cell with dropout is built and trained; each structure is saved and read once."""
    failed, saved = {}, set()
    for choice in WHOLE:
        if (choice["recipe"], choice["activation"], choice["dropout"]) != (recipe, activation, 0.2):
            continue
        structure = (choice["normalization"], choice["norm_position"])
        try:
            check(choice, None if structure in saved else tmp_path)
        except Exception as error:  # the other cells are tried all the same
            failed[name_of(choice)] = repr(error)
        saved.add(structure)
    keras.backend.clear_session()
    assert not failed


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


@pytest.mark.parametrize("recipe", RECIPES)
def test_models_of_one_recipe_stand_in_one_model(recipe):
    parts = [RECIPES[recipe](), RECIPES[recipe](), RECIPES[recipe](name="mine")]
    inputs = keras.Input(parts[0].input_shape[1:])
    together = keras.Model(inputs, [part(inputs) for part in parts])
    assert len({layer.name for layer in together.layers}) == len(together.layers)
    assert all(part.name.startswith(recipe) for part in parts[:2])
    assert parts[2].name == "mine"
    x = np.random.default_rng(0).uniform(0, 255, (2, *inputs.shape[1:]))
    for found, part in zip(together(x), parts, strict=True):
        np.testing.assert_allclose(to_numpy(found), to_numpy(part(x)), atol=1e-6)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_first_of_a_recipe_has_its_name(recipe):
    keras.backend.clear_session()
    assert [RECIPES[recipe]().name for _ in range(3)] == [recipe, f"{recipe}_1", f"{recipe}_2"]


def test_every_recipe_is_public_and_has_a_small_case():
    assert set(registry.names()) == set(RECIPES) <= set(recipes.__all__)
    for name in registry.names():
        assert registry.get(name).function is getattr(recipes, name)
    with pytest.raises(ValueError, match="Did you mean 'resnet'"):
        registry.get("resnte")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_found_by_its_function(name):
    function = getattr(recipes, name)
    recipe = registry.of(partial(partial(function, seed=1), dropout=0.1))
    assert recipe is registry.get(name)
    # What it ships to search is what it takes, or what it makes arguments of.
    arguments = inspect.signature(function).parameters
    setting = {key: 1 for key in recipe.space if key not in arguments} | {"width": 8}
    assert set(recipe.sizes(setting)) <= set(arguments)
    assert set(recipe.space) - set(arguments) <= {"stages", "depth", "width"}


def test_another_function_has_no_space():
    assert registry.of(dict) == registry.Recipe(dict, {})
