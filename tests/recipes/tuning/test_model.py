from functools import partial

import cloudpickle
import keras_tuner
import pytest

import recipes
from recipes.classifiers import registry
from recipes.tuning.model import HyperModel
from recipes.tuning.space import draw


def drawn(model, seed):
    """Random values of a model's space."""
    hp = keras_tuner.HyperParameters()
    draw(hp, model.space)
    oracle = keras_tuner.oracles.RandomSearchOracle(hyperparameters=hp, seed=seed)
    hp.values = oracle._random_values()
    return hp


SHAPES = {"mlp": 8, "cnn1d": (16, 3), "alexnet": (63, 63, 3), "squeezenet": (32, 32, 3)}


@pytest.mark.parametrize("recipe", registry.names())
def test_settings_of_a_default_space_build(recipe):
    shape = SHAPES.get(recipe, (16, 16, 3))
    model = HyperModel(getattr(recipes, recipe), input_shape=shape, num_classes=3)
    seen = {name: set() for name in model.space}
    for seed in range(8):
        hp = drawn(model, seed + 1)
        built = model.build(hp)
        assert built.compiled
        assert built.output_shape == (None, 3)
        for name, value in hp.values.items():
            seen[name].add(value)
    assert all(seen.values())


SIZES = [
    ("mlp", 8, {"width": 16, "depth": 3}, "Dense", 3 + 1),
    ("cnn", (16, 16, 3), {"width": 8, "depth": 2, "stages": 3}, "Conv2D", 2 * 3),
    ("resnet", (16, 16, 3), {"width": 8, "depth": 2, "stages": 3}, "Add", 2 * 3),
    ("mobilenet", (16, 16, 3), {"width": 0.25, "stages": [(1, 16, 2, 1)]}, "Add", 2),
    ("vgg", (16, 16, 3), {"width": 8, "depth": 2, "stages": 3}, "Conv2D", 2 * 3),
    ("densenet", (16, 16, 3), {"growth": 8, "depth": 2, "stages": 3}, "Concatenate", 2 * 3),
    ("convnext", (16, 16, 3), {"width": 8, "depth": 2, "stages": 2}, "Add", 2 * 2),
    ("vit", (16, 16, 3), {"width": 64, "depth": 3}, "SelfAttention", 3),
    ("mlp_mixer", (16, 16, 3), {"width": 16, "depth": 3}, "Add", 2 * 3),
    ("cnn1d", (16, 3), {"width": 8, "depth": 2, "stages": 3}, "Conv1D", 2 * 3),
]


@pytest.mark.parametrize(("recipe", "shape", "sizes", "kind", "count"), SIZES)
def test_sizes_are_those_of_the_model(recipe, shape, sizes, kind, count):
    model = HyperModel(getattr(recipes, recipe), input_shape=shape, num_classes=3, **sizes)
    built = model.build(keras_tuner.HyperParameters())
    assert [type(layer).__name__ for layer in built.layers].count(kind) == count


def test_bound_arguments_stay_and_a_pickled_model_builds_the_same():
    model = HyperModel(partial(recipes.mlp, 4, 3, seed=0), {"width": [8]}, normalization="none")
    hp = drawn(model, 1)
    copy = cloudpickle.loads(cloudpickle.dumps(model))
    assert copy.space == model.space
    for one, other in zip(model.build(hp).get_weights(), copy.build(hp).get_weights(), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize(("normalization", "position"), [("batch", "after"), ("none", "before")])
def test_a_position_goes_with_a_norm(normalization, position):
    seen = []

    def recipe(num_classes, normalization="batch", norm_position="before"):
        seen.append(norm_position)
        return recipes.mlp(4, num_classes)

    fixed = {"num_classes": 3, "normalization": normalization, "norm_position": "after"}
    HyperModel(recipe, **fixed).build(keras_tuner.HyperParameters())
    assert seen == [position]
