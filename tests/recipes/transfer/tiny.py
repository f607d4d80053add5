"""A transfer model that is quick to compile, and data for it."""

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image
from sklearn.datasets import load_digits

from recipes.backbones.base import Backbone, Stage
from recipes.heads import classification_head
from recipes.images.parts import ArrayCache, Part
from recipes.tasks import Multiclass
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel

SIDE = 32
TASK = Multiclass(("a", "b", "c"))


def build_tiny(dropout=0.2, task=TASK, side=SIDE):
    """Three stages of convolution, norm and ReLU: quick to compile."""
    keras.utils.set_random_seed(7)
    pictures = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 127.5, -1)(
        pictures
    )  # large logits have no gradient on JAX and PyTorch
    stages = []
    for index, filters in enumerate((4, 8, 16)):
        ends = [f"{kind}{index}" for kind in ("conv", "norm", "relu")]
        x = layers.Conv2D(filters, 3, 2, use_bias=False, name=ends[0])(x)
        x = layers.BatchNormalization(name=ends[1])(x)
        x = layers.ReLU(name=ends[2])(x)
        stages.append(Stage(f"stage{index}", ends[2], tuple(ends)))
    base = Backbone("tiny", keras.Model(pictures, x), tuple(stages), "none", "initial", "", "")
    outputs = classification_head(x, task.units, task.name, dropout=dropout, seed=1)
    return TransferModel(keras.Model(pictures, outputs), base, task.name)


def training_data(parts, folder=None, limit=2 << 30, task=TASK, **options):
    """Parts as training reads them; what is computed from them goes below a folder."""
    cache = ArrayCache(Path(folder or tempfile.mkdtemp()), limit)
    return TrainingData(parts, task, cache, **{"verbose": False, **options})


def digits_part(name: str, start: int, count: int, side: int = SIDE) -> Part:
    """Scikit-learn's digits 0 to 2, `count` of each, as pictures."""
    digits = load_digits(n_class=3)
    rows = np.concatenate(
        [np.flatnonzero(digits.target == k)[start : start + count] for k in range(3)]
    )
    pictures = [
        np.asarray(
            Image.fromarray((digits.images[row] * 15.9).astype("uint8"))
            .convert("RGB")
            .resize((side, side))
        )
        for row in rows
    ]
    return Part(np.stack(pictures), digits.target[rows].astype("int64"), name)
