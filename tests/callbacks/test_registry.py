"""The names: public ones, those of `get`, and those that editors and type checkers see."""

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest

import callbacks
from callbacks.registry import MODULE_OF
from tests.callbacks.cases import EXAMPLES

PUBLIC = sorted(set(callbacks.__all__) - {"get", "names"})


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented_with_an_example(name):
    thing = getattr(callbacks, name)
    text = inspect.getdoc(thing)
    assert ">>>" in text
    assert "Args:" in text
    if name in EXAMPLES:
        assert "Source:" in text
        for parameter in dataclasses.fields(thing):
            if (
                parameter.name not in ("learning_rate", "per", "optimizer")
                or name == "LearningRateDecay"
            ):
                assert f"{parameter.name}:" in text, parameter.name


def test_type_checkers_see_the_names_that_are_loaded():
    (branch,) = (
        node
        for node in ast.parse(Path(callbacks.__file__).read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {name.asname: imported.module for imported in branch.body for name in imported.names}
    assert seen == MODULE_OF
    assert {*seen, "get", "names"} == set(callbacks.__all__)
    assert Path(callbacks.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_name_is_loaded_from_its_module(name):
    thing = getattr(callbacks, name)
    assert (thing.__name__, thing.__module__) == (name, f"callbacks.{MODULE_OF[name]}")
    assert name in dir(callbacks)


@pytest.mark.parametrize("name", EXAMPLES)
def test_both_names_give_the_scheme(name):
    short = next(short for short, cls in callbacks.SCHEMES.items() if cls == name)
    scheme = EXAMPLES[name]()
    parameters = {f.name: getattr(scheme, f.name) for f in dataclasses.fields(scheme)}
    for known in (short, name, type(scheme)):
        assert type(callbacks.get(known, **parameters)) is type(scheme)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'cosine_decay'"):
        callbacks.get("cosine_decy")
    with pytest.raises(ValueError, match="Did you mean 'decay_steps'"):
        callbacks.get("cosine_decay", learning_rate=0.1, decay_step=5)
    with pytest.raises(AttributeError, match="no attribute 'NoSuchLR'"):
        callbacks.NoSuchLR  # noqa: B018
