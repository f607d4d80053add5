"""What does a call of a loaded classifier cost, beside the forward pass itself?

A pretrained EfficientNet-Lite0 is loaded. Then, interleaved in one process: the forward pass of a
batch alone (`predict_on_batch` on an array that is ready), calls of the loaded classifier with as
many pictures as arrays and as JPEG files, and `recipes.predict`, which loads the model each time.
Ratios are to the forward pass of the same round.

    python benchmarks/loaded.py --pictures 32 --repeats 7
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from PIL import Image

import recipes

BACKBONE = "efficientnet_lite0"


def seconds(call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--side", type=int, default=500, help="of the pictures, in pixels")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    count, side = options.pictures, options.side
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (count, side, side, 3), "uint8")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{k:04d}.jpg" for k in range(count)]
        for file, array in zip(files, arrays, strict=True):
            Image.fromarray(array).save(file, quality=90)
        began = time.perf_counter()
        classifier = recipes.load(BACKBONE, batch_size=count)
        print(f"load: {time.perf_counter() - began:.2f} s")
        print(f"first call: {seconds(lambda: classifier(arrays)):.2f} s")
        ready = rng.integers(0, 256, (count, *classifier.model.input_shape[1:]), "uint8")
        whole = {"batch_size": count, "verbose": False}
        ways = {
            "forward pass": lambda: classifier.model.predict_on_batch(ready),
            "loaded, arrays": lambda: classifier(arrays),
            "loaded, files": lambda: classifier(files),
            "recipes.predict": lambda: recipes.predict(BACKBONE, arrays, **whole),
        }
        ways["forward pass"]()
        for repeat in range(options.repeats):
            rows += [{"repeat": repeat, "way": k, "seconds": seconds(ways[k])} for k in ways]
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False)
    times = table.pivot(index="repeat", columns="way", values="seconds")[list(ways)]
    ratios = times.div(times["forward pass"], axis=0)
    summary = {"seconds": times.median(), "ratio": ratios.median()}
    summary |= {"least": ratios.min(), "largest": ratios.max()}
    print(pd.DataFrame(summary).round(3).to_string())


if __name__ == "__main__":
    main()
