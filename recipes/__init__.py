"""Keras classifiers by recipe, transfer learning on picture folders, hyperparameter search.

The public names are loaded when they are first used: importing the package imports neither
Keras nor TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING

import recipes.callbacks  # noqa: F401  it keeps Keras' import quiet
from recipes.saving import announce

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from recipes import callbacks as callbacks
    from recipes.augmentation import Augmentation as Augmentation
    from recipes.backbones.checkpoint import load_torch_checkpoint as load_torch_checkpoint
    from recipes.backbones.mapping import assign_torch_weights as assign_torch_weights
    from recipes.batches import scale_learning_rate as scale_learning_rate
    from recipes.checking.check import check as check
    from recipes.classifier import Classifier as Classifier, load as load
    from recipes.classifiers.alexnet import alexnet as alexnet
    from recipes.classifiers.cnn import cnn as cnn
    from recipes.classifiers.cnn1d import cnn1d as cnn1d
    from recipes.classifiers.convnext import convnext as convnext
    from recipes.classifiers.densenet import densenet as densenet
    from recipes.classifiers.efficientnet import efficientnet as efficientnet
    from recipes.classifiers.lenet import lenet as lenet
    from recipes.classifiers.mlp import mlp as mlp
    from recipes.classifiers.mlp_mixer import mlp_mixer as mlp_mixer
    from recipes.classifiers.mobilenet import mobilenet as mobilenet
    from recipes.classifiers.resnet import resnet as resnet
    from recipes.classifiers.squeezenet import squeezenet as squeezenet
    from recipes.classifiers.vgg import vgg as vgg
    from recipes.classifiers.vit import vit as vit
    from recipes.compiling import compile_classifier as compile_classifier
    from recipes.export import export_run as export_run
    from recipes.heads import classification_head as classification_head
    from recipes.images.inspection import scan as scan
    from recipes.images.split import split as split
    from recipes.ingredients import (
        activations as activations,
        constraints as constraints,
        initializers as initializers,
        normalization as normalization,
        regularizers as regularizers,
        scaling as scaling,
    )
    from recipes.ingredients.activations import (
        activation_table as activation_table,
        plot_activation as plot_activation,
    )
    from recipes.ingredients.gains import gain as gain, gain_table as gain_table
    from recipes.ingredients.initializers import initializer_table as initializer_table
    from recipes.ingredients.lsuv import lsuv as lsuv
    from recipes.ingredients.normalization import normalization_table as normalization_table
    from recipes.prediction import (
        load_classifier as load_classifier,
        predict as predict,
    )
    from recipes.run import Run as Run
    from recipes.saving import load_model as load_model
    from recipes.settings import (
        DataSettings as DataSettings,
        Settings as Settings,
    )
    from recipes.strategies import (
        FineTuneStrategy as FineTuneStrategy,
        Phase as Phase,
    )
    from recipes.study.batch_size import (
        batch_size_study as batch_size_study,
        steps_per_epoch as steps_per_epoch,
        suggest_batch_size as suggest_batch_size,
    )
    from recipes.study.comparison import (
        compare as compare,
        plot_comparison as plot_comparison,
        summarize as summarize,
    )
    from recipes.study.statistics import (
        layer_statistics as layer_statistics,
        plot_layer_statistics as plot_layer_statistics,
    )
    from recipes.tuning.model import HyperModel as HyperModel
    from recipes.tuning.search import search as search
    from recipes.workflow import (
        fit as fit,
        fit_folder as fit_folder,
        rerun as rerun,
    )

_PLACES = {
    "recipes.augmentation": ("Augmentation",),
    "recipes.settings": ("DataSettings", "Settings"),
    "recipes.workflow": ("fit", "fit_folder", "rerun"),
    "recipes.classifier": ("Classifier", "load"),
    "recipes.prediction": ("load_classifier", "predict"),
    "recipes.run": ("Run",),
    "recipes.saving": ("load_model",),
    "recipes.export": ("export_run",),
    "recipes.strategies": ("FineTuneStrategy", "Phase"),
    "recipes.classifiers.alexnet": ("alexnet",),
    "recipes.classifiers.cnn": ("cnn",),
    "recipes.classifiers.cnn1d": ("cnn1d",),
    "recipes.classifiers.convnext": ("convnext",),
    "recipes.classifiers.densenet": ("densenet",),
    "recipes.classifiers.efficientnet": ("efficientnet",),
    "recipes.classifiers.lenet": ("lenet",),
    "recipes.classifiers.mlp": ("mlp",),
    "recipes.classifiers.mlp_mixer": ("mlp_mixer",),
    "recipes.classifiers.mobilenet": ("mobilenet",),
    "recipes.classifiers.resnet": ("resnet",),
    "recipes.classifiers.squeezenet": ("squeezenet",),
    "recipes.classifiers.vgg": ("vgg",),
    "recipes.classifiers.vit": ("vit",),
    "recipes.heads": ("classification_head",),
    "recipes.compiling": ("compile_classifier",),
    "recipes.batches": ("scale_learning_rate",),
    "recipes.study.batch_size": (
        "batch_size_study",
        "steps_per_epoch",
        "suggest_batch_size",
    ),
    "recipes.study.comparison": ("compare", "plot_comparison", "summarize"),
    "recipes.study.statistics": ("layer_statistics", "plot_layer_statistics"),
    "recipes.tuning.search": ("search",),
    "recipes.tuning.model": ("HyperModel",),
    "recipes.ingredients.activations": ("activation_table", "plot_activation"),
    "recipes.ingredients.gains": ("gain", "gain_table"),
    "recipes.ingredients.initializers": ("initializer_table",),
    "recipes.ingredients.lsuv": ("lsuv",),
    "recipes.ingredients.normalization": ("normalization_table",),
    "recipes.images.inspection": ("scan",),
    "recipes.checking.check": ("check",),
    "recipes.images.split": ("split",),
    "recipes.backbones.checkpoint": ("load_torch_checkpoint",),
    "recipes.backbones.mapping": ("assign_torch_weights",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

# Each has a `get`: `recipes.scaling.get("standard", data=table)`.
_MODULES = (
    "activations",
    "constraints",
    "initializers",
    "normalization",
    "regularizers",
    "scaling",
)

announce()

__version__ = "0.1.0"
__all__ = sorted([*_MODULE_OF, *_MODULES])


if not TYPE_CHECKING:

    def __getattr__(name):
        if name in _MODULES:
            return import_module(f"recipes.ingredients.{name}")
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'recipes' has no attribute {name!r}; it has {__all__}")
        return getattr(import_module(_MODULE_OF[name]), name)


def __dir__():
    return sorted({*globals(), *__all__})
