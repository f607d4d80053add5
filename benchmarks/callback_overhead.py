"""What does a learning-rate callback cost in `fit`?

A small model is trained without any callback, with a per-step scheme, with a per-epoch scheme,
with Keras' own `LearningRateScheduler`, with a schedule of Keras in the graph, and with a scheme's
table in the graph. The ways are interleaved in one process; times are of one epoch.

    python benchmarks/callback_overhead.py
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import callbacks

STEPS = 500
SCHEME = callbacks.CosineDecay(0.1, 10_000)


def build(rate):
    model = keras.Sequential(
        [keras.Input((32,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)]
    )
    model.compile(keras.optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(True))
    return model


WAYS = {
    "no callback": lambda: (0.1, []),
    "scheme, per step": lambda: (0.1, [callbacks.CosineDecay(0.1, 10_000)]),
    "scheme, per epoch": lambda: (0.1, [callbacks.CosineDecay(0.1, 100, per="epoch")]),
    "Keras' LearningRateScheduler": lambda: (
        0.1,
        [keras.callbacks.LearningRateScheduler(SCHEME.value)],
    ),
    "Keras' CosineDecay in the graph": lambda: (
        keras.optimizers.schedules.CosineDecay(0.1, 10_000),
        [],
    ),
    "table in the graph": lambda: (SCHEME.as_schedule(10_000), []),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--csv", type=Path, help="write the rows here too")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS * 8, 32)).astype("float32")
    y = rng.integers(0, 10, STEPS * 8)
    made = {way: make() for way, make in WAYS.items()}
    models = {way: (build(rate), extra) for way, (rate, extra) in made.items()}
    rows = []
    for repeat in range(options.repeats + 1):  # the first compiles and does not count
        for way, (model, extra) in models.items():
            began = time.perf_counter()
            model.fit(x, y, batch_size=8, verbose=0, callbacks=extra)
            seconds = time.perf_counter() - began
            if repeat:
                rows.append({"repeat": repeat, "way": way, "seconds": seconds})
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False)
    seconds = table.pivot(index="repeat", columns="way", values="seconds")[list(WAYS)]
    ratio = seconds.div(seconds["no callback"], axis=0)
    summary = pd.DataFrame(
        {
            "microseconds a step": (seconds.median() / STEPS * 1e6).round(0),
            "ratio": ratio.median().round(2),
            "from": ratio.quantile(0.25).round(2),
            "to": ratio.quantile(0.75).round(2),
        }
    )
    print(summary.to_string())


if __name__ == "__main__":
    main()
