"""How far may few validation pictures make a fine-tuned model surer than it is?

Trains as `fit_folder` does by default, without the refit, and finds the temperature on the
validation part under priors of several deviations below 1. Prints the log loss of the test part
with each, with none, and with the best for the test part.

    python benchmarks/temperature.py trashnet6=10 sign_digits=10 --seeds 0
"""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

import recipes
from recipes.tasks.calibration import best_temperature
from recipes.transfer import learn

from strategies import KEYS, cells_of, link_cell  # isort: skip

DEVIATIONS = (0.1, 0.2, 0.3, 0.5, 1.0)


def judged(cut) -> dict[str, float]:
    """Log losses of the test part, by the prior of the temperature."""
    task = cut.data.task

    def loss_at(name: str):
        outputs = cut.outputs(name, cut.transfer.model.output, name)
        truth = cut.data[name].labels
        return lambda log: task.loss_at(truth, outputs, np.exp([log])), len(truth)

    (known, count), (tested, size) = loss_at("validation"), loss_at("test")
    found = {f"deviation {one}": best_temperature(known, count, one) for one in DEVIATIONS}
    found |= {"none": 1.0, "best": best_temperature(tested, size, 100.0)}
    return {"validation": count} | {name: tested(np.log(t)) for name, t in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="+", help="folder=pictures a class, several by commas")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    rows, calibrate = [], learn.calibrate

    def noting(key: tuple, cut, solution=None):
        rows.append(dict(zip(KEYS, key, strict=True)) | judged(cut))
        return calibrate(cut, solution)

    for folder, per_class, seed in cells_of(options.cells, options.seeds):
        key = (folder.name, per_class, seed)
        learn.calibrate = partial(noting, key)
        with tempfile.TemporaryDirectory() as place:
            cell = link_cell(folder, Path(place), per_class, seed)
            output = Path(place) / "run"
            recipes.fit_folder(cell, output=output, seed=seed, refit=False, verbose=False)
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
