"""What a search may vary: a space by default, changed by name, and drawn from.

A list is a choice; (low, high) and (low, high, "log") are ranges, whole where both ends are;
anything else is fixed.
"""

from collections.abc import Callable, Iterable, Mapping

from recipes.classifiers import registry
from recipes.lookup import unknown

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
        recipe: `recipes.mlp`, `cnn`, `resnet` or `mobilenet`, with or without arguments bound.

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
    return merged


def checked(name: str, values):
    """The values of a parameter, refused where they are none.

    Raises:
        ValueError: an empty choice, or a range that is none.
    """
    if isinstance(values, list) and not values:
        raise ValueError(f"space: {name} has no values.")
    if isinstance(values, tuple):
        numbers = values[:2]
        fits = len(values) in (2, 3) and all(isinstance(v, int | float) for v in numbers)
        if not fits or not numbers[0] < numbers[1] or values[2:] not in ((), ("log",)):
            raise ValueError(
                f'space: {name} = {values!r} is not (low, high) or (low, high, "log") with low '
                "below high."
            )
        if values[2:] and not numbers[0] > 0:
            raise ValueError(f"space: {name} = {values!r}: a logarithmic range begins above 0.")
    return values


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
            with hp.conditional_scope(parent, allowed):
                value = _ask(hp, name, space[name])
            if values[parent] in allowed:
                values[name] = value
    return values


def _ask(hp, name: str, values):
    if isinstance(values, list):
        return hp.Choice(name, values)
    if not isinstance(values, tuple):
        return hp.Fixed(name, values)
    low, high, *log = values
    whole = isinstance(low, int) and isinstance(high, int)
    make = hp.Int if whole else hp.Float
    return make(name, low, high, sampling="log" if log else "linear")
