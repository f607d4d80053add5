"""Do low-rank matrices do what training everything does, on a small vision transformer?

A transformer of four blocks is pretrained on scikit-learn's digits 0 to 4, then fine-tuned on a few
of the digits 5 to 9 and tested on the others: the classifier alone, low-rank matrices (`lora`, at
several ranks) and everything (`large_similar`, at one size). Printed for each: accuracy, parameters
that are trained, and seconds, the mean over the seeds, and the accuracy of each seed.

    python benchmarks/lora.py --seeds 0 1 2 --csv lora.csv
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from keras import layers
from PIL import Image
from sklearn.datasets import load_digits

import recipes
from recipes.backbones import Backbone, Stage
from recipes.strategies import FineTuneStrategy, get
from recipes.transfer import lora, model

SIDE, PATCH, WIDTH, HEADS, BLOCKS = 32, 4, 64, 4, 4
RANKS = (2, 8)


def digits(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of the digits from `first` to `last`, and their labels from 0."""
    found = load_digits()
    rows = np.flatnonzero((found.target >= first) & (found.target <= last))
    pictures = [
        Image.fromarray((found.images[row] * 15.9).astype("uint8"))
        .convert("RGB")
        .resize((SIDE, SIDE))
        for row in rows
    ]
    return np.stack([np.asarray(one) for one in pictures]), found.target[rows] - first


def transformer() -> Backbone:
    """Patches, places, and blocks that begin with their norms (arXiv 2010.11929)."""
    keras.utils.set_random_seed(0)
    side = SIDE // PATCH
    pictures = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 127.5, -1, name="scaling")(pictures)
    x = layers.Conv2D(WIDTH, PATCH, PATCH, name="patches")(x)
    x = layers.Reshape((side * side, WIDTH), name="tokens")(x)
    places = layers.Conv1D(WIDTH, 3, padding="same", groups=WIDTH, name="places")(x)
    x = layers.Add(name="placed")([x, places])
    names = ("scaling", "patches", "tokens", "places", "placed")
    stages = [Stage("patches", "placed", names)]
    for index in range(BLOCKS):
        kinds = ("norm", "attention", "add", "second", "wide", "narrow", "sum")
        names = tuple(f"{kind}{index}" for kind in kinds)
        normed = layers.LayerNormalization(name=names[0])(x)
        attended = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name=names[1])(normed, normed)
        x = layers.Add(name=names[2])([x, attended])
        inner = layers.LayerNormalization(name=names[3])(x)
        inner = layers.Dense(4 * WIDTH, "gelu", name=names[4])(inner)
        x = layers.Add(name=names[6])([x, layers.Dense(WIDTH, name=names[5])(inner)])
        stages.append(Stage(f"block{index}", names[6], names))
    x = layers.LayerNormalization(name="last")(x)
    x = layers.Reshape((side, side, WIDTH), name="maps")(x)
    stages.append(Stage("maps", "maps", ("last", "maps")))
    return Backbone("small_vit", keras.Model(pictures, x), tuple(stages), "", "digits", "", "")


def pretrain(base: Backbone, epochs: int) -> float:
    """Train it on the digits 0 to 4; the accuracy on a tenth of them."""
    pictures, labels = digits(0, 4)
    order = np.random.default_rng(0).permutation(len(labels))
    pictures, labels = pictures[order], labels[order]
    x = recipes.classification_head(base.model.output, 5, seed=0)
    whole = recipes.compile_classifier(keras.Model(base.model.input, x), learning_rate=1e-3)
    options = {"validation_split": 0.1, "batch_size": 32, "verbose": 0}
    history = whole.fit(pictures.astype("float32"), labels, epochs=epochs, **options)
    return history.history["val_accuracy"][-1]


def strategies() -> dict[str, FineTuneStrategy]:
    everything, low_rank = get("large_similar"), get("lora")
    head, phase = everything.phases
    found = {"classifier alone": get("head_only")}
    for rank in RANKS:
        phases = (head, replace(low_rank.phases[1], lora_rank=rank))
        found[f"lora, rank {rank}"] = replace(low_rank, phases=phases)
    found["everything"] = replace(everything, phases=(head, replace(phase, reduced=0.0)))
    return found


def parameters(base: Backbone, plan: FineTuneStrategy) -> int:
    """How many numbers the last phase trains."""
    transfer = model.build(base, 5)
    transfer.set_trainable(plan.phases[-1])
    lora.enable(transfer, plan.phases[-1])
    return sum(int(np.prod(one.shape)) for one in transfer.model.trainable_variables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--per-class", nargs="+", type=int, default=[10, 40])
    parser.add_argument("--pretraining", type=int, default=20, help="epochs")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    base = transformer()
    print(f"pretrained to {pretrain(base, options.pretraining):.3f} on the digits 0 to 4")
    pictures, labels = digits(5, 9)
    rows = []
    for per_class in options.per_class:
        share = per_class * 5 / len(labels)
        parts = {"validation": share / 4, "test": 1 - 1.25 * share}
        for seed in options.seeds:
            for name, plan in strategies().items():
                with tempfile.TemporaryDirectory() as place:
                    began = time.perf_counter()
                    run = recipes.fit(
                        (pictures, labels),
                        output=Path(place) / "run",
                        strategy=plan,
                        backbone=base,
                        seed=seed,
                        near_copies=False,
                        verbose=False,
                        **parts,
                    )
                row = {"per class": per_class, "strategy": name, "seed": seed}
                row |= {"accuracy": run.metrics["accuracy"], "trained": parameters(base, plan)}
                row |= {"blend": run.info["audit"][-1].get("blend", 0.0)}
                rows.append({**row, "seconds": time.perf_counter() - began})
                print(*rows[-1].values(), flush=True)
    table = pd.DataFrame(rows)
    groups = table.groupby(["per class", "strategy"], sort=False)
    found = groups[["accuracy", "trained", "seconds"]].mean().round(3)
    found["by seed"] = groups["accuracy"].apply(lambda values: values.round(3).tolist())
    print(found.to_string())
    if options.csv:
        table.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
