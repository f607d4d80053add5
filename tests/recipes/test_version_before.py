"""A run that version 0.1.0 left is read, predicts the same, and can be trained again."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.images.decode import Reading
from recipes.tasks import Multiclass
from tests.recipes.images import pictures

ARCHIVE = Path(__file__).parents[1] / "reference" / "run_0_1_0.tar.xz"
CLASSES = ("ash", "oak")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The run, what was expected of it, and the pictures."""
    place = tmp_path_factory.mktemp("before")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(place, filter="data")
    pictures.make_classes(place / "photos", 10, CLASSES)
    return place


def test_it_is_read(place):
    run = recipes.Run.load(place / "run")
    assert run.classes == list(CLASSES)
    assert run.task == Multiclass(CLASSES)
    assert run.metrics["accuracy"] == 1
    assert run.metrics["pictures"] == len(run.predictions) == 4
    assert run.decision.strategy == "head_only"
    assert run.decision.reason.startswith("Named by hand")
    assert len(run.history) == 10
    assert run.dataset["part"].value_counts().to_dict() == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }


def test_it_predicts_what_it_predicted(place):
    expected = pd.read_csv(place / "expected.csv", keep_default_na=False)
    found = recipes.predict(place / "run", place / "photos", verbose=False)
    assert list(found) == list(expected)
    names = [Path(file).relative_to(place / "photos").as_posix() for file in found["file"]]
    assert names == expected["file"].tolist()
    for column in ("label", "label_2", "error"):
        assert found[column].tolist() == expected[column].tolist()
    for column in ("probability", "probability_2"):
        np.testing.assert_allclose(found[column], expected[column], atol=1e-4)
    # One rank of four: a picture of the validation part ties with itself, to rounding.
    np.testing.assert_allclose(found["novelty"], expected["novelty"], atol=0.2501)
    assert expected["probability"].min() > 0.98  # the pictures are told apart
    assert expected["label"].value_counts().to_dict() == {"ash": 10, "oak": 10}


def test_its_classifier_is_a_model(place):
    model, classes = recipes.load_classifier(place / "run")
    assert classes == list(CLASSES)
    assert model.output_shape == (None, 2)
    rows = recipes.Run.load(place / "run").predictions
    pixels = pictures.read(place / "photos", rows["file"])
    stored = rows[[f"probability of {name}" for name in CLASSES]]
    np.testing.assert_allclose(model.predict(pixels, verbose=0), stored, atol=1e-4)


def test_it_is_trained_again_with_its_settings(place, tmp_path, monkeypatch):
    from recipes import workflow

    told = {}
    fit = workflow.fit

    def short(data, **options):
        """The backbone's file is not in the archive, and one epoch is enough."""
        told.update(options)
        return fit(data, **{**options, "weights": None, "epochs": 1, "strategy": strategy})

    strategy = recipes.FineTuneStrategy(
        "head", "initial", (recipes.Phase("classifier", 1.0, 1, 1e-3),), "the classifier"
    )
    monkeypatch.setattr(workflow, "fit", short)
    again = recipes.rerun(
        place / "run", output=tmp_path / "again", data=place / "photos", verbose=False
    )
    given = {name: told[name] for name in ("backbone", "image_size", "epochs", "seed")}
    assert given == {
        "backbone": "MobileNetV3Small",
        "image_size": 32,
        "epochs": 12,
        "seed": 0,
    }
    assert (told["resize"], told["near_copies"], told["refit"]) == ("squash", False, False)
    then = told["strategy"]  # with the phases of then, which trained the classifier by steps
    assert (then.name, [phase.solved for phase in then.phases]) == ("head_only", [False])
    assert Path(told["weights"]).name == "backbone.weights.h5"
    assert not again.same
    assert "pictures" not in again.conditions  # the same, in the same parts
    assert again.run.classes == list(CLASSES)


@pytest.mark.tensorflow_only
def test_it_is_exported(place, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = recipes.export_run(
        place / "run", output=tmp_path / "model.onnx", pictures=place / "photos"
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    carried = session.get_modelmeta().custom_metadata_map
    assert (carried["task"], carried["classes"]) == ('"multiclass"', '["ash", "oak"]')
    assert Reading.from_dict(json.loads(carried["reading"])) == Reading()
