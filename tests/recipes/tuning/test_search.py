import json

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.tuning.model import HyperModel
from recipes.tuning.space import default_space
from recipes.tuning.trials import read_curves
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
    "learning_rate": (1e-3, 1e-1, "log"),
    "normalization": "none",
    "optimizer": ["adam", "sgd"],
    "width": [8, 16],
}
OPTIONS = {"max_trials": 4, "max_epochs": 3, "verbose": False}


def go(tmp_path, space=SMALL, name="a", **options):
    options = {**OPTIONS, **options}
    return recipes.search(recipes.mlp, (X, Y), space, directory=tmp_path / name, **options)


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband", "genetic"])
def test_every_algorithm_searches_and_tests_once(tmp_path, algorithm):
    result = go(tmp_path, algorithm=algorithm)
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
    parts = json.loads((tmp_path / "a" / "split.json").read_text())
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
    go(tmp_path, algorithm="random")
    parts = json.loads((tmp_path / "a" / "split.json").read_text())
    tested = {row.tobytes() for row in X[parts["test"]]}
    assert len(seen) == 5
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
    result = go(tmp_path, space, algorithm="grid", **fixed)
    pairs = set(result.trials[["activation", "width"]].itertuples(index=False, name=None))
    assert pairs == {("relu", 4), ("relu", 8), ("tanh", 4), ("tanh", 8)}
    with pytest.raises(ValueError, match="the grid has up to 4 settings, 3 allowed"):
        go(tmp_path, space, name="b", algorithm="grid", **{**fixed, "max_trials": 3})
    del fixed["learning_rate"]
    with pytest.raises(ValueError, match="learning_rate is a range"):
        go(tmp_path, space, name="c", algorithm="grid", **fixed)


@pytest.mark.parametrize("as_table", [False, True])
def test_manual_takes_a_list_or_a_table(tmp_path, as_table):
    settings = [{"activation": "relu"}, {"activation": "mish", "learning_rate": 0.01}]
    space = pd.DataFrame(settings) if as_table else settings
    result = go(tmp_path, space, algorithm="manual")
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
    options = {**OPTIONS, "algorithm": "random", "objective": "val_accuracy"}
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
def test_a_killed_search_goes_on_with_no_trial_run_twice(tmp_path, monkeypatch, after):
    whole = go(tmp_path, name="whole", algorithm="genetic")
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


def test_another_search_is_not_overwritten_unasked(tmp_path):
    go(tmp_path, algorithm="random")
    before = (tmp_path / "a" / "trials.csv").read_bytes()
    with pytest.raises(FileExistsError, match="holds another search"):
        go(tmp_path, algorithm="random", seed=5)
    assert (tmp_path / "a" / "trials.csv").read_bytes() == before
    go(tmp_path, algorithm="random", seed=5, overwrite=True)
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


def build_measuring(hp):
    """A model with metrics of which less is better, more is better, and that are one's own."""

    def mine(truth, said):
        return keras.ops.mean(said[:, 0])

    model = keras.Sequential([keras.Input((13,)), keras.layers.Dense(3, activation="softmax")])
    rate = hp.Choice("rate", [1e-6, 1e-2])
    truth = keras.losses.CategoricalCrossentropy()
    metrics = [
        "mae",
        keras.metrics.AUC(name="auc"),
        keras.metrics.F1Score("macro"),
        keras.metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False),
        mine,
    ]

    def loss(labels, said):
        return truth(keras.ops.one_hot(keras.ops.cast(labels, "int32"), 3), said)

    class OneHot(keras.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return super().compute_metrics(x, keras.ops.one_hot(y, 3), y_pred, sample_weight)

    model = OneHot(model.inputs, model.outputs)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=metrics)
    return model


OBJECTIVES = [
    ("val_loss", "min"),
    ("val_mae", "min"),
    ("val_auc", "max"),
    ("val_f1_score", "max"),
    (keras_tuner.Objective("val_mine", "max"), "max"),
    (keras_tuner.Objective("val_mine", "min"), "min"),
    (keras_tuner.Objective("val_auc", "min"), "min"),
]


@pytest.mark.parametrize(("objective", "direction"), OBJECTIVES, ids=str)
def test_the_best_setting_is_the_best_by_its_metric(tmp_path, objective, direction):
    options = {**OPTIONS, "max_trials": 2, "algorithm": "genetic"}
    result = recipes.search(
        build_measuring, (X, Y), directory=tmp_path / "a", objective=objective, **options
    )
    scores = result.trials.set_index("rate")["score"]
    best = scores.idxmin() if direction == "min" else scores.idxmax()
    assert scores.nunique() == len(scores) == 2
    assert result.best["rate"] == best
    assert result.minimized == (direction == "min")
    curves = read_curves(tmp_path / "a" / "curves")
    extreme = min if direction == "min" else max
    for row in result.trials.itertuples():
        assert row.score == pytest.approx(extreme(curves[str(row.trial)]))
        assert row.best_epoch == 1 + curves[str(row.trial)].index(extreme(curves[str(row.trial)]))
    words = (tmp_path / "a" / "report.html").read_text()
    assert f"{'less' if direction == 'min' else 'more'} is better" in words
    note = json.loads((tmp_path / "a" / "search.json").read_text())
    assert note["direction"] == direction


def test_what_an_earlier_version_began_goes_on_in_its_direction(tmp_path):
    result = go(tmp_path, algorithm="random")
    path = tmp_path / "a" / "search.json"
    note = json.loads(path.read_text())
    del note["direction"]
    path.write_text(json.dumps(note))
    assert go(tmp_path, algorithm="random").test_metrics == result.test_metrics
    path.write_text(json.dumps({**note, "objective": "val_mae"}))
    with pytest.raises(FileExistsError, match="another search"):  # it looked for the largest
        recipes.search(
            build_measuring, (X, Y), directory=tmp_path / "a", objective="val_mae", **OPTIONS
        )


