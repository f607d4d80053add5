"""A vision transformer of two blocks, whose layers lie in one another, as a transfer model."""

import keras
from keras import layers

from recipes.backbones.base import Backbone, Stage
from recipes.heads import classification_head
from recipes.transfer.model import TransferModel
from tests.recipes.transfer.tiny import SIDE, TASK

WIDTH, PATCH, BLOCKS = 16, 8, 2


def build_vit(dropout=0.2, task=TASK, side=SIDE):
    """Patches, blocks of attention and a perceptron that is a model of its own, and a norm."""
    keras.utils.set_random_seed(7)
    pictures = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 127.5, -1, name="scaling")(pictures)
    x = layers.Conv2D(WIDTH, PATCH, PATCH, name="patches")(x)
    count = side // PATCH
    x = layers.Reshape((count * count, WIDTH), name="tokens")(x)
    stages = [Stage("patches", "tokens", ("scaling", "patches", "tokens"))]
    for index in range(BLOCKS):
        names = [f"{kind}{index}" for kind in ("norm", "attention", "add", "perceptron", "sum")]
        normed = layers.LayerNormalization(name=names[0])(x)
        attended = layers.MultiHeadAttention(2, WIDTH // 2, name=names[1])(normed, normed)
        x = layers.Add(name=names[2])([x, attended])
        inside = [
            keras.Input((count * count, WIDTH)),
            layers.Dense(2 * WIDTH, "gelu", name="wide"),
            layers.LayerNormalization(name="norm"),
            layers.Dense(WIDTH, name="narrow"),
        ]
        x = layers.Add(name=names[4])([x, keras.Sequential(inside, name=names[3])(x)])
        stages.append(Stage(f"block{index}", names[4], tuple(names)))
    x = layers.Reshape((count, count, WIDTH), name="maps")(x)
    stages.append(Stage("maps", "maps", ("maps",)))
    base = Backbone("vit", keras.Model(pictures, x), tuple(stages), "none", "initial", "", "")
    outputs = classification_head(x, task.units, task.name, dropout=dropout, seed=1)
    return TransferModel(keras.Model(pictures, outputs), base, task.name)
