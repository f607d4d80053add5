"""The script beside an exported file sees a picture as training does."""

import json
import re
import sys
from types import ModuleType

import numpy as np
import pytest

from recipes.export.onnx import Onnx
from recipes.export.script import answer
from recipes.images import decode as training
from recipes.tasks import from_dict
from tests.recipes.images import pictures


@pytest.fixture(scope="module")
def script():
    """The script beside an ONNX file, as a module of its own."""
    module = ModuleType("script")
    sys.modules["script"] = module
    exec(Onnx().script("model.onnx", (8, 8)), module.__dict__)
    return module


def test_it_imports_nothing_of_this_library():
    assert "recipes" not in re.findall(r"^(?:from|import) (\w+)", Onnx().script("x", (8, 8)), re.M)


@pytest.mark.parametrize("resize", training.RESIZE)
@pytest.mark.parametrize("name", pictures.GOOD)
def test_it_decodes_as_training_does(script, name, resize, tmp_path):
    (tmp_path / "picture").write_bytes(pictures.GOOD[name])
    reading = training.Reading(resize, "red", levels=(100, 60_000))
    theirs = script.Reading.from_dict(json.loads(json.dumps(reading.to_dict())))
    expected = training.decode(tmp_path / "picture", (7, 50), reading)
    found = script.decode(tmp_path / "picture", (7, 50), theirs)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("task", "outputs", "thresholds", "expected"),
    [
        ("multiclass", [0.1, 0.7, 0.2], None, ("b", "0.7000")),
        ("binary", [0.3], None, ("a", "0.7000")),
        ("binary", [0.3], [0.2], ("b", "0.3000")),
        ("multilabel", [0.1, 0.7, 0.6], None, ("b;c", "0.1000", "0.7000", "0.6000")),
        ("multilabel", [0.2, 0.7, 0.6], [0.1, 0.8, 0.5], ("a;c", "0.2000", "0.7000", "0.6000")),
        ("multilabel", [0.1, 0.2, 0.3], None, ("", "0.1000", "0.2000", "0.3000")),
    ],
)
def test_its_answer_is_what_the_task_says(task, outputs, thresholds, expected):
    classes = ["a", "b"] if task == "binary" else ["a", "b", "c"]
    labels = {"task": task, "classes": classes, "thresholds": thresholds}
    given = {name: value for name, value in labels.items() if value is not None}
    assert answer(np.array(outputs), given) == expected
    ours = from_dict({"name": given.pop("task"), **given})
    assert ours.answers(np.array([outputs]), top_k=1).iloc[0, 0] == expected[0]
