"""What a search may vary: a space by default, changed by name, and drawn from.

A list or a NumPy array is a choice; (low, high) and (low, high, "log") are ranges, whole where both
ends are; anything else is fixed.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from recipes.classifiers import registry
from recipes.lookup import unknown
from recipes.rules import COUNT, POSITIVE, Rule

TRAINING = {
    "optimizer": ["adam", "sgd", "rmsprop"],
    "learning_rate": (1e-4, 1e-1, "log"),
    "momentum": (0.0, 0.99),
    "decay": ["none", "cosine_decay", "exponential_decay", "polynomial_decay"],
    "decay_rate": (0.01, 0.9, "log"),
    "power": (0.5, 3.0),
    "weight_decay": (1e-6, 1e-2, "log"),
    "batch_size": [16, 32, 64, 128],
}
RULES: dict[str, Rule] = {"batch_size": COUNT, "learning_rate": POSITIVE}
# A parameter is sampled only where another one has one of these values.
CONDITIONS: dict[str, tuple[str, Callable]] = {
    "momentum": ("optimizer", lambda value: value in ("sgd", "rmsprop")),
    "decay_rate": ("decay", lambda value: value == "exponential_decay"),
    "power": ("decay", lambda value: value == "polynomial_decay"),
    "norm_position": ("normalization", lambda value: value not in ("none", "weight")),
}


def default_space(recipe: Callable) -> dict:
    """The space that a recipe ships, and that of the training.

    Args:
        recipe: a recipe such as `recipes.mlp`, with or without arguments bound.

    Returns:
        Parameter to its values: a list, or (low, high) with "log" or not.

    Example:
        >>> from recipes import mlp
        >>> default_space(mlp)["depth"]
        (1, 4)
    """
    return {**registry.of(recipe).space, **TRAINING}


def resolve(
    defaults: Mapping,
    space: Mapping | None,
    fixed: Mapping,
    arguments: Iterable[str],
    *,
    fixed_only: bool = False,
) -> dict:
    """A default space with a user's changes, without what is fixed.

    Args:
        defaults: parameter to its values.
        space: the changes, by name.
        fixed: what is not searched, by name.
        arguments: names that may be given beside those of the defaults.
        fixed_only: whether these can be fixed, but not searched.

    Raises:
        ValueError: an unknown name, an empty choice or range, or a name both searched and fixed.

    Example:
        >>> resolve({"a": [1, 2], "b": (0.0, 0.5)}, {"a": [3]}, {"b": 0.1}, ["c"])
        {'a': [3]}
    """
    changes = space or {}
    if not isinstance(changes, Mapping):
        raise ValueError(f"space: {changes!r} is not a mapping of names to values.")
    known = {**defaults, **dict.fromkeys(arguments)}
    for name in (*changes, *fixed):
        if name not in known:
            raise unknown("hyperparameter", name, known)
    both = sorted(set(changes) & set(fixed))
    if both:
        raise ValueError(f"space: {', '.join(both)} cannot be searched and fixed at once.")
    beyond = sorted(set(changes) - set(defaults)) if fixed_only else []
    if beyond:
        raise ValueError(
            f"space: {', '.join(beyond)} can be fixed only; {', '.join(defaults)} are searched."
        )
    merged = {name: values for name, values in defaults.items() if name not in fixed}
    merged |= {name: checked(name, values) for name, values in changes.items()}
    if not merged:
        raise ValueError("space: nothing is left to search.")
    for name, rule in RULES.items():
        values = {**merged, **fixed}.get(name)
        for value in values if isinstance(values, list) else [values]:
            if value is not None and not isinstance(value, tuple):
                rule(name, value)
    return merged


def checked(name: str, values: Any) -> Any:
    """The values of a parameter in Python's own types, refused where they are none.

    Raises:
        ValueError: an empty choice, a range that is none, or values that a choice cannot have.

    Example:
        >>> checked("rate", np.logspace(-3, -1, 3)), checked("width", (np.int64(4), np.int64(8)))
        ([0.001, 0.01, 0.1], (4, 8))
    """
    if isinstance(values, np.ndarray | pd.Series | pd.Index | range):
        values = np.asarray(values).tolist()
    values = plain(values)
    if isinstance(values, set | frozenset | Mapping) or hasattr(values, "__next__"):
        raise ValueError(f"space: {name} is a {type(values).__name__}; a choice is a list.")
    if isinstance(values, list):
        if not values:
            raise ValueError(f"space: {name} has no values.")
        return _choice(name, values)
    if isinstance(values, tuple):
        numbers = values[:2]
        fits = len(values) in (2, 3) and all(map(_is_number, numbers))
        if not fits or not numbers[0] < numbers[1] or values[2:] not in ((), ("log",)):
            raise ValueError(
                f'space: {name} = {values!r} is not (low, high) or (low, high, "log") with low '
                "below high; a choice is a list."
            )
        if values[2:] and not numbers[0] > 0:
            raise ValueError(f"space: {name} = {values!r}: a logarithmic range begins above 0.")
    return values


def _choice(name: str, values: list) -> list:
    """A choice without repetition; whole numbers among others become like them."""
    for value in values:
        if not _is_value(value):
            raise ValueError(
                f"space: {name} has {value!r}; a choice is of finite numbers, texts, True, False, "
                "None, or tuples of these, such as ('group', {'groups': 8})."
            )
    if all(map(_is_number, values)) and any(isinstance(value, float) for value in values):
        values = [float(value) for value in values]
    once = [value for place, value in enumerate(values) if not _within(value, values[:place])]
    if len(set(_labels(once))) < len(once):
        raise ValueError(f"space: {name} = {once!r} has two values of one name.")
    return once


def plain(value: Any) -> Any:
    """A value in Python's own types, where it comes in NumPy's.

    Example:
        >>> plain((np.float32(0.5), np.int64(3)))
        (0.5, 3)
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    if type(value) is dict:
        return {key: plain(one) for key, one in value.items()}
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_value(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_value, value))
    if isinstance(value, dict):  # an ingredient's options
        return all(isinstance(key, str) and _is_value(one) for key, one in value.items())
    return value is None or isinstance(value, str | bool) or _is_number(value)


