import gc
import json
import weakref
import zipfile
from types import SimpleNamespace

import keras
import keras_tuner
import numpy as np
import pytest

import recipes
from recipes.tuning.problem import DataProblem, Problem
from tests.recipes.wine import X, Y

pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions"),
]
OPTIONS = {"validation": 0.2, "test": 0.2, "max_epochs": 3, "seed": 0}
FIXED = {"width": 4, "depth": 1, "normalization": "none", "optimizer": "adam", "decay": "none"}


def make(**options):
    return DataProblem(recipes.mlp, (X, Y), None, FIXED, **{**OPTIONS, **options})


def test_a_problem_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Problem()


def test_the_key_is_the_data_s(tmp_path):
    assert make().key == make(seed=1, test=0.1).key
    assert DataProblem(recipes.mlp, (X + 1, Y), None, FIXED, **OPTIONS).key != make().key


def test_the_last_step_trains_on_both_parts_and_tests_on_the_third(tmp_path, monkeypatch):
    problem = make()
    train, held_out = problem.open(tmp_path)
    hp = keras_tuner.HyperParameters()
    problem.model.build(hp)
    fitted, fit = [], type(problem.model).fit
    monkeypatch.setattr(
        type(problem.model), "fit", lambda *a, **k: fitted.append((a, k)) or fit(*a, **k)
    )
    metrics = problem.finish(tmp_path, SimpleNamespace(hyperparameters=hp, best_step=7))
    ((_, _, _, x, y), options), = fitted  # fmt: skip
    np.testing.assert_array_equal(x, np.concatenate([train[0], held_out[0]]))
    np.testing.assert_array_equal(y, np.concatenate([train[1], held_out[1]]))
    assert options["epochs"] == OPTIONS["max_epochs"]
    tested = problem._of(problem._rows(tmp_path)["test"])
    loss, accuracy = problem.loader()(tmp_path, hp.values).evaluate(*tested, verbose=0)
    assert metrics == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-4)


@pytest.mark.parametrize(
    ("labels", "task", "classes"),
    [
        (np.array(["ash", "oak", "elm"])[Y], "multiclass", ["ash", "elm", "oak"]),
        (Y, "multiclass", ["0", "1", "2"]),
        (Y == 1, "binary", ["False", "True"]),
        (np.eye(3, dtype=int)[Y] | [0, 0, 1], "multilabel", ["0", "1", "2"]),
    ],
)
def test_the_models_file_carries_its_classes(labels, task, classes, tmp_path):
    fixed = {**FIXED, "task": "binary"} if task == "binary" else FIXED
    problem = DataProblem(recipes.mlp, (X, labels), None, fixed, **OPTIONS)
    hp = keras_tuner.HyperParameters()
    problem.model.build(hp)
    problem.finish(tmp_path, SimpleNamespace(hyperparameters=hp, best_step=0))
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert json.loads(file.read("labels.json")) == {"task": task, "classes": classes}
    model = keras.models.load_model(tmp_path / "model.keras")
    assert model.output_shape[-1] == (1 if task == "binary" else len(classes))


def test_what_loads_the_model_does_not_hold_on_to_the_data():
    problem = make()
    gone, load = weakref.ref(problem), problem.loader()
    del problem
    gc.collect()
    assert gone() is None
    assert callable(load)
