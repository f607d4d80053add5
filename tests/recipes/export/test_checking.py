"""A file that differs from its model in anything is refused."""

import numpy as np
import pytest

from recipes.export.base import ExportError, Format
from recipes.export.checking import check, check_file
from tests.recipes.transfer.tiny import SIDE, build_tiny

LABELS = {"classes": ["a", "b", "c"]}
PIXELS = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE, 3), "uint8")


@pytest.fixture(scope="module")
def model():
    return build_tiny().model


def perturbed(model, by):
    return lambda batch: model.predict_on_batch(batch) + by


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        (lambda model: perturbed(model, 1e-4), "differ by 0.0001"),
        (lambda model: perturbed(model, np.nan), "differ by nan"),
        (lambda model: lambda batch: np.zeros((len(batch), 7)), "the shape"),
        (lambda model: lambda batch: 1 / 0, "A batch of 1 fails: division"),
        (
            lambda model: (
                lambda batch: (
                    model.predict_on_batch(batch) if len(batch) == 1 else np.zeros((len(batch), 3))
                )
            ),
            "in a batch of 4",
        ),
    ],
)
def test_a_file_that_differs_is_refused(predict, words, model):
    assert check(perturbed(model, 1e-7), model, PIXELS) < 1e-5
    with pytest.raises(ExportError, match=words):
        check(predict(model), model, PIXELS)


class Loads(Format):
    """A format whose files are as the test says."""

    name = file = "loads"
    backends = ("tensorflow",)

    def __init__(self, load):
        self.load = load

    def write(self, model, path, labels):
        raise NotImplementedError

    @staticmethod
    def load(path):
        raise NotImplementedError


def two_inputs(path):
    raise ValueError("the file has 2 inputs; one is right.")


def test_other_labels_and_another_input_are_refused(model, tmp_path):
    def checked(load):
        check_file(Loads(load), tmp_path / "file", LABELS, model, PIXELS)

    checked(lambda path: (perturbed(model, 0), LABELS))
    with pytest.raises(ExportError, match="carries the labels"):
        checked(lambda path: (perturbed(model, 0), {"classes": ["c", "b", "a"]}))
    with pytest.raises(ExportError, match="differ by"):
        checked(lambda path: (perturbed(model, 1), LABELS))
    with pytest.raises(ExportError, match="2 inputs"):
        checked(two_inputs)
