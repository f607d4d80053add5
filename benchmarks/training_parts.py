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

import numpy as np
import pandas as pd

from recipes.augmentation import PRESETS, Augmentation
from recipes.strategies import STRATEGIES
from recipes.transfer import fine_tune
from recipes.transfer.optimizer import StagewiseAdam
from recipes.transfer.refine import blend
from recipes.transfer.state import StateKeeper, to_numpy

from strategies import KEYS, cells_of, link_cell, train  # isort: skip


LIGHT = PRESETS["light"]


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


# Other values of the last phase, another augmentation, or other things in the place of those that
# `fine_tune` uses.
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
AUGMENTED = {
    "RandAugment": Augmentation(randaugment=2),
    "mixup": replace(LIGHT, mixup=0.2),
    "CutMix": replace(LIGHT, cutmix=1.0),
    "erasing": replace(LIGHT, erasing=0.25),
    "strong": PRESETS["strong"],
    "heavy": PRESETS["heavy"],
}
ADDED = {
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
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS, *AUGMENTED, *ADDED])
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
                    row = train(
                        cell,
                        plan,
                        options.image_size,
                        seed,
                        refit=again,
                        augmentation=AUGMENTED.get(name, LIGHT),
                    )
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
