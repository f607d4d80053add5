"""How a picture becomes square: squashed, padded or cropped, by what frozen features can do.

python benchmarks/resize.py FOLDER ... : folders with one subfolder a class.

Each picture is read at 224 px in each way; the pooled features of EfficientNet-Lite0 go into a
logistic regression, cross-validated five times over in five folds, the same for each way. Printed
are the mean accuracy, and the difference from "squash" with its standard error over the folds.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recipes import backbones, scan
from recipes.images.decode import Reading
from recipes.images.pipeline import stream
from recipes.transfer.features import outputs_of

WAYS = {
    "squash": Reading("squash"),
    "crop": Reading("crop"),
    "pad, white": Reading("pad", "white"),
    "pad, gray": Reading("pad", "#7f7f7f"),
    "pad, black": Reading("pad", "black"),
}
SIZE = (224, 224)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    backbone = backbones.get("efficientnet_lite0")
    pooled = keras.ops.mean(backbone.model.output, axis=(1, 2))
    network = keras.Model(backbone.model.input, pooled)
    for folder in parser.parse_args().folders:
        frame = scan(folder, verbose=False)
        frame = frame[frame["status"] == "ok"]
        ratio = frame["width"] / frame["height"]
        odd = ((ratio > 1.4) | (ratio < 1 / 1.4)).mean()
        print(f"{folder.name}: {len(frame):,} pictures, {odd:.0%} beyond 1.4 to 1", flush=True)
        rows = []
        for name, reading in WAYS.items():
            batches = stream(folder, list(frame["path"]), SIZE, reading=reading)
            pixels = np.concatenate([batch for _, batch, _ in batches])
            features = outputs_of(network, pixels, label=name, verbose=False)
            classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
            folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=0)
            rows.append(cross_val_score(classifier, features, frame["class"], cv=folds))
        table = pd.DataFrame(rows, index=list(WAYS)).T
        against = table.sub(table["squash"], axis=0)
        summary = pd.DataFrame(
            {
                "accuracy": table.mean(),
                "against squash": against.mean(),
                "standard error": against.std() / np.sqrt(5),  # five repetitions, not 25 sets
            }
        )
        print(summary.round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
