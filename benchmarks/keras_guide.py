"""Is `recipes.fit_folder` quicker than the Keras transfer-learning guide's way, and as accurate?

Both train a new classifier on the same frozen, pretrained backbone, on the same pictures, split and
number of epochs, and are tested on the same test part. The guide's way runs the frozen backbone in
every epoch (https://keras.io/guides/transfer_learning); `fit_folder` runs it once. The two are
interleaved in one process. Reading the pictures is part of both times.

    python benchmarks/keras_guide.py photos/ --epochs 20
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import pandas as pd
from keras import layers

import recipes
from recipes import backbones

BACKBONE = "efficientnet_lite0"


def link_parts(folder: Path, place: Path, seed: int) -> Path:
    """The folder's pictures in `train`, `validation` and `test`, as links."""
    frame = recipes.split(recipes.scan(folder, verbose=False), seed=seed)
    used = frame.loc[frame["part"] != "", ["part", "class", "path"]]
    for part, name, path in used.itertuples(index=False, name=None):
        link = place / part / name / Path(path).name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((folder / path).resolve())
    return place


def fit_as_in_the_guide(parts: Path, epochs: int, seed: int) -> float:
    """The guide's feature extraction; returns the test accuracy."""
    keras.utils.set_random_seed(seed)
    base = backbones.get(BACKBONE).model
    size = base.input_shape[1:3]
    train, validation, test = (
        keras.utils.image_dataset_from_directory(
            parts / part, image_size=size, batch_size=32, shuffle=part == "train", verbose=False
        )
        for part in ("train", "validation", "test")
    )
    num_classes = len(train.class_names)
    base.trainable = False
    pictures = keras.Input((*size, 3))
    x = layers.RandomFlip("horizontal")(pictures)
    x = layers.RandomRotation(0.1)(x)
    x = base(x, training=False)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    model = keras.Model(pictures, layers.Dense(num_classes, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, validation_data=validation, epochs=epochs, verbose=0)
    return model.evaluate(test, verbose=0, return_dict=True)["accuracy"]


def fit_by_recipe(parts: Path, epochs: int, seed: int) -> float:
    """`fit_folder` on the same parts; returns the test accuracy."""
    with tempfile.TemporaryDirectory() as output:
        run = recipes.fit_folder(
            parts,
            output=Path(output) / "run",
            strategy="head_only",
            backbone=BACKBONE,
            epochs=epochs,
            seed=seed,
            verbose=False,
        )
        return run.metrics["accuracy"]


WAYS = {"guide": fit_as_in_the_guide, "fit_folder": fit_by_recipe}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="class folders with pictures")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="write the rows here too")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for seed in range(options.repeats):
            parts = link_parts(options.folder, Path(place) / str(seed), seed)
            for way, fit in WAYS.items():
                began = time.perf_counter()
                accuracy = fit(parts, options.epochs, seed)
                seconds = time.perf_counter() - began
                rows.append({"seed": seed, "way": way, "seconds": seconds, "accuracy": accuracy})
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False)
    seconds = table.pivot(index="seed", columns="way", values="seconds")
    ratios = seconds["guide"] / seconds["fit_folder"]
    print(table.groupby("way")[["seconds", "accuracy"]].mean().round(3).to_string())
    print(f"ratio {ratios.mean():.1f} (from {ratios.min():.1f} to {ratios.max():.1f})")


if __name__ == "__main__":
    main()
