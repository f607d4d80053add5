"""Where does the time of `fit_folder` go?

Trains on a folder by each of the named strategies and prints, for each, the seconds and the share
that its parts take. A part's time does not include that of the parts within it.

    python benchmarks/profile_run.py photos/ --image-size 224
"""

import argparse
import functools
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pandas as pd

import recipes
from recipes import report
from recipes.choosing import choose
from recipes.images import parts
from recipes.strategies import STRATEGIES
from recipes.transfer import features, fine_tune, learn, novelty, results, state
from recipes.work_folder import WorkFolder

PARTS = {
    "scanning the folder": (parts, "inspect"),
    "decoding": (parts.Collection, "decoded"),
    "building models": (choose, "start"),
    "looking at the pictures for the choice": (choose, "survey"),
    "solving the classifier": (features, "solve"),
    "features of frozen layers": (features, "features"),
    "training steps": (keras.Model, "fit"),
    "validation": (state, "predictions"),
    "saving the state": (WorkFolder, "save_state"),
    "blending": (fine_tune, "blend"),
    "calibration": (learn, "calibrate"),
    "novelty": (novelty, "_pooled"),
    "test and files": (results, "write_run"),
    "report": (report, "write"),
}


class Clock:
    """Seconds by part, each without the parts within it."""

    def __init__(self):
        self.seconds = defaultdict(float)
        self.open = []

    def wrap(self, part: str, function):
        """The function, timed as a part."""

        @functools.wraps(function)
        def timed(*arguments, **options):
            began = time.perf_counter()
            self.open.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                taken = time.perf_counter() - began
                self.seconds[part] += taken - self.open.pop()
                if self.open:
                    self.open[-1] += taken

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--strategies", nargs="+", default=[*STRATEGIES])
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    clock, rows = Clock(), []
    for part, (owner, name) in PARTS.items():
        setattr(owner, name, clock.wrap(part, getattr(owner, name)))
    for strategy in options.strategies:
        clock.seconds.clear()
        with tempfile.TemporaryDirectory() as place:
            began = time.perf_counter()
            run = recipes.fit_folder(
                options.folder,
                output=Path(place) / "run",
                strategy=strategy,
                image_size=options.image_size,
                verbose=False,
            )
            whole, epochs = time.perf_counter() - began, len(run.history)
        clock.seconds["everything else"] = whole - sum(clock.seconds.values())
        table = pd.DataFrame({"seconds": clock.seconds}).sort_values("seconds", ascending=False)
        table["share"] = table["seconds"] / whole
        rows.append(table.assign(strategy=strategy, epochs=epochs))
        print(f"{strategy}: {whole:.1f} s, {epochs} epochs")
        print(table[table["share"] >= 0.01].round(2).to_string(), flush=True)
    if options.csv:
        pd.concat(rows).rename_axis("part").to_csv(options.csv)


if __name__ == "__main__":
    main()
