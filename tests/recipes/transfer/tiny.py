"""A transfer model that is quick to compile, data and strategies for it."""

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image
from sklearn.datasets import load_digits

from recipes import strategies
from recipes.backbones.base import Backbone, Stage
from recipes.heads import classification_head
from recipes.images.parts import ArrayCache, Part
from recipes.strategies import FineTuneStrategy, Phase
from recipes.tasks import Multiclass
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel

SIDE = 32
TASK = Multiclass(("a", "b", "c"))
TWO_PHASES = FineTuneStrategy(
    "two",
    "pretrained",
    (Phase("classifier", 1.0, 2, 1e-3), Phase("top", 0.9, 2, 3e-4)),
    "the classifier, then the last stage with it",
)
SOLVED = FineTuneStrategy(
    "solved",
    "pretrained",
    (
        strategies.HEAD,
        Phase("everything", 0.0, 3, 1e-3, warmup=0.3, reduced=0.7, blended=True),
    ),
    "the classifier solved, then everything, on smaller pictures first",
)
FROM_PIXELS = FineTuneStrategy(
    "pixels", "initial", (Phase("everything", 0.0, 2, 1e-3, update_batch_norm=True),), "everything"
)


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


DATA = {"train": digits_part("train", 0, 32), "validation": digits_part("validation", 32, 8)}


def values_of(model):
    """Each weight's value, by its path."""
    return {v.path: np.array(keras.ops.convert_to_numpy(v)) for v in model.weights}