def build_misspelt(hp):
    model = keras.Sequential([keras.Input((13,)), keras.layers.Dense(hp.Int("n", 3, 3))])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["acuracy"])
    return model


def build_of_another_shape(hp):
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(hp.Int("n", 3, 3))])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


EARLY = {
    "objective": (recipes.mlp, {"objective": "val_accuracy_"}, "^objective: whether less or more"),
    "objective of no trial": (recipes.mlp, {"objective": "val_auc"}, "'val_auc'.*val_accuracy"),
    "misspelt and said": (
        recipes.mlp,
        {"objective": keras_tuner.Objective("val_acuracy", "max")},
        "'val_acuracy'. Did you mean 'val_accuracy'",
    ),
    "of one's own": (build_measuring, {"objective": "val_recall"}, "'val_recall'.*val_mine"),
    "metric": (build_misspelt, {}, "(?s)^recipe: its model does not fit the data.*acuracy"),
    "shape": (build_of_another_shape, {}, "(?s)^recipe: its model does not fit the data.*7"),
}


@pytest.mark.parametrize("case", EARLY)
def test_what_would_fail_in_every_trial_is_refused_before_the_first(tmp_path, case):
    recipe, options, words = EARLY[case]
    with pytest.raises(ValueError, match=words):
        recipes.search(recipe, (X, Y), directory=tmp_path / "a", **{**OPTIONS, **options})
    assert not (tmp_path / "a").exists()


NUMBERS = {
    "max_trials": ["32", 1.5, 0, None, True],
    "max_epochs": ["32", 1.5, 0, None, np.float64(2)],
    "patience": ["5", 1.5, -1, None],
    "seed": [None, "0", 1.5, -1],
    "workers": ["2", 1.5, 0],
    "trial_timeout": ["2", 0, -1.0, float("nan")],
    "validation": ["0.2", 0, 1, None, float("nan")],
    "test": ["0.2", 0, 1.5, None],
    "prune": ["yes", 1, None],
    "overwrite": ["no", 0],
    "verbose": ["no", 2],
    "directory": ["", " "],
    "batch_size": ["32", 1.5, 0],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in NUMBERS.items() for value in values]
)
def test_numbers_are_refused_by_name_before_the_data_are_read(tmp_path, name, value):
    def read():
        raise AssertionError("the data were read")
        yield

    class Unread:
        as_numpy_iterator = element_spec = property(lambda self: next(read()))

    data = (X, Y) if name == "batch_size" else Unread()
    options = {**OPTIONS, "directory": tmp_path / "a", name: value}
    with pytest.raises(ValueError, match=f"^{name}: "):
        recipes.search(recipes.mlp, data, SMALL, **options)
    assert not (tmp_path / "a").exists()


def test_numbers_come_as_numpy_gives_them(tmp_path):
    space = {
        "learning_rate": np.logspace(-3, -1, 3),
        "width": (np.int64(4), np.int64(8)),
        "kernel_regularizer": [None, "l2"],
    }
    numbers = {"max_trials": np.int64(3), "max_epochs": np.int32(2), "patience": np.int8(2)}
    fixed = {"batch_size": np.int64(32), "dropout": np.float32(0.25), "normalization": "none"}
    result = go(
        tmp_path, space, algorithm="genetic", seed=np.uint8(3), test=np.float32(0.25),
        **numbers, **fixed,
    )  # fmt: skip
    assert result.trials["status"].tolist() == ["completed"] * 3
    assert result.trials["learning_rate"].isin([0.001, 0.01, 0.1]).all()
    assert result.trials["kernel_regularizer"].isin(["None", "l2"]).all()
    assert result.best["kernel_regularizer"] in (None, "l2")
    assert result.model.output_shape == (None, 3)


def test_manual_settings_may_have_none_and_tuples(tmp_path):
    settings = [
        {"kernel_regularizer": None, "learning_rate": np.float32(0.01)},
        {"kernel_regularizer": "l2", "learning_rate": 0.02, "width": np.int64(8)},
    ]
    result = go(tmp_path, settings, algorithm="manual")
    assert result.trials["status"].tolist() == ["completed"] * 2
    assert result.trials["kernel_regularizer"].tolist() == ["None", "l2"]
    assert result.trials["width"].tolist()[1] == 8
    assert result.best["kernel_regularizer"] in (None, "l2")
    assert result.model.output_shape == (None, 3)


def test_a_table_with_truths_is_searched(tmp_path):
    rng = np.random.default_rng(0)
    truths = rng.random(len(X)) < 0.5
    table = pd.DataFrame(X).assign(yes=truths, maybe=pd.array(truths, dtype="boolean"), kind=Y)
    result = recipes.search(
        recipes.mlp, table, SMALL, target="kind", directory=tmp_path / "a", **OPTIONS
    )
    assert set(result.trials["status"]) == {"completed"}
    assert result.model.input_shape == (None, 15)
    table.loc[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"by column: 1 in 4\."):
        recipes.search(
            recipes.mlp, table, SMALL, target="kind", directory=tmp_path / "b", **OPTIONS
        )
    assert not (tmp_path / "b").exists()


def test_a_search_ends_trials_that_are_behind(tmp_path):
    slow = [{"learning_rate": rate, "optimizer": "adam"} for rate in [1e-2] * 5 + [1e-6]]
    slow = [{**setting, "width": width} for width, setting in enumerate(slow, 8)]
    result = go(tmp_path, slow, algorithm="manual", max_epochs=6)
    assert result.trials["epochs"].tolist() == [6] * 5 + [3]
    assert result.best["learning_rate"] == 1e-2
