"""The classifier on frozen features: what does it gain by the validation part, and how sure is it?

Draws the cells of `benchmarks/strategies.py` many times over, at 224 pixels, and solves the
classifier on the training part. Prints how accurate it is on the test part, and how much more so
when it has learned from the validation part too, with the penalty from before (`refit`); and the
log loss of the test part with the temperature from the validation part, from the cross-validation
over the training part, and from both.

    python benchmarks/classifier.py cats_dogs=10,20 trashnet6=10 --seeds 20 --csv classifier.csv
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from scipy.special import softmax

from recipes import backbones
from recipes.images.decode import Reading
from recipes.images.pipeline import stream
from recipes.tasks import Multiclass
from recipes.transfer.features import outputs_of
from recipes.transfer.solve import solve

from strategies import cells_of, drawn, usable  # isort: skip

SIZE = (224, 224)


def features_of(folder: Path, frame: pd.DataFrame) -> np.ndarray:
    """The pooled features of EfficientNet-Lite0, (n, 1280)."""
    backbone = backbones.get("efficientnet_lite0")
    pooled = keras.ops.mean(backbone.model.output, axis=(1, 2))
    batches = stream(folder, list(frame["path"]), SIZE, reading=Reading("crop"))
    pixels = np.concatenate([batch for _, batch, _ in batches])
    network = keras.Model(backbone.model.input, pooled)
    return outputs_of(network, pixels, label=folder.name, verbose=False)


def measured(features: np.ndarray, labels: np.ndarray, task: Multiclass, parts: dict) -> dict:
    """One draw: accuracies, and log losses of the one that learned from all."""
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))
    first = solve(features[train], labels[train], task)
    both = np.concatenate([train, validation])
    again = solve(features[both], labels[both], task, penalty=first.penalty)

    def said(solution, rows):
        return softmax(features[rows] @ solution.kernel + solution.bias, axis=1)

    judged = ~np.isnan(first.outputs).any(axis=1)
    outputs = {"validation": said(first, validation), "folds": first.outputs[judged]}
    outputs["both"] = np.concatenate(list(outputs.values()))
    targets = {"validation": labels[validation], "folds": labels[train][judged]}
    targets["both"] = np.concatenate(list(targets.values()))
    tested = said(again, test)
    found = {
        "accuracy": task.accuracy(labels[test], said(first, test)),
        "learned from all": task.accuracy(labels[test], tested),
        "log loss, temperature 1": task.loss(labels[test], tested),
    }
    for name, judges in outputs.items():
        cooled = task.tempered(tested, task.temperatures(targets[name], judges))
        found[f"of {name}"] = task.loss(labels[test], cooled)
    best = task.tempered(tested, task.temperatures(labels[test], tested))
    return found | {"of the test part": task.loss(labels[test], best)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="+", help="folder=pictures a class, several by commas")
    parser.add_argument("--seeds", type=int, default=20, help="how many draws")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    known, rows = {}, []
    for folder, per_class, seed in cells_of(options.cells, list(range(options.seeds))):
        if folder not in known:
            frame = usable(folder).reset_index(drop=True)
            labels, names = pd.factorize(frame["class"], sort=True)
            known[folder] = frame, features_of(folder, frame), labels, Multiclass(tuple(names))
        frame, features, labels, task = known[folder]
        parts = drawn(frame, per_class, seed)
        if parts:
            key = {"set": folder.name, "per_class": per_class, "seed": seed}
            rows.append(key | measured(features, labels, task, parts))
    table = pd.DataFrame(rows)
    means = table.groupby(["set", "per_class"]).mean().drop(columns="seed")
    gain = (table["learned from all"] - table["accuracy"]).groupby(
        [table["set"], table["per_class"]]
    )
    means.insert(2, "gain", gain.mean())
    means.insert(3, "±", gain.sem())
    means.insert(4, "worst", gain.min())
    print(means.round(3).to_string())
    if options.csv:
        table.to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
