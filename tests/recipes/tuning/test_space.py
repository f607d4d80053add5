import keras_tuner
import pytest

import recipes
from recipes.classifiers import registry
from recipes.tuning.space import TRAINING, default_space, draw, resolve

SPACE = {"optimizer": ["adam", "sgd"], "momentum": (0.0, 0.9), "width": (1, 8), "rate": 0.5}


@pytest.mark.parametrize("name", registry.names())
def test_a_recipe_ships_its_space_and_that_of_the_training(name):
    space = default_space(getattr(recipes, name))
    assert list(space) == [*registry.get(name).space, *TRAINING]
    assert {"width", "activation", "norm_position", "dropout", "learning_rate"} <= set(space)


def test_a_function_of_ones_own_has_the_training_s_alone():
    assert default_space(lambda units, seed=None: None) == TRAINING


def test_kinds_of_values_and_conditions():
    hp = keras_tuner.HyperParameters()
    hp.Fixed("optimizer", "adam")
    assert draw(hp, SPACE) == {"optimizer": "adam", "width": 1, "rate": 0.5}
    hp = keras_tuner.HyperParameters()
    hp.Fixed("optimizer", "sgd")
    assert draw(hp, SPACE) == {"optimizer": "sgd", "momentum": 0.0, "width": 1, "rate": 0.5}
    hp = keras_tuner.HyperParameters()
    draw(hp, SPACE)
    kinds = {parameter.name: type(parameter).__name__ for parameter in hp.space}
    assert kinds == {"optimizer": "Choice", "momentum": "Float", "width": "Int", "rate": "Fixed"}
    never = draw(keras_tuner.HyperParameters(), {**SPACE, "optimizer": ["adam"]})
    assert "momentum" not in never


def test_changes_are_merged_and_what_is_fixed_left_out():
    changed = resolve(SPACE, {"width": [4], "depth": (1, 3)}, {"rate": 0.1}, ["depth"])
    assert changed == {**{k: SPACE[k] for k in ("optimizer", "momentum")}, "width": [4],
                       "depth": (1, 3)}  # fmt: skip


@pytest.mark.parametrize(
    ("space", "fixed", "words"),
    [
        ({"widht": [1]}, {}, "Did you mean 'width'"),
        ({}, {"deep": 1}, "Did you mean 'depth'"),
        ({"width": [1]}, {"width": 1}, "width cannot be searched and fixed at once"),
        ({"depth": [1]}, {}, "depth can be fixed only; optimizer, momentum, width, rate are"),
        ({}, dict.fromkeys(SPACE, 1), "nothing is left"),
        ({"width": []}, {}, "width has no values"),
        ({"width": (1, 2, 3)}, {}, "is not .low, high."),
        ({"width": ("a", "b")}, {}, "is not .low, high."),
    ],
)
def test_bad_spaces_are_refused(space, fixed, words):
    with pytest.raises(ValueError, match=words):
        resolve(SPACE, space, fixed, ["depth"], fixed_only=True)
