from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import recipes
from tests.recipes.wine import HALVES

build = partial(recipes.mlp, 13, 3, units=(8,))
GRID = {"activation": ["relu", keras.activations.softsign], "kernel_initializer": ["he_normal"]}


@pytest.fixture(scope="module")
def table():
    return recipes.compare(build, GRID, *HALVES, seeds=2, epochs=2, verbose=False)


def test_a_comparison_has_one_row_a_run_and_is_repeatable(table):
    assert table["activation"].tolist() == ["relu", "relu", "softsign", "softsign"]
    assert table["seed"].tolist() == [0, 1, 0, 1]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "seconds", "diverged"} <= set(table)
    second = {**GRID, "activation": GRID["activation"][1:]}
    again = recipes.compare(build, second, *HALVES, seeds=2, epochs=2, verbose=False)
    np.testing.assert_allclose(table["val_loss"][2:], again["val_loss"], rtol=1e-5)
    assert table["val_loss"].nunique() == 4


def test_a_comparison_goes_on_where_it_stopped(tmp_path):
    output, built = tmp_path / "table.csv", []

    def counting(**choices):
        built.append(choices)
        if len(built) == 3:
            raise KeyboardInterrupt
        return build(**choices)

    options = {"seeds": 2, "epochs": 1, "verbose": False, "output": output}
    with pytest.raises(KeyboardInterrupt):
        recipes.compare(counting, GRID, *HALVES, **options)
    assert len(pd.read_csv(output)) == 2
    table = recipes.compare(counting, GRID, *HALVES, **options)
    assert len(built) == 5  # two, the interrupted one, two
    assert len(table) == 4
    more = recipes.compare(counting, {**GRID, "activation": ["relu"]}, *HALVES, **options)
    assert len(built) == 5
    assert len(more) == 2
    other = {**options, "epochs": 2}
    recipes.compare(counting, {**GRID, "activation": ["relu"]}, *HALVES, **other)
    assert len(built) == 7


def test_a_diverged_run_is_a_row():
    def explode(scale, seed):
        model = build(seed=seed)
        return recipes.compile_classifier(model, optimizer=keras.optimizers.SGD(scale))

    table = recipes.compare(explode, {"scale": [0.01, 1e30]}, *HALVES, seeds=1, verbose=False)
    assert table["diverged"].tolist() == [False, True]
    summary = recipes.summarize(table)
    assert summary.index.tolist() == [0.01, 1e30]


def test_the_summary_is_pandas_mean_and_deviation_with_the_best_first(table):
    for metric, better in (("val_accuracy", max), ("val_loss", min)):
        summary = recipes.summarize(table, metric)
        assert summary["mean"].iloc[0] == better(summary["mean"])
        name = summary.index[0][0]
        runs = table.loc[table["activation"] == name, metric]
        assert summary["std"].iloc[0] == pytest.approx(runs.std())
        assert summary["runs"].tolist() == [2, 2]
    axes = recipes.plot_comparison(table, ax=Figure().subplots())
    assert [text.get_text() for text in axes.get_yticklabels()][-1].startswith(
        recipes.summarize(table).index[0][0]
    )


def test_recipes_are_compared_with_each_other():
    halves = [(np.asarray(x)[..., None], y) for x, y in HALVES]
    small = {recipes.mlp: {"units": (4,)}, recipes.cnn1d: {"widths": (4,), "depth": 1}}
    table = recipes.compare(
        lambda recipe, seed: recipe((13, 1), 3, seed=seed, **small[recipe]),
        {"recipe": [recipes.mlp, recipes.cnn1d]},
        *halves,
        seeds=1,
        epochs=1,
        verbose=False,
    )
    assert table["recipe"].tolist() == ["mlp", "cnn1d"]
    assert table["val_loss"].notna().all()


def test_objects_stand_by_their_class_and_what_is_not_usual_of_them(tmp_path):
    """So that another process finds the runs that are there."""
    grid = {
        "normalization": [("group", {"groups": 2}), keras.layers.BatchNormalization(momentum=0.5)],
        "kernel_initializer": [keras.initializers.HeNormal(), keras.initializers.Orthogonal(2.0)],
    }
    options = {"seeds": np.arange(1), "epochs": 1, "verbose": False, "output": tmp_path / "a.csv"}
    table = recipes.compare(build, grid, *HALVES, **options)
    assert set(table["normalization"]) == {
        "('group', {'groups': 2})",
        "BatchNormalization(momentum=0.5)",
    }
    assert set(table["kernel_initializer"]) == {"HeNormal", "Orthogonal(gain=2.0)"}
    grid["normalization"][1] = keras.layers.BatchNormalization(momentum=0.5)
    again = recipes.compare(None, grid, *HALVES, **options)
    pd.testing.assert_frame_equal(again, table, check_dtype=False)


def test_nothing_is_a_choice_too():
    grid = {"normalization": [None, "batch"]}
    table = recipes.compare(build, grid, *HALVES, seeds=1, epochs=1, verbose=False)
    assert sorted(recipes.summarize(table).index.get_level_values(0)) == ["None", "batch"]


def test_recipes_with_arguments_are_told_apart():
    grid = {"recipe": [partial(recipes.mlp, 13, 3, units=(width,)) for width in (4, 8)]}
    options = {"seeds": np.int64(1), "epochs": 1, "verbose": False}
    table = recipes.compare(lambda recipe, seed: recipe(seed=seed), grid, *HALVES, **options)
    assert table["recipe"].tolist() == ["mlp(13, 3, units=(4,))", "mlp(13, 3, units=(8,))"]
    assert table["val_loss"].nunique() == 2


BAD = [
    ({}, {}, "grid: it holds no choices"),
    ({"activation": []}, {}, "grid: activation holds no choices"),
    ({"activation": "relu"}, {}, "grid: activation = 'relu' is no list"),
    ({"activation": 3}, {}, "grid: activation = 3 is no list"),
    ({"activation": [lambda x: x, lambda x: -x]}, {}, 'activation has two values of .*"<lambda>"'),
    ({"dropout": [0.1]}, {"seeds": 0}, "seeds: 0 is not a whole number from 1 up"),
    ({"dropout": [0.1]}, {"seeds": [0.5]}, r"seeds: 0\.5 is not a whole number from 0 up"),
]


@pytest.mark.parametrize(("grid", "options", "text"), BAD)
def test_a_bad_grid_is_refused_before_the_first_run(grid, options, text):
    with pytest.raises(ValueError, match=text):
        recipes.compare(None, grid, *HALVES, **options)
