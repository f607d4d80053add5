"""Keras finds classes by their registered names before the modules that define them are imported.

A saved model names its classes, "recipes>CReLU", and Keras knows a name once the class is defined.
So that a model loads after `import recipes` alone, and that stays quick, each name stands for a
`Later` until Keras asks for it. Nothing here imports Keras.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from typing import Any, final

KERAS = "keras"


@final
class Later:
    """Stands for a class in Keras' table of names, and imports it when a model is read.

    Args:
        module: where the class is defined. Its import puts the class itself into the table.
        name: of the class.

    Example:
        >>> Later("fractions", "Fraction").load()
        <class 'fractions.Fraction'>
    """

    def __init__(self, module: str, name: str):
        self._module, self._name = module, name

    def load(self) -> Any:
        """The class."""
        return getattr(import_module(self._module), self._name)

    def from_config(self, config: dict) -> Any:
        """What the class makes of its configuration; Keras asks for nothing else."""
        return self.load().from_config(config)


def announce(classes: Mapping[str, Later]) -> None:
    """Let Keras find classes by their registered names, now or as soon as it is imported.

    Args:
        classes: registered name to what stands for the class. A name that is taken stays so.
    """

    def register() -> None:
        known = sys.modules[KERAS].saving.get_custom_objects()
        for name, later in classes.items():
            known.setdefault(name, later)

    if hasattr(sys.modules.get(KERAS), "saving"):
        register()
    else:
        sys.meta_path.insert(0, _Watch(register))


class _Watch(MetaPathFinder):
    """Calls a function once Keras has been imported, by whomever."""

    def __init__(self, then: Callable[[], None]):
        self._then = then

    def find_spec(self, fullname, path, target=None):
        if fullname != KERAS:
            return None
        later = sys.meta_path[sys.meta_path.index(self) + 1 :]
        found = (finder.find_spec(fullname, path, target) for finder in later)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Followed(spec.loader, self._done)
        return spec

    def _done(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        self._then()


class _Followed(Loader):
    """A module's loader, and what is called after it."""

    def __init__(self, loader: Loader, then: Callable[[], None]):
        self._loader, self._then = loader, then

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then()
