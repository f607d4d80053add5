"""What may stand for an ingredient: a name, a name with options, an object, or its class."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

import numpy as np

from recipes.lookup import unknown


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
        if isinstance(name, str) and isinstance(second, Mapping):
            identifier, own = name, second
    together = {**own, **(options or {})}
    return identifier, {key: _plain(value) for key, value in together.items()}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def made(what: str, name: Any, make: Callable, /, *args, **options) -> Any:
    """What `make` gives; options that it does not take are refused in one line.

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
        raise ValueError(f"{what}: {name!r}{given}: {text}") from error


def from_keras(what: str, identifier: Any, deserialize: Callable, base: type) -> Any:
    """An object from Keras' configuration of it, or from its class; anything else comes back.

    So does a class that needs arguments.

    Raises:
        ValueError: Keras makes nothing of it.

    Example:
        >>> from_keras("number", int, float, int)
        0
    """
    if isinstance(identifier, Mapping):
        return made(what, dict(identifier), deserialize, dict(identifier))
    if inspect.isclass(identifier) and issubclass(identifier, base):
        with suppress(TypeError):
            return identifier()
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
    raise ValueError(
        f"{what}: {identifier!r} is not a name, (name, options) or {others}. "
        f"Names: {', '.join(names)}."
    )
