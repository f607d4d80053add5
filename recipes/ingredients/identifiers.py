"""What may stand for an ingredient: a name, a name with options, an object, or its class."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import keras
import numpy as np

from recipes.lookup import unknown

LONGEST = 120  # of an object in an error
NO_OPTIONS = ("self", "x", "layer", "channels", "shape")  # what an ingredient is applied to


def folded(name: str) -> str:
    """A name without case and signs, so that a class' name and its snake case are one.

    Example:
        >>> folded("HeNormal") == folded("he_normal")
        True
    """
    return "".join(sign for sign in name.lower() if sign.isalnum())


def among(name: str, table: Iterable[str], aliases: Mapping[str, str]) -> str | None:
    """The name of a table that is meant, or None.

    Args:
        name: as it was given.
        table: the names that there are.
        aliases: other names, folded, and what they stand for.

    Example:
        >>> among("LeakyReLU", ["relu", "leaky_relu"], {}), among("swish", [], {"swish": "silu"})
        ('leaky_relu', 'silu')
    """
    short = folded(name)
    return next((known for known in table if folded(known) == short), aliases.get(short))


def parted(identifier: Any, options: Mapping | None = None) -> tuple[Any, dict]:
    """An identifier and its options, from `(name, options)` or `{"name": name, option: value}`.

    A class may take the name's place. One of Keras' stands for its name, and a name that was
    registered with Keras for what it names.

    Args:
        identifier: whatever was given; what is neither comes back as it is.
        options: further ones. Numbers of NumPy's become Python's, which can be saved.

    Example:
        >>> parted(("group", {"groups": 8})), parted({"name": "group", "groups": 8})
        (('group', {'groups': 8}), ('group', {'groups': 8}))
    """
    own: Mapping = {}
    if isinstance(identifier, Mapping) and "name" in identifier and "class_name" not in identifier:
        own = {key: value for key, value in identifier.items() if key != "name"}
        identifier = identifier["name"]
    elif isinstance(identifier, tuple | list) and len(identifier) == 2:
        name, second = identifier
        if (isinstance(name, str) or inspect.isclass(name)) and isinstance(second, Mapping):
            identifier, own = name, second
    if isinstance(identifier, str):
        registered = keras.saving.get_registered_object(identifier)
        identifier = identifier if registered is None else registered
    if inspect.isclass(identifier) and identifier.__module__.startswith("keras."):
        identifier = identifier.__name__
    together = {**own, **(options or {})}
    return identifier, {key: _plain(value) for key, value in together.items()}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class Maker:
    """What makes an ingredient from options that another class or function has.

    Attributes:
        make: the function.
        of: what its options are of.

    Example:
        >>> Maker(lambda **options: keras.layers.ELU(**options), keras.layers.ELU)(alpha=2.0).alpha
        2.0
    """

    make: Callable
    of: Callable

    def __call__(self, *args, **options):
        """The ingredient."""
        return self.make(*args, **options)


def made(what: str, name: Any, make: Callable, /, *args, **options) -> Any:
    """What `make` gives; options that it does not take are refused in one line, with those it does.

    Raises:
        ValueError: the options do not suit; the text has the argument and the name.

    Example:
        >>> made("initializer", "ones", lambda *, seed=None: seed, seed=3)
        3
    """
    try:
        return make(*args, **options)
    except (TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        if text.startswith(f"{what}: "):
            raise
        given = f" with {options}" if options else ""
        taken = _options_of(make.of if isinstance(make, Maker) else make)
        others = [option for option in options if option not in taken]
        if others and "keyword argument" in text:
            few = f"its options are {', '.join(taken)}" if taken else "it has no options"
            text = f"it takes no {', '.join(others)}; {few}."
        raise ValueError(f"{what}: {name!r}{given}: {text}") from error


def _options_of(make: Callable) -> list[str]:
    """The names of a class' or function's options."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    call = make.__init__ if inspect.isclass(make) else make
    found = inspect.signature(call).parameters.values()
    return [one.name for one in found if one.kind in named and one.name not in NO_OPTIONS]


def from_keras(
    what: str, identifier: Any, deserialize: Callable, base: type, options: Mapping | None = None
) -> Any:
    """An object from Keras' configuration of it, or from its class; anything else comes back.

    So does a class that needs arguments, where none are given.

    Args:
        what: the argument.
        identifier: what came, without its options.
        deserialize: Keras' function for configurations.
        base: of the classes that are meant.
        options: of a name, or of a class.

    Raises:
        ValueError: Keras makes nothing of it, or options came with an object that has its own.

    Example:
        >>> from_keras("number", int, float, int)
        0
    """
    if inspect.isclass(identifier) and issubclass(identifier, base):
        if options:
            return made(what, identifier.__name__, identifier, **options)
        with suppress(TypeError):
            return identifier()
    if options and not (identifier is None or isinstance(identifier, str)):
        raise ValueError(f"{what}: {options} are options of a name or a class, not {identifier!r}.")
    if isinstance(identifier, Mapping):
        return made(what, dict(identifier), deserialize, dict(identifier))
    return identifier


def refuse(what: str, identifier: Any, names: Iterable[str], others: str) -> NoReturn:
    """Say what is allowed in place of what came.

    Args:
        what: the argument.
        identifier: what came.
        names: every allowed name.
        others: what is allowed besides names, in words.

    Raises:
        ValueError: always.

    Example:
        >>> refuse("normalization", 3, ["batch"], "a layer")
        Traceback (most recent call last):
        ValueError: normalization: 3 is not a name, (name, options) or a layer. Names: batch.
    """
    if isinstance(identifier, str):
        raise unknown(what, identifier, names)
    text = " ".join(repr(identifier).split())
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    raise ValueError(
        f"{what}: {text} is not a name, (name, options) or {others}. Names: {', '.join(names)}."
    )


def called(value: Any) -> str | int | float:
    """A choice as it stands in a table: a number or text, or what the thing is called.

    An object is called by its class and what it does not have by default, so that another process
    calls it the same.

    Example:
        >>> called(np.float32(0.5)), called(None), called(keras.layers.LeakyReLU(0.5))
        (0.5, 'None', 'LeakyReLU(negative_slope=0.5)')
        >>> called(partial(parted, "relu", options=None))
        "parted('relu', options=None)"
    """
    value = _plain(value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, partial):
        given = [*map(repr, value.args), *(f"{k}={v!r}" for k, v in value.keywords.items())]
        return f"{called(value.func)}({', '.join(given)})"
    if hasattr(value, "get_config") and not inspect.isclass(value):
        return _with_changes(value)
    return getattr(value, "__name__", None) or str(value)


def _with_changes(value: Any) -> str:
    """An object by its class and what differs from an object of the class alone."""
    own, kind = value.get_config(), type(value)
    try:
        usual = kind().get_config()
    except TypeError:  # it needs arguments
        usual = {}
    usual["name"] = own.get("name")
    changed = [f"{k}={v!r}" for k, v in own.items() if k not in usual or usual[k] != v]
    return f"{kind.__name__}({', '.join(changed)})" if changed else kind.__name__
