"""Every recipe in a small size: the table that the registry-wide tests walk."""

import numpy as np
from keras import layers

import recipes
from recipes.blocks import ORDERS
from recipes.classifiers.tokens import PLACES
from recipes.ingredients import normalization

RECIPES = {
    "alexnet": lambda **choices: recipes.alexnet(
        (63, 63, 3), 3, **{"widths": (8, 8, 8, 8, 8), "units": (8,), "dropout": 0.0, **choices}
    ),
    "mlp": lambda **choices: recipes.mlp(8, 3, units=(16, 8), **choices),
    "cnn": lambda **choices: recipes.cnn((8, 8, 3), 3, widths=(8, 16), depth=1, **choices),
    "cnn1d": lambda **choices: recipes.cnn1d((8, 3), 3, widths=(8, 16), depth=1, **choices),
    "convnext": lambda **choices: recipes.convnext(
        (8, 8, 3), 3, widths=(8, 16), depths=(1, 1), patch_size=2, **choices
    ),
    "densenet": lambda **choices: recipes.densenet((8, 8, 3), 3, depth=(1, 1), growth=8, **choices),
    "efficientnet": lambda **choices: recipes.efficientnet(
        (8, 8, 3), 3, width=0.25, stages=((1, 3, 1, 32, 2), (2, 5, 2, 32, 1)), **choices
    ),
    "lenet": lambda **choices: recipes.lenet((12, 12, 3), 3, units=(16,), **choices),
    "mlp_mixer": lambda **choices: recipes.mlp_mixer(
        (8, 8, 3), 3, patch_size=4, width=16, depth=1, **choices
    ),
    "resnet": lambda **choices: recipes.resnet((8, 8, 3), 3, depth=(1, 1), width=8, **choices),
    "mobilenet": lambda **choices: recipes.mobilenet(
        (8, 8, 3), 3, width=0.25, stages=((1, 16, 1, 1), (2, 24, 2, 2)), **choices
    ),
    "squeezenet": lambda **choices: recipes.squeezenet(
        (17, 17, 3), 3, **{"width": 0.1, "dropout": 0.0, **choices}
    ),
    "vgg": lambda **choices: recipes.vgg(
        (8, 8, 3),
        3,
        **{"depth": (1, 1), "widths": (8, 16), "units": (8,), "dropout": 0.0, **choices},
    ),
    "vit": lambda **choices: recipes.vit(
        (8, 8, 3), 3, patch_size=4, width=16, depth=1, heads=2, **choices
    ),
}
NORM_POSITIONS = tuple(dict.fromkeys([*ORDERS, *PLACES]))
ON_VECTORS = ("mlp", "convnext")  # a norm of theirs sees no places
# Dense layers and convolutions whose norm is of all channels together keep their bias.
OVER_CHANNELS = ("vit", "mlp_mixer", "convnext")


def count(model, trainable=True):
    chosen = model.trainable_weights if trainable else model.weights
    return sum(int(np.prod(w.shape)) for w in chosen)


def kinds(model):
    """The layers in order, by short names."""
    short = {
        layers.Conv2D: "kernel",
        layers.Dense: "kernel",
        layers.DepthwiseConv2D: "kernel",
        normalization.WeightNormalization: "weight",
        layers.BatchNormalization: "norm",
        layers.ReLU: "act",
        layers.SpatialDropout2D: "drop",
        layers.Dropout: "drop",
        layers.Add: "add",
    }
    return [short[type(layer)] for layer in model.layers if type(layer) in short]
