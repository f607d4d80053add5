"""What do 20 epochs on a frozen backbone cost, in forward passes over the pictures?

Random pictures, EfficientNet-Lite0 at its own 224 pixels. A forward pass over the training part and
the strategy `small_similar` with 20 epochs, features included, are interleaved in one process.

    python benchmarks/frozen_epochs.py --pictures 1000 --repeats 3
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from recipes.images.parts import ArrayCache, Part
from recipes.strategies import FineTuneStrategy, Phase
from recipes.tasks import Multiclass
from recipes.transfer import model
from recipes.transfer.features import TrainingData, outputs_of
from recipes.transfer.fine_tune import fine_tune

EPOCHS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    labels = np.arange(options.pictures) % 10
    pixels = rng.integers(0, 256, (options.pictures, 224, 224, 3), "uint8")
    part = Part(pixels, labels, "pictures")
    data = {"train": part, "validation": Part(pixels[:32], labels[:32], "few")}
    task = Multiclass(tuple("0123456789"))
    how = {"epochs": EPOCHS, "learning_rate": 1e-3, "patience": EPOCHS}
    phase = Phase("classifier", trainable_from=1.0, min_steps=32, **how)
    plan = FineTuneStrategy("trained by steps", "pretrained", (phase,), "the classifier")
    transfer = model.build("efficientnet_lite0", 10)
    pooled = transfer.frozen_part(transfer.num_stages)
    outputs_of(
        pooled, data["validation"].pixels, label="", verbose=False
    )  # compiled before it is timed
    rows = []
    for repeat in range(options.repeats):
        began = time.perf_counter()
        outputs_of(pooled, part.pixels, label="", verbose=False)
        forward = time.perf_counter() - began
        with tempfile.TemporaryDirectory() as place:
            began = time.perf_counter()
            cache = ArrayCache(Path(place))
            fine_tune(transfer, plan, TrainingData(data, task, cache, verbose=False))
            training = time.perf_counter() - began
        rows.append({"repeat": repeat, "forward": forward, "20 epochs": training})
    table = pd.DataFrame(rows)
    table["ratio"] = table["20 epochs"] / table["forward"]
    print(table.round(2).to_string(index=False))
    print(f"{EPOCHS} epochs cost {table['ratio'].median():.2f} forward passes "
          f"({table['ratio'].min():.2f} to {table['ratio'].max():.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
