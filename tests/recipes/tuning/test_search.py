import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.tuning.model import HyperModel
from recipes.tuning.space import default_space
from tests.recipes.wine import X, Y

pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:.*currentThread.*|.*getName.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:All-NaN"),
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions"),
]
SMALL = {
    "activation": ["relu", "tanh"],
    "batch_size": 128,
    "learning_rate": (1e-3, 1e-1, "log"),
    "normalization": "none",
    "optimizer": ["adam", "sgd"],
    "width": [8, 16],
}
OPTIONS = {"max_trials": 4, "max_epochs": 3, "verbose": False}


def go(tmp_path, space=SMALL, name="a", **options):
    options = {**OPTIONS, **options}
    return recipes.search(recipes.mlp, (X, Y), space, directory=tmp_path / name, **options)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Searches by algorithm, each made once: the result, and the folder that holds it as `a`."""
    made = {}

    def search(algorithm):
        if algorithm not in made:
            place = tmp_path_factory.mktemp(algorithm)
            made[algorithm] = go(place, algorithm=algorithm), place
        return made[algorithm]

    return search


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband", "genetic"])
def test_every_algorithm_searches_and_tests_once(searched, algorithm):
    result, place = searched(algorithm)
    trials = result.trials
    assert len(trials) >= 4
    assert set(trials["status"]) == {"completed"}
    assert trials["activation"].isin(["relu", "tanh"]).all()
    assert trials["learning_rate"].between(1e-3, 1e-1).all()
    assert trials.loc[trials["optimizer"] == "adam", "momentum"].isna().all() or (
        "momentum" not in trials
    )
    best = trials.loc[trials["score"].idxmin()]
    assert result.best["learning_rate"] == best["learning_rate"]
    parts = json.loads((place / "a" / "split.json").read_text())
    rows = [set(parts[name]) for name in ("train", "validation", "test")]
    assert set().union(*rows) == set(range(len(X)))
    assert sum(map(len, rows)) == len(X)
    test = np.array(parts["test"])
    loss, accuracy = result.model.evaluate(X[test], Y[test], verbose=0)
    assert result.test_metrics["accuracy"] == pytest.approx(accuracy)
    assert result.test_metrics["loss"] == pytest.approx(loss, rel=1e-4)


def test_the_search_never_sees_the_test_part(tmp_path, monkeypatch):
    seen = []
    fit = HyperModel.fit

    def watching(self, hp, model, x, *args, **options):
        seen.append((x, options.get("validation_data", (x[:0],))[0]))
        return fit(self, hp, model, x, *args, **options)

    monkeypatch.setattr(HyperModel, "fit", watching)
    go(tmp_path, algorithm="random", max_trials=2)
    parts = json.loads((tmp_path / "a" / "split.json").read_text())
    tested = {row.tobytes() for row in X[parts["test"]]}
    assert len(seen) == 3
    for pair in seen:
        for rows in pair:
            assert not tested & {row.tobytes() for row in rows}
    assert len(seen[-1][0]) == len(parts["train"]) + len(parts["validation"])


def test_grid_tries_every_combination(tmp_path):
    space = {"activation": ["relu", "tanh"], "width": [4, 8]}
    fixed = {
        name: values[0] if isinstance(values, list | tuple) else values
        for name, values in default_space(recipes.mlp).items()
        if name not in space
    }
    fixed |= {"batch_size": 128, "max_epochs": 1}
    result = go(tmp_path, space, algorithm="grid", **fixed)
    pairs = set(result.trials[["activation", "width"]].itertuples(index=False, name=None))
    assert pairs == {("relu", 4), ("relu", 8), ("tanh", 4), ("tanh", 8)}
    with pytest.raises(ValueError, match="the grid has up to 4 settings, 3 allowed"):
        go(tmp_path, space, name="b", algorithm="grid", **{**fixed, "max_trials": 3})
    del fixed["learning_rate"]
    with pytest.raises(ValueError, match="learning_rate is a range"):
        go(tmp_path, space, name="c", algorithm="grid", **fixed)


def test_manual_takes_a_list_or_a_table(tmp_path):
    settings = [{"activation": "relu"}, {"activation": "mish", "learning_rate": 0.01}]
    for space in (settings, pd.DataFrame(settings)):  # with other settings it were another search
        result = go(tmp_path, space, algorithm="manual", max_epochs=1)
        assert result.trials["activation"].tolist() == ["relu", "mish"]
        assert result.trials["learning_rate"].iloc[1] == 0.01


def test_a_table_with_a_target_and_a_function_of_ones_own(tmp_path):
    def build(hp):
        model = keras.Sequential(
            [keras.Input((13,)), keras.layers.Dense(hp.Int("units", 4, 16)), keras.layers.Dense(3)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        return model

    table = pd.DataFrame(X).assign(kind=np.array(["x", "y", "z"])[Y])
    options = {"max_trials": 3, "max_epochs": 1, "verbose": False}
    options |= {"algorithm": "random", "objective": "val_accuracy"}
    result = recipes.search(build, table, target="kind", directory=tmp_path / "a", **options)
    assert result.trials["units"].between(4, 16).all()
    assert (
        result.trials["score"].max()
        == result.trials.loc[result.trials["units"] == result.best["units"], "score"].max()
    )


class _Killed(BaseException):
    pass


@pytest.mark.parametrize(
    "after", [2, pytest.param(0, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)]
)
def test_a_killed_search_goes_on_with_no_trial_run_twice(tmp_path, searched, monkeypatch, after):
    whole, _ = searched("genetic")
    runs, fit = [], HyperModel.fit

    def dying(self, hp, model, *args, **options):
        if len(runs) == after:
            raise _Killed
        runs.append(dict(hp.values))
        return fit(self, hp, model, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(HyperModel, "fit", dying)
        with pytest.raises(_Killed):
            go(tmp_path, algorithm="genetic")
    before = len(runs)
    counted = []

    def counting(self, hp, model, *args, **options):
        counted.append(dict(hp.values))
        return fit(self, hp, model, *args, **options)

    monkeypatch.setattr(HyperModel, "fit", counting)
    result = go(tmp_path, algorithm="genetic")
    assert before + len(counted) == 4 + 1  # the trials, and the best once more
    columns = ["trial", "status", "activation", "learning_rate", "width"]
    assert result.trials[columns].equals(whole.trials[columns])
    again = go(tmp_path, algorithm="genetic")
    assert before + len(counted) == 5
    assert again.test_metrics == result.test_metrics


def test_diverged_trials_are_recorded_and_do_not_stop_the_search(tmp_path):
    settings = [
        {"learning_rate": 1e38, "optimizer": "sgd"},
        {"learning_rate": 1e-2, "optimizer": "adam"},
        {"learning_rate": 1e38, "optimizer": "sgd"},
    ]
    result = go(tmp_path, settings, algorithm="manual")
    assert result.trials["status"].tolist() == ["failed", "completed", "failed"]
    assert result.best["learning_rate"] == 1e-2
    with pytest.raises(ValueError, match="no trial could be finished"):
        go(tmp_path, settings[:1], name="b", algorithm="manual")


def test_another_search_is_not_overwritten_unasked(tmp_path, searched):
    shutil.copytree(searched("random")[1] / "a", tmp_path / "a")
    before = (tmp_path / "a" / "trials.csv").read_bytes()
    with pytest.raises(FileExistsError, match="holds another search"):
        go(tmp_path, algorithm="random", seed=5)
    assert (tmp_path / "a" / "trials.csv").read_bytes() == before
    result = go(tmp_path, algorithm="random", seed=5, max_trials=1, overwrite=True)
    assert len(result.trials) == 1
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="something that is no search"):
        go(tmp_path, name="b", algorithm="random", overwrite=True)


BAD = [
    ({"algorithm": "bayes"}, "Did you mean 'bayesian'"),
    ({"space": {"activaton": ["relu"]}}, "Did you mean 'activation'"),
    ({"dropuot": 0.1}, "Did you mean 'dropout'"),
    ({"space": {"activation": []}}, "activation has no values"),
    ({"space": {"learning_rate": (0.1, 0.01)}}, "low below high"),
    ({"space": {"learning_rate": (0.0, 0.1, "log")}}, "begins above 0"),
    ({"space": {"dropout": [0.1]}, "dropout": 0.2}, "searched and fixed at once"),
    ({"space": [{"activation": "relu"}]}, 'for algorithm="manual"'),
    ({"space": None, "algorithm": "manual"}, "takes a list of settings"),
    ({"max_trials": 0}, "max_trials: 0"),
    ({"validation": 0.6, "test": 0.5}, "is not a share"),
]


@pytest.mark.parametrize(("options", "text"), BAD)
def test_bad_input_is_refused_by_name(tmp_path, options, text):
    with pytest.raises(ValueError, match=text):
        go(tmp_path, **{"algorithm": "random", **options})


def test_bad_data_are_refused(tmp_path):
    options = {**OPTIONS, "directory": tmp_path / "a"}
    for data, more, text in [
        ((X, Y[:-1]), {}, "178 inputs and 177 targets"),
        ((X, np.zeros(len(X))), {}, "all of one class"),
        (pd.DataFrame(X).assign(kind=Y), {"target": "knd"}, "Did you mean 'kind'"),
        (pd.DataFrame(X).assign(kind=Y, name="x"), {"target": "kind"}, "name are not numbers"),
        ((X[:4], Y[[0, 70, 140, 141]]), {}, "cannot be split by class"),
    ]:
        with pytest.raises(ValueError, match=text):
            recipes.search(recipes.mlp, data, **options, **more)


def test_a_search_ends_trials_that_are_behind(tmp_path):
    slow = [{"learning_rate": rate, "optimizer": "adam"} for rate in [1e-2] * 5 + [1e-6]]
    slow = [{**setting, "width": width} for width, setting in enumerate(slow, 8)]
    result = go(tmp_path, slow, algorithm="manual", max_epochs=6, batch_size=128)
    assert result.trials["epochs"].tolist() == [6] * 5 + [3]
    assert result.best["learning_rate"] == 1e-2
