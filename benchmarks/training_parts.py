"""Does each part of fine-tuning earn its place?

Trains everything from the pretrained weights (`large_similar`) on folders of pictures, as the
library does it and with one part left out or changed at a time. Writes one row a training to a CSV
file, goes on where it stopped, and prints the accuracy and the log loss of each variant.

    python benchmarks/training_parts.py photos/ drawings/ --per-class 8 30 --csv parts.csv
"""

import argparse
import os
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd

from recipes.transfer.strategies import STRATEGIES

from strategies import link_cell, train  # isort: skip

VARIANTS = {
    "as it is": {},
    "without warm-up": {"warmup": 0.0},
    "stages at 0.7": {"stage_factor": 0.7},
    "stages at one rate": {"stage_factor": 1.0},
    "without smoothing": {"label_smoothing": 0.0},
    "without interpolation": {"interpolate": False},
    "a third of the rate": {"learning_rate": 3e-4},
    "few steps": {"min_steps": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--per-class", nargs="+", type=int, default=[8, 30])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS])
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--csv", type=Path, default=Path("training_parts.csv"))
    options = parser.parse_args()
    rows = pd.read_csv(options.csv).to_dict("records") if options.csv.exists() else []
    columns = ["set", "per_class", "seed", "variant"]
    done = {tuple(row[name] for name in columns) for row in rows}
    cells = [
        (folder, per_class, seed)
        for seed in options.seeds
        for per_class in options.per_class
        for folder in options.folders
    ]
    for folder, per_class, seed in cells:
        with tempfile.TemporaryDirectory() as place:
            cell = link_cell(folder, Path(place), per_class, seed)
            for name in options.variants if cell else []:
                key = (folder.name, per_class, seed, name)
                if key in done:
                    continue
                head, phase = STRATEGIES["large_similar"].phases
                phases = (head, replace(phase, **VARIANTS[name]))
                plan = replace(STRATEGIES["large_similar"], phases=phases)
                row = train(cell, plan, options.image_size, seed)
                rows.append(dict(zip(columns, key, strict=True)) | row)
                pd.DataFrame(rows).to_csv(options.csv, index=False)
                print(*key, f"{row['accuracy']:.3f} {row['log_loss']:.3f}", flush=True)
    table = pd.DataFrame(rows)
    for measure in ("accuracy", "log_loss"):
        wide = table.pivot_table(index="variant", columns=columns[:3], values=measure, sort=False)
        print(measure)
        print(wide.assign(mean=wide.mean(axis=1)).round(3).to_string())


if __name__ == "__main__":
    main()
