import json

import keras_tuner
import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.classifiers import registry
from recipes.tuning.space import (
    TRAINING,
    checked,
    decoded,
    default_space,
    draw,
    encoded,
    resolve,
)

SPACE = {"optimizer": ["adam", "sgd"], "momentum": (0.0, 0.9), "width": (1, 8), "rate": 0.5}


@pytest.mark.parametrize("name", registry.names())
def test_a_recipe_ships_its_space_and_that_of_the_training(name):
    space = default_space(getattr(recipes, name))
    assert list(space) == [*registry.get(name).space, *TRAINING]
    assert {"activation", "norm_position", "dropout", "learning_rate"} <= set(space)
    assert {"width", "growth"} & set(space)


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


TAKEN = [
    (np.logspace(-3, -1, 3), [0.001, 0.01, 0.1]),
    (np.array([8, 16]), [8, 16]),
    (np.array([True, False]), [True, False]),
    (np.array(["a", "b"]), ["a", "b"]),
    (pd.Series([1, 2]), [1, 2]),
    (range(1, 4), [1, 2, 3]),
    ([np.float32(0.5), 1], [0.5, 1.0]),
    ([np.int64(8), 16, 8], [8, 16]),
    ([None, "l2"], [None, "l2"]),
    ([True, "auto"], [True, "auto"]),
    ([(8, 4), (16,)], [(8, 4), (16,)]),
    ([np.str_("a")], ["a"]),
    ([("group", {"groups": np.int64(8)}), "batch"], [("group", {"groups": 8}), "batch"]),
    ((np.float64(0.1), np.float64(0.5), "log"), (0.1, 0.5, "log")),
    ((np.int64(1), np.int64(4)), (1, 4)),
    (np.float32(0.5), 0.5),
    (np.array(3), 3),
    (np.True_, True),
    (None, None),
]


@pytest.mark.parametrize(("values", "expected"), TAKEN, ids=str)
def test_values_come_as_numpy_and_pandas_give_them(values, expected):
    found = checked("width", values)
    assert found == expected
    assert str(found) == str(expected)  # 1 is not 1.0, nor True
    hp = keras_tuner.HyperParameters()
    first = draw(hp, {"width": found})["width"]
    assert first == (found[0] if isinstance(found, list | tuple) else found)
    json.dumps(hp.get_config())
    if isinstance(found, list):
        for value in found:
            hp.values = encoded({"width": found}, {"width": value})
            assert json.loads(json.dumps(hp.values)) == hp.values
            assert draw(hp, {"width": found}) == {"width": value}
            assert decoded({"width": found}, hp.values) == {"width": value}


REFUSED = [
    {1, 2},
    {"a": 1},
    iter([1]),
    np.array([]),
    [float("nan"), 1.0],
    [float("inf")],
    np.array([0.1, np.nan]),
    [object()],
    [("group", {"groups": object()})],
    [("group", {8: 8})],
    [len],
    [None, "None"],
    (0.0, float("inf")),
    (float("nan"), 1.0),
    (False, True),
    ("relu", "tanh"),
    (0.1, 0.5, "lg"),
    (1,),
    (np.int64(4), np.int64(4)),
]


@pytest.mark.parametrize("values", REFUSED, ids=lambda value: repr(value)[:20])
def test_what_is_no_choice_and_no_range_is_refused_by_its_name(values):
    with pytest.raises(ValueError, match=r"^space: width"):
        checked("width", values)


@pytest.mark.parametrize("value", ["32", 1.5, 0, -1, True, [16, "32"], [16, 1.5]], ids=str)
def test_a_batch_size_is_a_number_before_anything_is_trained(value):
    searched = isinstance(value, list)
    space, fixed = ({"batch_size": value}, {}) if searched else ({}, {"batch_size": value})
    with pytest.raises(ValueError, match=r"^batch_size: .* is not a whole number from 1 up"):
        resolve(TRAINING, space, fixed, [])


def test_a_condition_holds_for_values_that_keras_tuner_does_not_take():
    hp = keras_tuner.HyperParameters()
    space = {"normalization": [None, "batch"], "norm_position": ["before", "after"]}
    assert draw(hp, space) == {"normalization": None, "norm_position": "before"}
    hp.values["normalization"] = "batch"
    assert draw(hp, space) == {"normalization": "batch", "norm_position": "before"}


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
