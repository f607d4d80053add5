"""Do time and memory stay in bounds as a folder grows?

For each size a folder of small generated PNGs is made, and a process of its own trains a classifier
on a frozen backbone (`fit_folder`, `small_similar`, one epoch at the most of memory `--cache-limit`
for pixels and features; above it they go to files). Printed: seconds, pictures a second, the
process' peak memory, and the part of it that is not file pages, which the system takes back when it
needs them.

    python benchmarks/scaling.py --sizes 1000 10000 50000
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

_CHILD = """
import json, resource, sys, threading, time
import recipes

peaks = [0]

def watch():
    while True:
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
        peaks[0] = max(peaks[0], int(lines["RssAnon"].split()[0]))
        time.sleep(0.2)

threading.Thread(target=watch, daemon=True).start()
began = time.perf_counter()
run = recipes.fit_folder(
    sys.argv[1], output=sys.argv[2], strategy="small_similar", image_size=64, epochs=2,
    cache_limit=int(sys.argv[3]), verbose=False,
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": time.perf_counter() - began, "megabytes": peak,
                  "without files": peaks[0] / 1024,
                  "accuracy": run.metrics["accuracy"]}))
"""


def make(folder: Path, count: int, classes: int = 10) -> None:
    """Pictures of 64 × 64 pixels; a class is a colour with much noise."""
    rng = np.random.default_rng(0)
    colours = rng.integers(40, 216, (classes, 3))
    for number in range(count):
        pixels = colours[number % classes] + rng.normal(0, 40, (64, 64, 3))
        path = folder / f"class{number % classes}" / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(path, compress_level=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--cache-limit", type=int, default=256 << 20)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    for count in options.sizes:
        with tempfile.TemporaryDirectory() as place:
            make(Path(place) / "photos", count)
            words = [f"{place}/photos", f"{place}/run", str(options.cache_limit)]
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, *words],
                capture_output=True, text=True, check=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )  # fmt: skip
        row = {"pictures": count, **json.loads(done.stdout.splitlines()[-1])}
        rows.append({**row, "pictures a second": count / row["seconds"]})
        print(pd.DataFrame(rows[-1:]).round(2).to_string(index=False), flush=True)
    if options.csv:
        pd.DataFrame(rows).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
