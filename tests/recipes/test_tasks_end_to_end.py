"""Each task from pictures to predictions, by every strategy, on pairs of digits."""

import keras
import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.run import Run
from recipes.strategies import STRATEGIES
from recipes.transfer.state import StateKeeper
from tests.recipes.images import pictures

COUNT = 72
OPTIONS = {"epochs": 1, "batch_size": 16, "label_column": "digits", "verbose": False}
TASKS = ("multilabel", "binary")
CLASSES = {"multilabel": ("0", "1", "2"), "binary": ("no 0", "a 0")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A table a task, beside its pictures."""
    place = tmp_path_factory.mktemp("pairs")
    folder, pairs = pictures.pairs_of_digits(place / "pictures", COUNT)
    files = sorted(path.name for path in folder.iterdir())
    cells = {
        "multilabel": [";".join(sorted({str(digit) for digit in pair})) for pair in pairs],
        "binary": ["a 0" if 0 in pair else "no 0" for pair in pairs],
    }
    for task, labels in cells.items():
        table = pd.DataFrame({"file": files, "digits": labels})
        table.to_csv(place / f"{task}.csv", index=False)
    return place


def fit(data, task, output, tiny, **options):
    """A run; the training that is interrupted below ends with one on all pictures."""
    refit = options["strategy"] == "small_dissimilar"
    given = {"task": task, "backbone": tiny, "refit": refit, **OPTIONS, **options}
    if task == "binary":
        given = {"positive": "a 0", **given}
    return recipes.fit(data / f"{task}.csv", output=output, **given)


@pytest.fixture(scope="module")
def runs(data, tiny, tmp_path_factory):
    """Runs by task and strategy, each made once."""
    made = {}

    def run(task, strategy):
        if (task, strategy) not in made:
            output = tmp_path_factory.mktemp("runs") / f"{task} {strategy}"
            made[task, strategy] = fit(data, task, output, tiny, strategy=strategy)
        return made[task, strategy]

    return run


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "strategy", [*STRATEGIES, "auto", pytest.param("race", marks=pytest.mark.slow)]
)
def test_a_task_is_trained_by_every_strategy(runs, task, strategy):
    run = runs(task, strategy)
    assert run.task.name == task
    assert run.task.classes == CLASSES[task]
    assert len(run.task.thresholds) == run.task.units
    phases = STRATEGIES[run.decision.strategy].phases
    assert run.history["phase"].tolist() == [phase.name for phase in phases]
    assert np.isfinite(run.history[["loss", "val_loss"]]).all(axis=None)
    if strategy in STRATEGIES:
        assert run.decision.strategy == strategy
    else:
        assert run.decision.measurements


@pytest.mark.parametrize("task", TASKS)
def test_the_stored_figures_follow_from_the_stored_predictions(runs, task):
    run = runs(task, "large_similar")
    table = run.predictions
    truth = run.task.encode(table["truth"].tolist())
    columns = [f"probability of {name}" for name in run.classes]
    outputs = table[columns].to_numpy("float32")[:, -run.task.units :]
    found = {"part": "test", **run.task.evaluate(truth, outputs)}
    assert list(found) == list(run.metrics)
    stored = dict(run.metrics)
    for label, figures in found.pop("by_label", {}).items():
        assert stored["by_label"][label] == pytest.approx(figures, abs=1e-5)
    for name, value in found.items():
        assert stored[name] == (value if name == "part" else pytest.approx(value, abs=1e-5))
    test = run.dataset[run.dataset["part"] == "test"]
    assert table["file"].tolist() == test["path"].tolist()
    assert table["truth"].tolist() == test["class"].tolist()


@pytest.mark.parametrize("task", TASKS)
def test_new_pictures_are_told_as_the_test_part_was(runs, data, tiny, task):
    run = runs(task, "large_similar")
    files = [data / file for file in run.predictions["file"]]
    table = recipes.predict(run.folder, files, backbone=tiny, verbose=False)
    said = "labels" if task == "multilabel" else "label"
    assert table[said].tolist() == run.predictions["prediction"].tolist()
    names = run.classes if task == "multilabel" else ["a 0"]
    for name in names:
        column = f"probability of {name}"
        np.testing.assert_allclose(table[column], run.predictions[column], atol=1e-5)
    assert list(table)[-2:] == ["novelty", "error"]
    model, classes = recipes.load_classifier(run.folder, tiny)
    assert classes == run.classes
    assert model.layers[-1].activation is keras.activations.sigmoid
    plain = keras.models.load_model(run.folder / "model.keras")
    pixels = pictures.read(data, run.predictions["file"])
    np.testing.assert_allclose(plain.predict(pixels), model.predict(pixels), atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_a_rerun_has_the_same_weights(runs, data, tiny, tmp_path, task):
    old = runs(task, "small_similar")
    found = recipes.rerun(
        old.folder,
        output=tmp_path / "again",
        data=data / f"{task}.csv",
        backbone=tiny,
        verbose=False,
    )
    assert found.same
    assert found.conditions == {}
    assert found.run.metrics == old.metrics


class _Interrupted(BaseException):
    pass


@pytest.mark.parametrize("task", TASKS)
def test_an_interrupted_run_ends_with_the_same_weights(
    runs, data, tiny, tmp_path, task, monkeypatch
):
    whole = runs(task, "small_dissimilar")
    original = StateKeeper.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        original(self, epoch, logs)
        raise _Interrupted

    output = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(StateKeeper, "on_epoch_end", on_epoch_end)
        with pytest.raises(_Interrupted):
            fit(data, task, output, tiny, strategy="small_dissimilar")
    assert not output.exists()
    again = fit(data, task, output, tiny.copy(), strategy="small_dissimilar")
    arrays = again.weights()
    for name, value in whole.weights().items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)
    assert again.metrics == whole.metrics
    assert again.history["epoch"].tolist() == whole.history["epoch"].tolist()


def test_without_a_test_part_the_figures_are_those_of_validation(data, tiny, tmp_path):
    run = fit(data, "multilabel", tmp_path / "run", tiny, strategy="head_only", test=0)
    assert set(run.dataset["part"]) == {"train", "validation"}
    assert run.metrics["part"] == "validation"
    assert run.metrics["pictures"] == len(run.predictions)
    held_out = run.dataset[run.dataset["part"] == "validation"]
    assert run.predictions["file"].tolist() == held_out["path"].tolist()


def test_pictures_of_a_test_part_without_labels_are_predicted(data, tiny, tmp_path):
    table = pd.read_csv(data / "binary.csv")
    table["fold"] = ["test"] * 8 + ["train"] * (COUNT - 8)
    table.loc[:7, "digits"] = ""
    options = {**OPTIONS, "pictures": str(data / "pictures"), "strategy": "head_only"}
    run = recipes.fit(
        table, output=tmp_path / "run", task="binary", backbone=tiny, part_column="fold", **options
    )
    found = pd.read_csv(run.folder / "unlabelled.csv", keep_default_na=False)
    assert found["file"].tolist() == table["file"].tolist()[:8]
    files = [data / "pictures" / name for name in found["file"]]
    expected = recipes.predict(run.folder, files, backbone=tiny, verbose=False)
    assert found["label"].tolist() == expected["label"].tolist()
    for column in ("probability", "novelty"):
        np.testing.assert_allclose(found[column], expected[column], atol=1e-5)
    assert not set(run.predictions["file"]) & set(found["file"])
    assert run.metrics["part"] == "test"  # labelled pictures, drawn from train
    assert run.dataset.set_index("path")["status"][found["file"]].eq("unlabelled").all()


def test_thresholds_and_the_positive_class_can_be_given(data, tiny, tmp_path):
    options = {"strategy": "head_only", "threshold": 0.25, "positive": "no 0"}
    run = fit(data, "binary", tmp_path / "run", tiny, **options)
    assert run.task.classes == ("a 0", "no 0")
    assert run.task.thresholds == (0.25,)
    said = run.predictions["probability of no 0"] >= 0.25
    assert (run.predictions["prediction"] == np.where(said, "no 0", "a 0")).all()
    assert run.metrics["threshold"] == 0.25


def test_what_does_not_suit_the_task_is_refused(data, tiny, tmp_path):
    for task, options, text in [
        ("multilabel", {"class_weights": True}, "class_weights: they are for one label a picture"),
        ("multilabel", {"positive": "0"}, 'positive: it is for task="binary"'),
        ("multiclass", {"threshold": 0.3}, "threshold: it is for task="),
        ("binary", {"positive": "1"}, "positive: '1' is no class"),
        ("binary", {}, "binary takes two classes; there are"),
    ]:
        name = "binary" if task == "multiclass" or "positive" in options else "multilabel"
        given = {**OPTIONS, "backbone": tiny, "strategy": "head_only", "task": task, **options}
        with pytest.raises(ValueError, match=text):
            recipes.fit(data / f"{name}.csv", output=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_the_run_folder_is_read_again(runs):
    run = runs("multilabel", "large_similar")
    assert Run.load(run.folder).task == run.task
