"""How often is `novelty` 0.99 or more for new pictures of the same kind, and for others?

The frozen features of EfficientNet-Lite0 at 96 pixels, computed once a folder. Some pictures a
class are drawn, 15 % of them for validation; the others are the new ones of the same kind, the
first of each further folder those of another. All draws are repeated with several seeds.

    python benchmarks/novelty.py photos/ drawings/ --seeds 20
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd

from recipes import backbones
from recipes.choosing.probe import pooled_stages
from recipes.images.parts import ArrayCache, Collection
from recipes.settings import DataSettings
from recipes.transfer import novelty
from recipes.transfer.features import outputs_of

PER_CLASS = (4, 8, 16, 50)
SIZE = 96


def features_of(folder: Path, backbone) -> tuple[np.ndarray, np.ndarray]:
    """The features of a folder's pictures, and their classes."""
    pictures = Collection.open(folder, DataSettings(), verbose=False)
    parts, _ = pictures.decoded((SIZE, SIZE), ArrayCache(folder, 1 << 40), verbose=False)
    pixels = np.concatenate([part.pixels for part in parts.values()])
    labels = np.concatenate([part.labels for part in parts.values()])
    model = keras.Model(backbone.model.input, pooled_stages(backbone)[-1])
    return outputs_of(model, pixels, label="Features", verbose=False), labels


def drawn(labels: np.ndarray, per_class: int, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the training part, of the validation part, and of new pictures."""
    order = rng.permutation(len(labels))
    place = pd.Series(labels[order]).groupby(labels[order]).cumcount().to_numpy()
    known, new = order[place < per_class], order[place >= per_class]
    held_out = max(1, round(0.15 * len(known)))
    return known[held_out:], known[:held_out], new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    backbone = backbones.get("efficientnet_lite0", image_size=SIZE)
    found = {folder.name: features_of(folder, backbone) for folder in options.folders}
    rows = []
    for name, (features, labels) in found.items():
        others = [other for key, (other, _) in found.items() if key != name]
        for per_class in PER_CLASS:
            for seed in range(options.seeds):
                train, held_out, new = drawn(labels, per_class, np.random.default_rng(seed))
                known = novelty.fit(features[train], features[held_out])
                flagged = [
                    (novelty.score(rows, known) >= novelty.UNLIKE_FROM).mean()
                    for rows in (features[new], *others)
                ]
                rows.append((name, per_class, len(train) + len(held_out), *flagged))
    columns = ["set", "per_class", "known", "same", *(f"other {i}" for i in range(len(found) - 1))]
    table = pd.DataFrame(rows, columns=columns)
    if options.csv:
        table.to_csv(options.csv, index=False)
    groups = table.groupby(["set", "per_class"], sort=False)
    print((100 * groups[columns[3:]].mean()).assign(known=groups["known"].first()).round(2))
    worst = 100 * groups["same"].max()
    print("\nthe worst draw, same kind, in %:\n", worst.round(1).to_string())


if __name__ == "__main__":
    main()
