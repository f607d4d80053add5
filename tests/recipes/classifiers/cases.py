"""Every recipe in a small size: the table that the registry-wide tests walk."""

import numpy as np
from keras import layers

import recipes
from recipes.ingredients import normalization

RECIPES = {
    "mlp": lambda **choices: recipes.mlp(8, 3, units=(16, 8), **choices),
    "cnn": lambda **choices: recipes.cnn((8, 8, 3), 3, widths=(8, 16), depth=1, **choices),
    "resnet": lambda **choices: recipes.resnet((8, 8, 3), 3, depth=(1, 1), width=8, **choices),
    "mobilenet": lambda **choices: recipes.mobilenet(
        (8, 8, 3), 3, width=0.25, stages=((1, 16, 1, 1), (2, 24, 2, 2)), **choices
    ),
}


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
