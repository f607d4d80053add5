"""Keras classifiers by recipe, transfer learning on picture folders, hyperparameter search.

The public names are loaded when they are first used: importing the package imports neither
Keras nor TensorFlow.
"""

from importlib import import_module

_PLACES = {
    "recipes.workflow": ("fit_folder", "load_classifier", "predict"),
    "recipes.run": ("Run",),
    "recipes.images.folder": ("scan",),
    "recipes.images.split": ("split",),
    "recipes.backbones.checkpoint": ("load_torch_checkpoint",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__version__ = "0.1.0"
__all__ = sorted(_MODULE_OF)


def __getattr__(name):
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'recipes' has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__():
    return sorted({*globals(), *__all__})
