import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import recipes
from recipes import strategies
from recipes.cli import main
from recipes.tuning import transfer
from recipes.tuning.problem import DataProblem
from recipes.tuning.transfer import SPACE, plan_of
from tests.recipes.transfer.tiny import build_tiny

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*currentThread.*|.*getName.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:All-NaN"),
]
PLAIN = {"max_epochs": 2, "verbose": False}
# Stripes of one width are taken for copies of each other, across and along.
OPTIONS = {"backbone": build_tiny().backbone, "near_copies": False, **PLAIN}
FAST = {
    "strategy": ["small_similar", "small_dissimilar"],
    "batch_size": [8, 16],
    "learning_rate": (1e-3, 1e-2, "log"),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Stripes across and along: 12 pictures of each."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("across", "along"):
        (folder / name).mkdir()
        for number in range(12):
            picture = rng.integers(0, 60, (32, 32, 3), "uint8")
            phase = rng.integers(4)
            picture[phase::4] += 150
            picture = picture if name == "across" else picture.transpose(1, 0, 2)
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def computed(monkeypatch):
    """The boundaries and parts for which features were computed."""
    seen, features = [], transfer.features

    def counting(frozen, part, cache, **options):
        before = set(cache._arrays)
        array = features(frozen, part, cache, **options)
        seen.extend(set(cache._arrays) - before)
        return array

    monkeypatch.setattr(transfer, "features", counting)
    monkeypatch.setattr("recipes.transfer.features.features", counting)
    return seen


def test_the_features_are_computed_once_for_all_trials(photos, tmp_path, computed):
    result = recipes.search(
        "transfer", photos, FAST, directory=tmp_path / "a", algorithm="random", max_trials=3,
        **OPTIONS,
    )  # fmt: skip
    assert result.trials["status"].tolist() == ["completed"] * 3
    assert result.trials["strategy"].isin(FAST["strategy"]).all()
    small = result.trials["strategy"] == "small_similar"
    assert result.trials.loc[small, "fine_tune_rate"].isna().all()
    assert "augmentation" not in result.trials or result.trials["augmentation"].isna().all()
    # Two boundaries of two parts for the trials; the final run has a cache of its own, in which
    # both parts are joined in the end.
    count = len(strategies.get(result.best["strategy"]).phases)
    assert len(set(computed)) == 4 + count
    assert len(computed) == 4 + 3 * count
    run = result.run
    assert run.metrics["accuracy"] == result.test_metrics["accuracy"]
    assert run.info["strategy"]["phases"][0]["learning_rate"] == result.best["learning_rate"]
    assert run.info["config"]["batch_size"] == result.best["batch_size"]
    assert (
        recipes.predict(tmp_path / "a" / "run", photos, backbone=OPTIONS["backbone"])["label"]
        .isin(run.classes)
        .all()
    )
    assert not (tmp_path / "a" / "cache").exists()
    again = recipes.search(
        "transfer", photos, FAST, directory=tmp_path / "a", algorithm="random", max_trials=3,
        **OPTIONS,
    )  # fmt: skip
    assert again.test_metrics == result.test_metrics
    assert len(computed) == 4 + 3 * count  # a finished search is read, not repeated


def test_a_trial_is_the_training_that_fit_folder_does(photos, tmp_path):
    setting = {"strategy": "small_dissimilar", "learning_rate": 0.003, "fine_tune_rate": 1e-4}
    result = recipes.search(
        "transfer", photos, [setting], directory=tmp_path / "a", algorithm="manual", **OPTIONS
    )
    history = result.run.history
    last = history[history["phase"] == "later stages"]
    # The search keeps its features in a file, in half precision.
    best = last.loc[last["val_calibrated_loss"].idxmin(), "val_loss"]
    assert result.trials["score"].item() == pytest.approx(best, rel=0.02)


def test_hyperband_trains_promoted_settings_anew(photos, tmp_path):
    result = recipes.search(
        "transfer", photos, {"learning_rate": (1e-3, 1e-2)}, directory=tmp_path / "a",
        algorithm="hyperband", strategy="small_similar", batch_size=8, dropout=0.0,
        **{**OPTIONS, "max_epochs": 3},
    )  # fmt: skip
    assert set(result.trials["status"]) == {"completed"}
    assert result.trials["learning_rate"].duplicated().any()


def test_rates_go_to_their_phases():
    values = {"strategy": "small_dissimilar", "learning_rate": 0.5, "fine_tune_rate": 0.25}
    assert [phase.learning_rate for phase in plan_of(values).phases] == [0.5, 0.25]
    own = [phase.learning_rate for phase in strategies.get("small_dissimilar").phases]
    assert [
        phase.learning_rate for phase in plan_of({"strategy": "small_dissimilar"}).phases
    ] == own
    assert plan_of({"strategy": "large_dissimilar"}).weights == "initial"


@pytest.mark.parametrize(
    ("space", "fixed", "words"),
    [
        ({"strategi": ["small_similar"]}, {}, "'strategi'.*strategy"),
        ({"strategy": ["small"]}, {}, "'small'.*small_similar"),
        ({"backbone": ["efficientnet_lite0"]}, {}, "backbone can be fixed only"),
        ({"dropout": (0.5, 0.1)}, {}, "dropout"),
        ({"dropout": (0.0, 0.1)}, {"dropout": 0.1}, "searched and fixed"),
        (None, {"learning_rat": 1.0}, "'learning_rat'.*learning_rate"),
        (None, {"backbone": "lite"}, "'lite'"),
        (None, dict.fromkeys(SPACE, 1), "nothing is left"),
    ],
)
def test_bad_spaces(photos, tmp_path, space, fixed, words):
    with pytest.raises(ValueError, match=words):
        recipes.search("transfer", photos, space, directory=tmp_path / "a", **PLAIN | fixed)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("val_los", "^objective: .*keras_tuner.Objective"),
        ("val_auc", "'val_auc'.*val_accuracy, val_calibrated_loss, val_loss"),
        (keras_tuner.Objective("val_acuracy", "max"), "Did you mean 'val_accuracy'"),
        (keras_tuner.Objective("accuracy", "max"), "Did you mean 'val_accuracy'"),
    ],
    ids=str,
)
def test_an_objective_that_no_training_reports(photos, tmp_path, objective, words):
    with pytest.raises(ValueError, match=words):
        recipes.search("transfer", photos, directory=tmp_path / "a", objective=objective, **PLAIN)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("objective", "best"),
    [("val_calibrated_loss", "idxmin"), (keras_tuner.Objective("val_accuracy", "max"), "idxmax")],
    ids=str,
)
def test_the_objective_decides_among_trainings(photos, tmp_path, objective, best):
    result = recipes.search(
        "transfer", photos, [{"learning_rate": 1e-6}, {"learning_rate": 3e-2}],
        directory=tmp_path / "a", algorithm="manual", strategy="small_similar", batch_size=8,
        dropout=0.0, objective=objective, **{**OPTIONS, "max_epochs": np.int64(6)},
    )  # fmt: skip
    scores = result.trials.set_index("learning_rate")["score"]
    assert scores.nunique() == 2
    assert result.best["learning_rate"] == getattr(scores, best)()


