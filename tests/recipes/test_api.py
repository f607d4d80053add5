"""Every public name of `recipes` is there, documented, and shown in an example."""

import ast
import inspect
from pathlib import Path

import pytest

import recipes

FUNCTIONS = [name for name in recipes.__all__ if not inspect.ismodule(getattr(recipes, name))]
MODULES = [name for name in recipes.__all__ if name not in FUNCTIONS]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_name_has_a_text_an_annotation_and_an_example(name):
    thing = getattr(recipes, name)
    text = inspect.getdoc(thing)
    assert text
    if name.startswith("plot_"):
        return
    assert ">>>" in text
    if inspect.isfunction(thing):
        for parameter in inspect.signature(thing).parameters.values():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                assert f"{parameter.name}:" in text or len(text.splitlines()) < 8, parameter.name


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_ingredients_has_get(name):
    assert callable(getattr(recipes, name).get)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fit_foldre'"):
        recipes.fit_foldre  # noqa: B018


def test_editors_see_the_names_that_there_are():
    tree = ast.parse(Path(recipes.__file__).read_text("utf-8"))
    (seen,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    imported = {
        (one.module, name.name)
        for one in seen.body
        for name in one.names
        if name.asname == name.name
    }
    for module, name in imported - {("recipes", "callbacks")}:
        assert getattr(recipes, name).__name__.rpartition(".")[2] == name
        assert recipes._MODULE_OF.get(name, "recipes.ingredients") == module
    assert {name for _, name in imported} == {*recipes.__all__, "callbacks"}
