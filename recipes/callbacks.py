"""This library's `callbacks`, found by its place: `from recipes import callbacks`.

A `callbacks.py` of the user's own beside their script takes the name `callbacks`. It stays theirs,
and nothing here is broken by it.
"""

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

NAME, NAME_WHERE_TAKEN = "callbacks", "recipes._callbacks"
PLACE = Path(__file__).resolve().parents[1] / NAME / "__init__.py"


def _is_ours(path: str | None) -> bool:
    return path is not None and Path(path).resolve() == PLACE


def _load() -> ModuleType:
    """The package under its own name, or under another where that is taken; never under both."""
    if NAME in sys.modules:
        free = _is_ours(getattr(sys.modules[NAME], "__file__", None))
    else:
        found = find_spec(NAME)
        free = found is not None and _is_ours(found.origin)
    if free:
        return import_module(NAME)
    spec = spec_from_file_location(
        NAME_WHERE_TAKEN, PLACE, submodule_search_locations=[str(PLACE.parent)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{PLACE} is not there.")
    package = module_from_spec(spec)
    sys.modules[NAME_WHERE_TAKEN] = package
    spec.loader.exec_module(package)
    return package


if TYPE_CHECKING:
    from callbacks import *  # noqa: F403
    from callbacks import lookup, registration
else:
    package = _load()
    lookup, registration = package.lookup, package.registration
    __all__ = package.__all__

    def __getattr__(name):
        return getattr(package, name)
