"""How a picture becomes square: squashed, padded or cropped, by what frozen features can do.

python benchmarks/resize.py FOLDER ... : folders with one subfolder a class.

Each picture is read at 224 px in each way; the pooled features of EfficientNet-Lite0 go into a
logistic regression, cross-validated three times over in five folds, the same for each way. Printed
are the mean accuracy, the difference from "squash" with its standard error over the pictures, and
the same of those pictures whose sides differ by 1.4 to 1 and more.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
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
SEEDS = range(3)
ODD = 1.4  # to 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    backbone = backbones.get("efficientnet_lite0")
    pooled = keras.ops.mean(backbone.model.output, axis=(1, 2))
    network = keras.Model(backbone.model.input, pooled)
    for folder in parser.parse_args().folders:
        frame = scan(folder, verbose=False)
        frame = frame[frame["status"] == "ok"]
        ratio = (frame["width"] / frame["height"]).to_numpy()
        odd = (ratio > ODD) | (ratio < 1 / ODD)
        print(f"{folder.name}: {len(frame):,} pictures, {odd.mean():.0%} beyond {ODD} to 1")
        right = {}
        for name, reading in WAYS.items():
            batches = stream(folder, list(frame["path"]), SIZE, reading=reading)
            pixels = np.concatenate([batch for _, batch, _ in batches])
            features = outputs_of(network, pixels, label=name, verbose=False)
            classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
            right[name] = np.mean(
                [
                    cross_val_predict(classifier, features, frame["class"], cv=folds)
                    == frame["class"]
                    for folds in (StratifiedKFold(5, shuffle=True, random_state=k) for k in SEEDS)
                ],
                axis=0,
            )
        table = pd.DataFrame(right)
        rows = []
        for chosen in (slice(None), odd):
            part = table[chosen]
            against = part.sub(part["squash"], axis=0)
            rows += [part.mean(), against.mean(), against.std() / np.sqrt(len(part))]
        names = ("accuracy", "against squash", "standard error")
        columns = [f"{name}{words}" for words in ("", ", odd") for name in names]
        print(pd.DataFrame(rows, index=columns).T.round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
