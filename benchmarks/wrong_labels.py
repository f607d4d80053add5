"""How many wrong labels are found? A share of the labels is changed at random, and looked for.

The features of each folder's pictures are computed once and kept in a temporary folder. For each
seed 5 % of the labels become another class; "at k" is the precision among the k most suspicious
pictures, k as many as were changed, which then is the recall too. Beside it is what confident
learning marks by itself, without knowing k. The labels as they come count as right, so a mistake
that was in the collection before counts against what is found.

    python benchmarks/wrong_labels.py clothing10/ trashnet6/ sign_digits/ --csv wrong_labels.csv
"""

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from recipes import backbones
from recipes.checking import check, labels
from recipes.images.folders import ClassFolders
from recipes.images.inspection import OK, scan
from recipes.images.sources import natural_order
from recipes.tasks import Multiclass

CACHE = Path(tempfile.gettempdir()) / "recipes-wrong-labels"


def features_of(folder: Path, backbone: str, image_size: int) -> tuple[np.ndarray, pd.DataFrame]:
    """The pooled features of a folder's pictures, and their table."""
    frame = scan(folder, verbose=False)
    frame = frame[frame["status"] == OK].reset_index(drop=True)
    place = CACHE / f"{folder.name}-{backbone}-{image_size}-{len(frame)}.npy"
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        base = backbones.get(backbone, image_size=image_size)
        found, _, read = check.seen(base, ClassFolders(folder), frame, verbose=True)
        np.save(place, found[read])
    return np.load(place), frame


def changed(targets: np.ndarray, classes: int, share: float, seed: int) -> np.ndarray:
    """Labels of which a share is another class, drawn evenly."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(targets))[: round(share * len(targets))]
    found = targets.copy()
    found[rows] = (found[rows] + rng.integers(1, classes, len(rows))) % classes
    return found


def measure(features: np.ndarray, frame: pd.DataFrame, share: float, seed: int) -> dict:
    """What is found of the labels that were changed."""
    task = Multiclass(tuple(natural_order(list(frame["class"].unique()))))
    truth = task.encode(list(frame["class"]))
    given = changed(truth, len(task.classes), share, seed)
    wrong = given != truth
    began = time.perf_counter()
    table, _ = labels.suspicions(task, given, features, check.groups_of(frame), seed=seed)
    seconds = time.perf_counter() - began
    first = np.argsort(-table["score"].to_numpy(), kind="stable")[: wrong.sum()]
    said = (table["issue"] == labels.WRONG).to_numpy()
    suggested = table.loc[said & wrong, "suggested"].to_numpy()
    return {
        "pictures": len(frame),
        "changed": int(wrong.sum()),
        "at k": wrong[first].mean(),
        "marked": int(said.sum()),
        "precision": wrong[said].mean(),
        "recall": said[wrong].mean(),
        "right suggestions": (suggested == task.names_of(truth[said & wrong])).mean(),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    for folder in options.folders:
        features, frame = features_of(folder, options.backbone, options.image_size)
        for seed in options.seeds:
            found = measure(features, frame, options.share, seed)
            rows.append({"set": folder.name, "seed": seed, **found})
    table = pd.DataFrame(rows)
    print(f"{platform.platform()}, {os.cpu_count()} processors, {options.backbone} at "
          f"{options.image_size} pixels, {options.share:.0%} of the labels changed")  # fmt: skip
    print(table.round(3).to_string(index=False))
    print(table.drop(columns="seed").groupby("set").mean().round(3).to_string())
    if options.csv:
        table.round(4).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