def _within(value: Any, values: list) -> bool:
    """Whether a value is among others, where True is not 1."""
    return any(type(value) is type(other) and value == other for other in values)


def _labels(values: list) -> list:
    """What keras-tuner calls the values of a choice: it takes those of one plain type only.

    Example:
        >>> _labels([8, 16]), _labels([None, "l2"]), _labels([(8, 4), (16,)])
        ([8, 16], ['None', 'l2'], ['(8, 4)', '(16,)'])
    """
    types = {type(value) for value in values}
    if len(types) == 1 and types <= {str, bool, int, float}:
        return values
    return [value if isinstance(value, str) else repr(value) for value in values]


def encoded(space: Mapping, setting: Mapping) -> dict:
    """A setting in keras-tuner's words.

    Example:
        >>> encoded({"regularizer": [None, "l2"]}, {"regularizer": None, "width": 8})
        {'regularizer': 'None', 'width': 8}
    """
    return {name: _swapped(space.get(name), value, False) for name, value in setting.items()}


def decoded(space: Mapping, setting: Mapping) -> dict:
    """A setting of keras-tuner's in the values of the space.

    Example:
        >>> decoded({"regularizer": [None, "l2"]}, {"regularizer": "None", "width": 8})
        {'regularizer': None, 'width': 8}
    """
    return {name: _swapped(space.get(name), value, True) for name, value in setting.items()}


def _swapped(values: Any, value: Any, back: bool) -> Any:
    if not isinstance(values, list):
        return value
    labels = _labels(values)
    known, others = (labels, values) if back else (values, labels)
    found = (other for one, other in zip(known, others, strict=True) if one == value)
    return next(found, value)


def draw(hp, space: Mapping, conditions: Mapping | None = None) -> dict:
    """Ask keras-tuner for a value of each parameter that applies.

    Args:
        hp: `keras_tuner.HyperParameters`.
        space: what `resolve` gave.
        conditions: parameter to (the one that it depends on, whether a value of that one allows
            it); those of the recipes by default.

    Returns:
        Name to value; parameters whose condition does not hold are left out.
    """
    values = {}
    conditions = CONDITIONS if conditions is None else conditions
    parents = {parent for parent, _ in conditions.values()}
    for name in sorted(space, key=lambda name: name not in parents):
        parent, holds = conditions.get(name, ("", bool))
        if parent not in space:
            values[name] = _ask(hp, name, space[name])
        else:
            options = space[parent] if isinstance(space[parent], list) else [space[parent]]
            allowed = [option for option in options if holds(option)]
            if not allowed:
                continue
            names = [encoded(space, {parent: option})[parent] for option in allowed]
            with hp.conditional_scope(parent, names):
                value = _ask(hp, name, space[name])
            if values[parent] in allowed:
                values[name] = value
    return values


def _ask(hp, name: str, values):
    if isinstance(values, list):
        return _swapped(values, hp.Choice(name, _labels(values)), True)
    if not isinstance(values, tuple):
        # keras-tuner takes no other: an object, or None, is given to the recipe as it is.
        return hp.Fixed(name, values) if isinstance(values, str | bool | int | float) else values
    low, high, *log = values
    whole = isinstance(low, int) and isinstance(high, int)
    make = hp.Int if whole else hp.Float
    return make(name, low, high, sampling="log" if log else "linear")
