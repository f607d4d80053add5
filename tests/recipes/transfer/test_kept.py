"""A backbone that was an object: a run keeps what a file can tell, and says what it cannot."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes.cli import main
from recipes.export import export_run
from recipes.files import read_arrays, write_arrays
from recipes.transfer import kept
from tests.recipes.images import pictures
from tests.recipes.test_trust import ATTACKS

OPTIONS = {"near_copies": False, "verbose": False}
BRIEF = recipes.FineTuneStrategy(
    "brief", "pretrained", (recipes.Phase("all", 0.0, 1, 1e-3, min_steps=4),), "everything"
)
STRATEGIES = {"all of it": BRIEF, "from scratch": "large_dissimilar"}


class Twice(layers.Layer):
    """A layer of one's own."""

    def call(self, x):
        return 2 * x


def own(*more):
    keras.utils.set_random_seed(4)
    convolutions = [layers.Conv2D(width, 3, 2, activation="relu") for width in (4, 8)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(5)]
    return keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), *convolutions, *more, *head],
        name="mine",
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 10, ("a", "b"))


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "run"
    return recipes.fit_folder(photos, backbone=own(), strategy=BRIEF, output=output, **OPTIONS)


@pytest.fixture(scope="module")
def foreign(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "run"
    return recipes.fit_folder(
        photos, backbone=own(Twice()), strategy="head_only", output=output, **OPTIONS
    )


def test_it_predicts_without_the_model(run, photos, capsys):
    expected = recipes.predict(run.folder, photos, backbone=own(), verbose=False)
    found = recipes.predict(run.folder, photos, verbose=False)
    assert found.equals(expected)
    assert recipes.load(run)(photos).equals(expected)
    assert main(["predict", str(run.folder), str(photos / "a")]) == 0
    assert "000.png" in capsys.readouterr().out
    assert "backbone" not in run.scan


def test_what_is_kept_is_what_was_given(run):
    """The weights of before, not those that were trained."""
    start, given = kept.start(run).model.get_weights(), own().get_weights()[:-2]
    trained = [array for _, array in sorted(run.weights().items())][: len(given)]
    for mine, theirs, later in zip(start, given, trained, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert (mine != later).any()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_is_trained_again_without_the_model(strategy, photos, tmp_path):
    options = {"strategy": STRATEGIES[strategy], "epochs": 1, **OPTIONS}
    run = recipes.fit_folder(photos, backbone=own(), output=tmp_path / "run", **options)
    found = recipes.rerun(run.folder, output=tmp_path / "again", verbose=False)
    assert found.conditions == {}
    assert found.same
    assert kept.start(found.run).stages == kept.start(run).stages


def test_the_command_line_trains_it_again(run, tmp_path, capsys):
    assert main(["rerun", str(run.folder), "--output", str(tmp_path / "again")]) == 0
    assert "every weight is the same, bit for bit" in capsys.readouterr().out


@pytest.mark.tensorflow_only
def test_it_is_exported_without_the_model(run, tmp_path):
    assert export_run(run.folder, "saved_model", output=tmp_path / "saved").is_dir()


def test_layers_of_ones_own_are_not_kept_and_that_is_said(foreign, photos, tmp_path, capsys):
    said = foreign.scan["backbone"]
    assert "'Twice' of" in said
    assert "\n" not in said
    assert not (foreign.folder / kept.LAYERS).exists()
    assert not (foreign.folder / kept.START).exists()
    for attempt in (
        lambda: recipes.predict(foreign.folder, photos, verbose=False),
        lambda: recipes.rerun(foreign.folder, output=tmp_path / "again", verbose=False),
    ):
        with pytest.raises(ValueError, match=r"'mine' .* pass it as backbone") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert main(["predict", str(foreign.folder), str(photos)]) == 2
    assert "pass it as backbone" in capsys.readouterr().err


def test_layers_of_ones_own_are_given_again(foreign, photos, tmp_path):
    model = own(Twice())
    table = recipes.predict(foreign.folder, photos, backbone=model, verbose=False)
    assert table["error"].eq("").all()
    options = {"backbone": model, "output": tmp_path / "again", "verbose": False}
    assert recipes.rerun(foreign.folder, **options).same


@pytest.mark.tensorflow_only
def test_layers_of_ones_own_are_given_again_to_be_exported(foreign, tmp_path):
    output = tmp_path / "saved"
    with pytest.raises(ValueError, match="pass it as backbone"):
        export_run(foreign.folder, "saved_model", output=output)
    path = export_run(foreign.folder, "saved_model", output=output, backbone=own(Twice()))
    assert path.is_dir()


def test_a_process_that_has_no_object_is_not_asked_to_export_one(foreign, tmp_path):
    other = "saved_model" if keras.backend.backend() == "torch" else "torch"
    with pytest.raises(ValueError, match="set KERAS_BACKEND to"):
        export_run(foreign.folder, other, output=tmp_path / "a", backbone=own(Twice()))


@pytest.fixture
def copy(run, tmp_path):
    return Path(shutil.copytree(run.folder, tmp_path / "copy"))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_in_the_place_of_the_layers_is_refused(name, copy, photos, tmp_path):
    mark = tmp_path / "mark"
    (copy / kept.LAYERS).write_bytes(ATTACKS[name](mark))
    with pytest.raises(ValueError, match="backbone"):
        recipes.predict(copy, photos, verbose=False)
    assert not mark.exists()


def test_a_network_larger_than_the_runs_weights_is_refused(copy, photos):
    values = json.loads((copy / kept.LAYERS).read_text())
    layer = next(one for one in values["layers"]["layers"] if one["class_name"] == "Conv2D")
    layer["config"]["filters"] = 50_000
    (copy / kept.LAYERS).write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"more than .* parameters"):
        recipes.predict(copy, photos, verbose=False)


def test_weights_of_the_start_that_do_not_fit_are_refused(copy, tmp_path):
    arrays, info = read_arrays(copy / kept.START)
    for change in (np.nan, np.inf, "shape", "number"):
        hostile = {name: array.copy() for name, array in arrays.items()}
        if change == "shape":
            hostile[max(hostile)] = np.zeros(99, "float32")
        elif change == "number":
            del hostile[max(hostile)]
        else:
            hostile[min(hostile)][:] = change
        write_arrays(copy / kept.START, hostile, info)
        with pytest.raises(ValueError, match="does not fit"):
            recipes.rerun(copy, output=tmp_path / "again", verbose=False)
    (copy / kept.START).write_bytes(b"")
    with pytest.raises(ValueError, match="damaged"):
        recipes.rerun(copy, output=tmp_path / "again", verbose=False)
