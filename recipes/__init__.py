"""Keras classifiers by recipe, transfer learning on picture folders, hyperparameter search.

The public names are loaded when they are first used: importing the package imports neither
Keras nor TensorFlow.
"""

from importlib import import_module

_PLACES = {
    "recipes.settings": ("DataSettings", "Settings"),
    "recipes.workflow": ("fit", "fit_folder", "rerun"),
    "recipes.prediction": ("load_classifier", "predict"),
    "recipes.run": ("Run",),
    "recipes.export": ("export_run",),
    "recipes.strategies": ("FineTuneStrategy", "Phase"),
    "recipes.classifiers.cnn": ("cnn",),
    "recipes.classifiers.mlp": ("mlp",),
    "recipes.classifiers.mobilenet": ("mobilenet",),
    "recipes.classifiers.resnet": ("resnet",),
    "recipes.heads": ("classification_head", "compile_classifier"),
    "recipes.study.batch_size": (
        "batch_size_study",
        "scale_learning_rate",
        "steps_per_epoch",
        "suggest_batch_size",
    ),
    "recipes.study.comparison": ("compare", "plot_comparison", "summarize"),
    "recipes.study.statistics": ("layer_statistics", "plot_layer_statistics"),
    "recipes.tuning.search": ("search",),
    "recipes.tuning.model": ("HyperModel",),
    "recipes.ingredients.activations": ("activation_table", "plot_activation"),
    "recipes.ingredients.initializers": ("initializer_table",),
    "recipes.ingredients.normalization": ("normalization_table",),
    "recipes.images.inspection": ("scan",),
    "recipes.images.split": ("split",),
    "recipes.backbones.checkpoint": ("load_torch_checkpoint",),
    "recipes.backbones.mapping": ("assign_torch_weights",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

# Each has a `get`: `recipes.scaling.get("standard", data=table)`.
_MODULES = ("activations", "initializers", "normalization", "regularizers", "scaling")

__version__ = "0.1.0"
__all__ = sorted([*_MODULE_OF, *_MODULES])


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"recipes.ingredients.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'recipes' has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__():
    return sorted({*globals(), *__all__})
