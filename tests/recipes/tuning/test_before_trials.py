"""Which way a search goes, and what it refuses before the first trial."""

import json

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.tuning.trials import read_curves
from tests.recipes.tuning import test_search
from tests.recipes.tuning.test_search import OPTIONS, SMALL, go
from tests.recipes.wine import X, Y

pytestmark = test_search.pytestmark


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
    options = {**OPTIONS, "max_trials": 2, "max_epochs": 2, "algorithm": "genetic"}
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
    result = go(tmp_path, algorithm="random", max_trials=1)
    path = tmp_path / "a" / "search.json"
    note = json.loads(path.read_text())
    del note["direction"]
    path.write_text(json.dumps(note))
    again = go(tmp_path, algorithm="random", max_trials=1)
    assert again.test_metrics == result.test_metrics
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
    space = {key: values for key, values in SMALL.items() if key != name}
    with pytest.raises(ValueError, match=f"^{name}: "):
        recipes.search(recipes.mlp, data, space, **options)
    assert not (tmp_path / "a").exists()


def test_numbers_come_as_numpy_gives_them(tmp_path):
    space = {
        "learning_rate": np.logspace(-3, -1, 3),
        "width": (np.int64(4), np.int64(8)),
        "kernel_regularizer": [None, "l2"],
    }
    numbers = {"max_trials": np.int64(3), "max_epochs": np.int32(2), "patience": np.int8(2)}
    fixed = {"batch_size": np.int64(128), "dropout": np.float32(0.25), "normalization": "none"}
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
    result = go(tmp_path, settings, algorithm="manual", max_epochs=1)
    assert result.trials["status"].tolist() == ["completed"] * 2
    assert result.trials["kernel_regularizer"].tolist() == ["None", "l2"]
    assert result.trials["width"].tolist()[1] == 8
    assert result.best["kernel_regularizer"] in (None, "l2")
    assert result.model.output_shape == (None, 3)


def test_a_table_with_truths_is_searched(tmp_path):
    rng = np.random.default_rng(0)
    truths = rng.random(len(X)) < 0.5
    table = pd.DataFrame(X).assign(yes=truths, maybe=pd.array(truths, dtype="boolean"), kind=Y)
    options = {"target": "kind", **OPTIONS, "max_trials": 1}
    result = recipes.search(recipes.mlp, table, SMALL, directory=tmp_path / "a", **options)
    assert set(result.trials["status"]) == {"completed"}
    assert result.model.input_shape == (None, 15)
    table.loc[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"by column: 1 in 4\."):
        recipes.search(recipes.mlp, table, SMALL, directory=tmp_path / "b", **options)
    assert not (tmp_path / "b").exists()
