"""What does it bring to learn from the validation part too, and what is the cheapest way to it?

Trains as `fit_folder` does on folders of pictures, split as in `benchmarks/strategies.py`, up to
what the validation part makes of it ("judged"). From there it learns from both parts: on from the
weights that were kept, for a quarter of the steps ("on"; with all of its way kept, or as much of it
as of the first training), or anew from the start ("anew"). Prints accuracy and log loss on the test
part at the temperature of the first training, and the seconds of each step; one row each to a CSV
file, by which it goes on where it stopped.

    python benchmarks/refit.py photos=10,30 drawings=10 --seeds 0 1 --csv refit.csv
"""

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from recipes import strategies
from recipes.augmentation import PRESETS
from recipes.choosing import choose
from recipes.images.parts import ArrayCache, Collection
from recipes.settings import Settings
from recipes.transfer.features import TrainingData
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.refine import LIKE, UNLIKE

from strategies import KEYS, cells_of, link_cell  # isort: skip


class Cell:
    """A folder's parts, and what is to be trained on them."""

    def __init__(self, folder: Path, place: Path, seed: int):
        settings = Settings.of(seed=seed, near_copies=False)
        pictures = Collection.open(folder, settings.data, seed=seed, verbose=False)
        self.settings, self.task = settings, pictures.task
        transfer, cache = choose.start(settings, self.task), ArrayCache(place)
        parts, _ = pictures.decoded(transfer.backbone.image_size, cache, verbose=False)
        light = PRESETS["light"]
        self.data = TrainingData(
            parts, self.task, cache, augmentation=light, seed=seed, verbose=False
        )
        decision = choose.measure(settings, transfer, self.data)
        self.plan = strategies.get(decision.strategy)
        unlike = choose.unlike(settings, decision, transfer, self.data)
        self.fine_tune = partial(
            fine_tune,
            batch_size=settings.training.pictures_a_step,
            usual=UNLIKE if unlike else LIKE,
        )

    def start(self, weights=None):
        """The model to start from, or with the weights of one."""
        transfer = choose.start(self.settings, self.task, self.plan)
        for variable, value in zip(transfer.model.variables, weights or (), strict=bool(weights)):
            variable.assign(value)
        return transfer

    def outputs(self, transfer, part: str) -> np.ndarray:
        """What a model says of a part."""
        return self.data.cut(transfer, 0).outputs(part, transfer.model.output, part)


def values(transfer) -> list[np.ndarray]:
    """A model's variables, seeds included."""
    return [np.array(variable) for variable in transfer.model.variables]


def trainings(cell: Cell):
    """Name, model, seconds and audits of each; the first alone where nothing of it is kept."""
    judged, joined = cell.start(), cell.data.joined()
    began = time.perf_counter()
    _, audits = cell.fine_tune(judged, cell.plan, cell.data)
    yield "judged", judged, time.perf_counter() - began, audits
    share = audits[-1].get("blend", 0)
    if share == 0:
        return
    kept, again = values(judged), cell.plan.continued()
    ways = {"on": share} if share == 1 else {"on": share, "on, all of it kept": 1.0}
    for name, blend in ways.items():
        transfer = cell.start(kept)
        began = time.perf_counter()
        cell.fine_tune(transfer, again, joined, known=[{"blend": blend}])
        yield name, transfer, time.perf_counter() - began, audits
    transfer = cell.start()
    began = time.perf_counter()
    cell.fine_tune(transfer, cell.plan, joined, known=audits)
    yield "anew", transfer, time.perf_counter() - began, audits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="+", help="folder=pictures a class, several by commas")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--csv", type=Path, default=Path("refit.csv"))
    options = parser.parse_args()
    rows = pd.read_csv(options.csv).to_dict("records") if options.csv.exists() else []
    done = {tuple(row[key] for key in KEYS) for row in rows}
    for folder, per_class, seed in cells_of(options.cells, options.seeds):
        key = (folder.name, per_class, seed)
        with tempfile.TemporaryDirectory() as place:
            linked = key not in done and link_cell(folder, Path(place, "cell"), per_class, seed)
            cell = Cell(linked, Path(place, "cache"), seed) if linked else None
            for name, transfer, seconds, audits in trainings(cell) if cell else ():
                if name == "judged":
                    held_out = cell.data["validation"].labels
                    said = cell.outputs(transfer, "validation")
                    temperatures = cell.task.temperatures(held_out, said)
                labels, said = cell.data["test"].labels, cell.outputs(transfer, "test")
                said = cell.task.tempered(said, temperatures)
                row = dict(zip(KEYS, key, strict=True)) | {
                    "strategy": cell.plan.name,
                    "training": name,
                    "accuracy": cell.task.accuracy(labels, said),
                    "log_loss": cell.task.loss(labels, said),
                    "seconds": seconds,
                    "blend": audits[-1].get("blend"),
                    "tested": len(labels),
                }
                rows.append(row)
                print(*key, name, f"{row['accuracy']:.3f} {row['log_loss']:.3f}", flush=True)
                pd.DataFrame(rows).to_csv(options.csv, index=False)
    table = pd.DataFrame(rows)
    for measure in ("accuracy", "log_loss", "seconds"):
        wide = table.pivot_table(index="training", columns=KEYS, values=measure, sort=False)
        print(measure, wide.assign(mean=wide.mean(axis=1)).round(3).to_string(), sep="\n")


if __name__ == "__main__":
    main()
