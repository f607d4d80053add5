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
from recipes.classifiers import registry
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers import grid
from tests.recipes.classifiers.cases import NORM_POSITIONS, OVER_CHANNELS, RECIPES
from tests.recipes.classifiers.grid_run import FORMATS

PAIRS = grid.pairwise(seed=0)
SEED = random.randrange(10**6)  # other cells in each run


def test_the_pairs_are_all_there_and_not_too_many():
    """With every value of every ingredient among them."""
    assert len(PAIRS) <= 300
    wanted = set().union(*map(grid.pairs_of, grid.everything()))
    assert set().union(*map(grid.pairs_of, PAIRS)) == wanted
    for factor, values in grid.FACTORS.items():
        assert {cell[factor] for cell in PAIRS} == set(values), factor


@pytest.mark.parametrize("part", range(8))
def test_every_pair_of_choices_works(part, tmp_path):
    for cell in PAIRS[part::8]:
        try:
            grid.check(cell, tmp_path)
        except Exception as error:
            raise AssertionError(f"{cell}") from error


def test_a_random_sample_of_the_grid_works(tmp_path):
    print(f"seed {SEED}")
    for cell in grid.at_random(random.Random(SEED), 12):
        try:
            grid.check(cell, tmp_path)
        except Exception as error:
            raise AssertionError(f"{cell}, seed {SEED}") from error


@pytest.mark.parametrize("precision", grid.PRECISIONS[1:])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_cell_of_every_recipe_works_in_low_precision(recipe, precision, tmp_path):
    for cell in grid.at_random(random.Random(recipe + precision), 1, {"recipe": recipe}):
        try:
            grid.check(cell, tmp_path, precision)
        except Exception as error:
            raise AssertionError(f"{cell}, {precision}") from error


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("form", FORMATS)
def test_cells_of_every_recipe_are_exported(recipe, form, tmp_path):
    pytest.importorskip({"onnx": "tf2onnx", "litert": "ai_edge_litert"}[form])
    print(f"seed {SEED}")
    cells = (cell for cell in grid.at_random(random.Random(SEED), 200) if cell["recipe"] == recipe)
    for cell in itertools.islice(cells, 8):
        try:
            grid.export([grid.build(cell)], form, tmp_path)
        except Exception as error:
            raise AssertionError(f"{cell}, seed {SEED}") from error


NORMS = grid.FACTORS["normalization"]
FIRST = {factor: values[0] for factor, values in grid.FACTORS.items()}
PLACES = [
    (recipe, name, position)
    for recipe, name, position in itertools.product(RECIPES, NORMS, NORM_POSITIONS)
    if grid.possible({**FIRST, "recipe": recipe, "normalization": name, "norm_position": position})
]


def readers_of(layer):
    """What reads a layer's channels; they go unchanged through a concatenation or an average."""
    behind = [node.operation for node in layer._outbound_nodes]
    through = (layers.Concatenate, layers.AveragePooling2D)
    found = [readers_of(one) if isinstance(one, through) else [one] for one in behind]
    return list(itertools.chain(*found))


@pytest.mark.parametrize(("recipe", "name", "position"), PLACES)
def test_a_bias_is_where_it_has_an_effect(recipe, name, position):
    """Only a bias right before a norm that shifts is left out, and in no network of tokens."""
    model = RECIPES[recipe](normalization=name, norm_position=position)
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            readers = readers_of(layer)
            before_norm = bool(readers) and all(
                getattr(reader, "center", False) and reader.trainable for reader in readers
            )
            assert inner.use_bias != (before_norm and recipe not in OVER_CHANNELS), layer.name


@pytest.mark.parametrize("name", ["crelu", "maxout", "glu", "swiglu"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_widths_are_those_asked_for_whatever_the_activation(name, recipe):
    # Preactivated, a DenseNet ends with the activation, and has what that leaves.
    place = {"norm_position": "before"} if recipe == "densenet" else {}
    plain, other = (RECIPES[recipe](activation=a, **place) for a in ("relu", name))
    widths = [m.layers[-1].input.shape[-1] for m in (plain, other)]
    assert widths[0] == widths[1]


NUMPYS = {
    "mlp": lambda i, f: recipes.mlp(i(8), i(3), units=(i(4),), dropout=f(0.1), seed=i(1)),
    "cnn": lambda i, f: recipes.cnn(
        np.array([8, 8, 3]),
        i(3),
        widths=np.array([4, 8]),
        depth=i(1),
        kernel_size=i(3),
        normalization=("group", {"groups": i(2)}),
        activation=("maxout", {"pieces": i(2)}),
    ),
    "resnet": lambda i, f: recipes.resnet(
        (i(8), i(8), i(3)), i(3), depth=(i(1),), width=i(8), drop_path=f(0.1)
    ),
    "mobilenet": lambda i, f: recipes.mobilenet(
        (i(8), i(8), i(3)), i(3), width=f(0.25), stages=np.array([[1, 8, 1, 1]])
    ),
}


@pytest.mark.parametrize("recipe", NUMPYS)
@pytest.mark.parametrize(("integer", "real"), [(np.int64, np.float32), (np.uint8, np.float64)])
def test_numbers_of_numpys_are_numbers_and_can_be_saved(recipe, integer, real, tmp_path):
    model = NUMPYS[recipe](integer, real)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").output_shape == (None, 3)


def test_the_depth_of_a_name_may_be_numpys():
    shape = (np.int64(32), np.int64(32), np.int64(3))
    assert recipes.resnet(shape, 3, depth=np.int64(18), width=8).output_shape == (None, 3)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "mlp"])
def test_channels_first_is_refused(recipe):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="image_data_format: 'channels_first'"):
            RECIPES[recipe]()
    finally:
        keras.config.set_image_data_format("channels_last")


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
