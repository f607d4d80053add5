"""Which suggestion of the range test trains best?

Three models, each with three optimizers: nine cells. In each, the range test is run once a seed,
and every way suggests a rate; the model is trained with it for a few epochs, and with ten rates of
a grid. A way's regret is its last loss above that of the grid's best. Where a way says that there
is no signal, nothing is trained.

    python benchmarks/finder_suggestions.py
"""

import argparse
import math
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import StandardScaler

import callbacks

GRID = np.geomspace(1e-4, 3.0, 10)
EPOCHS, BATCH = 4, 64


def digits(flat):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    return (x if flat else x.reshape(-1, 8, 8, 1)), y


def cancer():
    x, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(x).astype("float32"), y


def mlp():
    return [keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]


def cnn():
    return [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10, "softmax"),
    ]


def deep():
    hidden = [keras.layers.Dense(32, "tanh") for _ in range(4)]
    return [keras.Input((30,)), *hidden, keras.layers.Dense(2, "softmax")]


MODELS = {
    "mlp on digits": (mlp, lambda: digits(flat=True)),
    "cnn on digits": (cnn, lambda: digits(flat=False)),
    "deep on cancer": (deep, cancer),
}
OPTIMIZERS = {
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "adam": keras.optimizers.Adam,
    "rmsprop": keras.optimizers.RMSprop,
}


def build(layers, optimizer, rate, seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(layers())
    model.compile(OPTIMIZERS[optimizer](rate), "sparse_categorical_crossentropy")
    return model


def loss_at(layers, optimizer, rate, data, seed):
    """The mean loss of the last epoch, at most that of guessing."""
    if not math.isfinite(rate):
        return math.nan
    model = build(layers, optimizer, float(rate), seed)
    loss = model.fit(*data, batch_size=BATCH, epochs=EPOCHS, verbose=0).history["loss"][-1]
    guessing = math.log(len(np.unique(data[1])))
    return min(loss, guessing) if math.isfinite(loss) else guessing


def rows_of(name, optimizer, seed):
    layers, load = MODELS[name]
    data = load()
    finder = callbacks.LearningRateFinder(1e-6, 10.0, num_steps=100)
    finder.run(build(layers, optimizer, 0.01, seed), *data, batch_size=BATCH)
    best = min(loss_at(layers, optimizer, rate, data, seed) for rate in GRID)
    for way, rate in finder.suggestions.items():
        loss = loss_at(layers, optimizer, rate, data, seed)
        yield {
            "model": name,
            "optimizer": optimizer,
            "seed": seed,
            "way": way,
            "rate": rate,
            "regret": loss - best,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="write the rows here too")
    options = parser.parse_args()
    rows = [
        row
        for name in MODELS
        for optimizer in OPTIMIZERS
        for seed in range(options.seeds)
        for row in rows_of(name, optimizer, seed)
    ]
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False)
    cells = table.pivot_table(index=["model", "optimizer"], columns="way", values="regret")
    print(cells.round(3).to_string())
    by_way = table.groupby("way")["regret"]
    summary = pd.DataFrame(
        {
            "mean regret": by_way.mean().round(3),
            "worst": by_way.max().round(3),
            "no signal": table["rate"].isna().groupby(table["way"]).sum(),
        }
    )
    print(summary.sort_values("mean regret").to_string())


if __name__ == "__main__":
    main()
