"""Does each part of fine-tuning earn its place, and would another?

Trains everything from the pretrained weights (`large_similar`) on folders of pictures: as the
library does it, with one part left out or changed at a time, and with one that the library does
not have. Writes one row a training to a CSV file, goes on where it stopped, and prints the
accuracy and the log loss of each variant. All but one variant leave the validation part's pictures
unlearned, so that the second training in the end is measured like the other parts.

    python benchmarks/training_parts.py photos=8,30 drawings=30 --seeds 0 1 --csv parts.csv
"""

import argparse
import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd

from recipes.heads import SmoothedSparseCrossentropy
from recipes.images.pipeline import Batches
from recipes.strategies import STRATEGIES
from recipes.transfer import fine_tune
from recipes.transfer.optimizer import StagewiseAdam
from recipes.transfer.refine import blend
from recipes.transfer.state import StateKeeper, to_numpy

from strategies import KEYS, cells_of, link_cell, train  # isort: skip


class Randomized:
    """Keras' RandAugment in the place of the library's augmentation."""

    def __init__(self):
        self.layer = keras.layers.RandAugment((0, 255), num_ops=2, factor=0.3, seed=0)

    def __call__(self, pictures, keys, settings):
        return to_numpy(self.layer(pictures.astype("float32"), training=True)).astype("uint8")


class Mixing(Batches):
    """Batches whose augmented pictures and labels are mixed by a layer of Keras."""

    layer: keras.layers.Layer
    every = 1

    def __getitem__(self, index):
        x, y, *weights = super().__getitem__(index)
        if self.transform is None:
            return x, y, *weights
        x, labels = x.astype("float32"), np.eye(self.targets.max() + 1, dtype="float32")[y]
        if index % self.every == 0:
            mixed = self.layer({"images": x, "labels": labels}, training=True)
            x, labels = to_numpy(mixed["images"]), to_numpy(mixed["labels"])
        return x, labels, *weights


class SoftCrossentropy(SmoothedSparseCrossentropy):
    """Takes the mixed labels too."""

    def call(self, y_true, y_pred):
        if y_true.shape[-1] != y_pred.shape[-1]:
            return super().call(y_true, y_pred)
        return keras.losses.categorical_crossentropy(
            y_true, y_pred, label_smoothing=self.label_smoothing
        )


class Averaging(StateKeeper):
    """Ends a phase with the mean of the weights after its last epochs at full size."""

    def on_train_begin(self, logs=None):
        self.after = []
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self.after.append([to_numpy(variable) for variable in self.part.trainable_variables])

    def on_train_end(self, logs=None):
        if self.state.epoch < self.phase.epochs:
            return
        for variable, *values in zip(self.part.trainable_variables, *self.after, strict=True):
            variable.assign(np.mean(values, axis=0))


class Pulled(StagewiseAdam):
    """L2-SP: a penalty on the distance from the weights that fine-tuning starts from."""

    def build(self, var_list):
        super().build(var_list)
        self.start = [to_numpy(variable) for variable in var_list]

    def update_step(self, gradient, variable, learning_rate):
        gradient += 0.01 * (variable - self.start[self._get_variable_index(variable)])
        super().update_step(gradient, variable, learning_rate)


def mixing(layer: keras.layers.Layer, every: int = 1) -> dict:
    return {
        "Batches": type("Mixing", (Mixing,), {"layer": layer, "every": every}),
        "loss_of": lambda task, label_smoothing: SoftCrossentropy(label_smoothing),
        "accuracy_of": lambda task: "accuracy",
    }


# Other values of the last phase, or other things in the place of those that `fine_tune` uses.
VARIANTS = {
    "as it is": {},
    "without warm-up": {"warmup": 0.0},
    "stages at 0.7": {"stage_factor": 0.7},
    "stages at one rate": {"stage_factor": 1.0},
    "without smoothing": {"label_smoothing": 0.0},
    "a third of the rate": {"learning_rate": 3e-4},
    "half the steps": {"steps": 40},
    "twice the steps": {"steps": 160},
    "full size throughout": {"reduced": 0.0},
    "best epoch, not blended": {"reduced": 0.0, "blended": False},
    "learned again from all": {},
}
ADDED = {
    "RandAugment": lambda: {"vary": Randomized()},
    "mixup": lambda: mixing(keras.layers.MixUp(0.2, seed=0)),
    "CutMix": lambda: mixing(keras.layers.CutMix(1.0, seed=0)),
    "CutMix of every other batch": lambda: mixing(keras.layers.CutMix(1.0, seed=0), every=2),
    "L2-SP": lambda: {"StagewiseAdam": Pulled},
    "mean of the last epochs": lambda: {"StateKeeper": Averaging},
    "all of the last weights": lambda: {
        "blend": lambda cut, state, usual, share: blend(cut, state, usual, 1.0)
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="+", help="folder=pictures a class, several by commas")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS, *ADDED])
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--csv", type=Path, default=Path("training_parts.csv"))
    options = parser.parse_args()
    rows = pd.read_csv(options.csv).to_dict("records") if options.csv.exists() else []
    columns = [*KEYS, "variant"]
    done = {tuple(row[name] for name in columns) for row in rows}
    for folder, per_class, seed in cells_of(options.cells, options.seeds):
        with tempfile.TemporaryDirectory() as place:
            cell = link_cell(folder, Path(place), per_class, seed)
            for name in options.variants if cell else []:
                key = (folder.name, per_class, seed, name)
                if key in done:
                    continue
                head, phase = STRATEGIES["large_similar"].phases
                phases = (head, replace(phase, **VARIANTS.get(name, {})))
                plan = replace(STRATEGIES["large_similar"], phases=phases)
                with ExitStack() as patches:
                    for attribute, other in ADDED.get(name, dict)().items():
                        patches.enter_context(patch.object(fine_tune, attribute, other))
                    again = name == "learned again from all"
                    row = train(cell, plan, options.image_size, seed, refit=again)
                rows.append(dict(zip(columns, key, strict=True)) | row)
                pd.DataFrame(rows).to_csv(options.csv, index=False)
                print(*key, f"{row['accuracy']:.3f} {row['log_loss']:.3f}", flush=True)
    table = pd.DataFrame(rows)
    for measure in ("accuracy", "log_loss"):
        wide = table.pivot_table(index="variant", columns=columns[:3], values=measure, sort=False)
        print(measure)
        print(wide.assign(mean=wide.mean(axis=1)).round(3).to_string())


if __name__ == "__main__":
    main()
