"""Every recipe by its name, with what a search may vary of it.

A recipe is a file of this package that registers its function. No other list has to be kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pkgutil import iter_modules

import keras

from recipes import classifiers
from recipes.lookup import find


@dataclass(frozen=True)
class Recipe:
    """A function that builds a model, and what a search may vary of it.

    Attributes:
        function: from the input's shape, the number of classes and its own arguments to a model.
        space: parameter to its values, as `recipes.search` takes them; empty where a function is
            no recipe of this library.
        sizes: from a setting of the space to those arguments of the function that the space has
            other names for, such as `units` for a depth and a width; none by default.
    """

    function: Callable[..., keras.Model]
    space: Mapping
    sizes: Callable[[Mapping], dict] = lambda setting: {}


_RECIPES: dict[str, Recipe] = {}


def register(space: Mapping, **options) -> Callable[[Callable], Callable]:
    """Make the function below a recipe; it stays the plain function that it is.

    Args:
        space: see `Recipe`.
        **options: `sizes`, see `Recipe`.
    """

    def add(function: Callable) -> Callable:
        _RECIPES[function.__name__] = Recipe(function, space, **options)
        return function

    return add


def names() -> list[str]:
    """The name of every recipe.

    Example:
        >>> "resnet" in names()
        True
    """
    for module in iter_modules(classifiers.__path__, f"{classifiers.__name__}."):
        import_module(module.name)
    return sorted(_RECIPES)


def get(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ValueError: there is none.

    Example:
        >>> get("cnn").space["pooling"]
        ['max', 'average']
    """
    names()
    return find(name, _RECIPES, what="recipe")


def of(function: Callable) -> Recipe:
    """The recipe of a function, with or without arguments bound.

    Example:
        >>> of(partial(get("mlp").function, 4, 3)).sizes({"depth": 2, "width": 16})
        {'units': (16, 16)}
    """
    while isinstance(function, partial):
        function = function.func
    known = (recipe for recipe in _RECIPES.values() if recipe.function is function)
    return next(known, Recipe(function, {}))
