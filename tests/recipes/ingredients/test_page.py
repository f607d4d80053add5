"""The page of ingredients: whole, true about Keras and PyTorch, and its example runs."""

import re
from pathlib import Path

import keras
import pytest

import recipes
from recipes.ingredients import constraints, regularizers

PAGE = (Path(recipes.__file__).parents[1] / "docs" / "ingredients.md").read_text("utf-8")
NAMES = {
    "Activations": recipes.activations.names(),
    "Normalizations": recipes.normalization.names(),
    "Initializers": recipes.initializers.names(),
    "Penalties": regularizers.names(),
    "Constraints": constraints.names(),
    "Dropouts": list(regularizers.DROPOUTS),
}


def rows(title):
    """Of the table below a title: the cells of each row, without their signs."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line[1:-1].split("|")] for line in lines]


def resolve(thing, name):
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize("title", NAMES)
def test_the_page_has_every_name(title):
    assert sorted(row[0] for row in rows(title)) == sorted(NAMES[title])


@pytest.mark.parametrize("title", NAMES)
def test_what_it_says_of_keras_and_torch_is_true(title):
    torch = pytest.importorskip("torch")
    named = 0
    for _, of_keras, of_torch, *_ in rows(title):
        for package, name in ((keras, of_keras), (torch.nn, of_torch)):
            if name:
                assert resolve(package, name)
                named += 1
    assert named >= 3


# What stands for more than one of ours, or is more than an activation, a norm or an initializer.
NOT_A_NAME = {
    *("GluMlp", "StdConv2d", "kaiming_normal_", "kaiming_uniform_", "BatchNormalization"),
    *("GroupNormalization", "FilterResponseNormTlu2d"),
}
TAKE = {
    "Activations": lambda name: recipes.activations.name_of(recipes.activations.get(name)),
    "Normalizations": recipes.normalization.canonical_name,
    "Initializers": lambda name: type(recipes.initializers.get(name)),
    "Penalties": lambda name: type(regularizers.get(name)),
    "Constraints": lambda name: type(constraints.get(name)),
    "Dropouts": lambda name: type(
        regularizers.dropout((name, {"rate": 0.1}), recipes.activations.get("relu"))
    ),
}


@pytest.mark.filterwarnings("ignore:initializer. with zeros")
@pytest.mark.parametrize("title", TAKE)
def test_what_others_call_it_means_the_same_here(title):
    take, taken = TAKE[title], 0
    for ours, *theirs in rows(title):
        for name in (cell.rpartition(".")[2] for cell in theirs[:3] if cell):
            if name not in NOT_A_NAME:
                assert take(name) == take(ours), (ours, name)
                taken += 1
    assert taken > 3


def test_its_example_runs():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(compile(block, "ingredients.md", "exec"), names)
    assert names["model"].output_shape == (None, 10)