SIZES = [((32, 48), (32, 48)), ([np.int64(24), 32], (24, 32)), (np.int32(32), (32, 32))]


@pytest.mark.parametrize(("size", "expected"), SIZES, ids=str)
def test_pictures_are_decoded_at_a_height_and_a_width(photos, tmp_path, size, expected):
    parts = {"validation": 0.2, "test": 0.2, "max_epochs": 1, "seed": 0}
    fixed = {"image_size": size}
    problem = DataProblem(recipes.cnn, photos, {"width": [4]}, fixed, **parts)
    assert problem.x.shape[1:] == (*expected, 3)
    assert problem.model.fixed["input_shape"] == (*expected, 3)


@pytest.mark.parametrize(
    ("recipe", "size"),
    [("cnn", size) for size in ((32,), (32, 48, 3), (0, 32), (32, 1.5), "32", 1.5, None, ())]
    + [("transfer", size) for size in ("32", 1.5, 0)],
    ids=str,
)
def test_other_sizes_are_refused_by_their_name(photos, tmp_path, recipe, size):
    with pytest.raises(ValueError, match=r"^image_size: "):
        recipes.search(recipe, photos, directory=tmp_path / "a", image_size=size, **PLAIN)
    assert not (tmp_path / "a").exists()


def test_bad_data_and_recipes(photos, tmp_path):
    with pytest.raises(ValueError, match=r"pictures have the shape \(n, H, W, 3\)"):
        recipes.search("transfer", (np.zeros((9, 4)), np.arange(9)), directory=tmp_path / "a")
    with pytest.raises(ValueError, match=r"'transfr'.*transfer"):
        recipes.search("transfr", photos, directory=tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        recipes.search("transfer", tmp_path / "none", directory=tmp_path / "a")


def test_the_command_line_searches_a_folder_and_a_table(photos, tmp_path, capsys):
    words = ["search", str(photos), "--directory", str(tmp_path / "a"), "--algorithm", "random"]
    words += ["--max-trials", "1", "--max-epochs", "1", "--image-size", "32"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "strategy" in out
    assert "accuracy" in out
    assert (tmp_path / "a" / "report.html").is_file()
    table = tmp_path / "table.csv"
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    table.write_text("a,b,kind\n" + "".join(f"{a},{b},{'xy'[int(a > 0)]}\n" for a, b in x))
    words = ["search", str(table), "--directory", str(tmp_path / "b"), "--max-trials", "2"]
    assert main([*words, "--target", "kind", "--max-epochs", "1"]) == 0
    assert "units" not in capsys.readouterr().out
    assert main([*words, "--target", "kin", "--max-epochs", "1"]) == 2
    assert "kind" in capsys.readouterr().err


def test_a_recipe_on_a_folder_of_pictures(photos, tmp_path):
    fixed = {"normalization": "none", "optimizer": "adam", "decay": "none", "stages": 1}
    result = recipes.search(
        recipes.cnn, photos, {"width": [4, 8]}, directory=tmp_path / "a", max_trials=2,
        algorithm="random", image_size=32, **fixed, **PLAIN,
    )  # fmt: skip
    assert result.model.input_shape == (None, 32, 32, 3)
    assert set(result.trials["status"]) == {"completed"}


class Listener(keras.callbacks.Callback):
    """Notes the phases of every training in a file, since each has a copy of it."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        with open(self.path, "a") as file:
            file.write(f"{epoch} {logs['phase']}\n")


@pytest.mark.parametrize("task", [pytest.param("binary", marks=pytest.mark.slow), "multilabel"])
def test_other_tasks_are_searched_from_a_table_and_callbacks_hear_of_it(photos, tmp_path, task):
    files = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    labels = [file.split("/")[0] for file in files]
    several = [f"{name};even" if row % 2 else name for row, name in enumerate(labels)]
    table = pd.DataFrame({"file": files, "label": several if task == "multilabel" else labels})
    result = recipes.search(
        "transfer", table, {"learning_rate": [1e-3, 1e-2]}, directory=tmp_path / "a",
        algorithm="random", max_trials=2, task=task, pictures=str(photos), batch_size=8,
        strategy="small_dissimilar", callbacks=[Listener(tmp_path / "heard")], **OPTIONS,
    )  # fmt: skip
    expected = "mean_average_precision" if task == "multilabel" else "roc_auc"
    assert 0 <= result.test_metrics[expected] <= 1
    assert result.run.task.name == task
    assert result.model.output_shape == (None, 3 if task == "multilabel" else 1)
    heard = (tmp_path / "heard").read_text().splitlines()
    assert heard == ["0 classifier", "1 classifier", "2 later stages", "3 later stages"] * 3
