"""Weights of classes as given: by name, by place, in order; in the loss, in the run, and again."""

import numpy as np
import pytest

import recipes
from recipes import tasks
from recipes.transfer.weighing import given_weights
from tests.recipes.images import pictures

CLASSES = ("1", "cat", "dog")
OPTIONS = {"image_size": 32, "epochs": 1, "strategy": "head_only", "verbose": False}
FORMS = {
    "by place": ({1: 50, 2: 2}, [1, 50, 2]),
    "by name": ({"cat": 50, "dog": 2}, [1, 50, 2]),
    "by both": ({"dog": 2, 1: 50}, [1, 50, 2]),
    "a name that is a digit": ({"1": 3}, [3, 1, 1]),
    "in order": ([1, 50, 2], [1, 50, 2]),
    "an array": (np.array([1.0, 50.0, 2.0]), [1, 50, 2]),
    "of which one is 0": ([0, 1, 1], [0, 1, 1]),
}
BAD = {
    "no such name": ({"cta": 2}, r"class_weights: 'cta'\. Did you mean 'cat'"),
    "no such place": ({3: 2}, "class_weights: 3 is no place among 3 classes"),
    "twice": ({"cat": 2, 1: 3}, "class_weights: 'cat' and 1 are the same class"),
    "too few": ([1, 2], "class_weights: 2 numbers came for 3 classes"),
    "too many": ([1, 2, 3, 4], "class_weights: 4 numbers came for 3 classes"),
}


def weights_of(given, task="multiclass", classes=CLASSES):
    settings = recipes.Settings.of(class_weights=given)
    return given_weights(tasks.get(task, classes), settings.training.class_weights)


@pytest.mark.parametrize("form", FORMS)
def test_each_class_has_the_weight_that_it_was_given(form):
    given, expected = FORMS[form]
    assert weights_of(given).tolist() == expected


@pytest.mark.parametrize("case", BAD)
def test_what_fits_no_class_is_refused_by_name(case):
    given, text = BAD[case]
    with pytest.raises(ValueError, match=text):
        weights_of(given)


def test_two_classes_and_several_labels():
    assert weights_of({"ill": 9}, "binary", ("healthy", "ill")).tolist() == [1, 9]
    for given in (True, [1, 2, 3], {"cat": 2}):
        with pytest.raises(ValueError, match="class_weights: they are for one label a picture"):
            weights_of(given, "multilabel")
    assert weights_of(None, "multilabel") is weights_of(False, "multilabel") is None


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 6, CLASSES)


@pytest.fixture(scope="module")
def weighed(photos, tmp_path_factory, tiny):
    output = tmp_path_factory.mktemp("runs") / "weighed"
    options = {**OPTIONS, "class_weights": {1: 50}, "backbone": tiny}
    return recipes.fit_folder(photos, output=output, **options)


def test_the_weights_reach_the_loss_and_are_in_the_run(weighed, photos, tmp_path, tiny):
    expected = {"1": 1.0, "cat": 50.0, "dog": 1.0}
    assert weighed.info["class_weights"]["weights"] == expected
    assert weighed.info["class_weights"]["given"]
    assert "class weights were used" in (weighed.folder / "report.html").read_text()
    options = {**OPTIONS, "backbone": tiny}
    plain = recipes.fit_folder(photos, output=tmp_path / "plain", **options, class_weights=False)
    balanced = recipes.fit_folder(photos, output=tmp_path / "true", **options, class_weights=True)
    same = recipes.fit_folder(
        photos, output=tmp_path / "same", **options, class_weights={"cat": 50.0}
    )
    losses = [run.history["loss"].iloc[0] for run in (weighed, plain, balanced, same)]
    assert losses[0] == losses[3]
    assert losses[0] > 3 * losses[1]
    assert losses[1] == pytest.approx(losses[2], rel=1e-5)  # the classes are of one size


def test_a_run_is_trained_again_with_the_weights_that_it_had(weighed, photos, tmp_path, tiny):
    again = recipes.rerun(weighed.folder, output=tmp_path / "again", backbone=tiny, verbose=False)
    assert again.same
    assert again.run.info["config"]["class_weights"] == [[1, 50.0]]
    assert again.run.info["class_weights"] == weighed.info["class_weights"]
