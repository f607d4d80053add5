"""Which of the four strategies is best where, and does `auto` choose it?

Every strategy, `auto` and `race`, on folders of pictures, several sizes and seeds, all with the
same backbone, picture size and test part. Writes one row a training to a CSV file, goes on where
it stopped, and prints for each cell the accuracy of each strategy, what `auto` chose, how far that
is from the best of the four, and what it cost against running all four. Where not all of the four
have been run, it is compared with those that have, and has no cost.

Where `auto` decides by its measurements alone, only these are made and timed: the training that
follows is the chosen strategy's, bit for bit, whose row is taken.

    python benchmarks/strategies.py photos/ drawings/ --per-class 8 30 --seeds 0 1 --csv out.csv

A CSV file `<folder>.csv` beside a folder, with the columns file and group, keeps groups together.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

import recipes
from recipes.choosing import choose
from recipes.choosing.similarity import SOLVED_FROM
from recipes.images.parts import ArrayCache, Collection
from recipes.run import Decision
from recipes.settings import Settings
from recipes.strategies import STRATEGIES
from recipes.transfer.features import TrainingData

TEST_SHARE, VALIDATION_SHARE = 0.3, 0.2
MOST_TESTED = 300


def link_cell(folder: Path, place: Path, per_class: int, seed: int) -> Path | None:
    """Links to so many pictures a class for training, some for validation, the rest for testing."""
    frame = recipes.scan(folder, verbose=False)
    frame = frame[frame["status"] == "ok"].drop_duplicates("hash")
    table = folder.with_suffix(".csv")
    groups = {}
    if table.exists():
        listed = pd.read_csv(table)
        groups = listed.dropna(subset="group").set_index("file")["group"].astype(str).to_dict()
    group = frame["path"].map(lambda path: groups.get(path, path))
    rng = np.random.default_rng(seed)
    names = rng.permutation(group.unique())
    tested = group.isin(names[: int(len(names) * TEST_SHARE)])
    held_out = max(2, round(per_class * VALIDATION_SHARE))
    rows = {"test": list(rng.permutation(frame.index[tested])[:MOST_TESTED])}
    rows |= {"train": [], "validation": []}
    for _, own in frame[~tested].groupby("class"):
        order = list(rng.permutation(own.index))
        if len(order) < per_class + held_out:
            return None
        rows["train"] += order[:per_class]
        rows["validation"] += order[per_class : per_class + held_out]
    for part, chosen in rows.items():
        for row in chosen:
            path = Path(frame.loc[row, "path"])
            link = place / part / frame.loc[row, "class"] / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((folder / path).resolve())
    return place


def train(cell: Path, strategy: str, image_size: int, seed: int) -> dict:
    """One training by `fit_folder`."""
    with tempfile.TemporaryDirectory() as place:
        run = recipes.fit_folder(
            cell,
            output=Path(place) / "run",
            strategy=strategy,
            image_size=image_size,
            seed=seed,
            verbose=False,
        )
        measured = {
            f"measured {name}": value
            for name, value in run.decision.measurements.items()
            if isinstance(value, int | float)
        }
        return {
            "chosen": run.decision.strategy,
            "accuracy": run.metrics["accuracy"],
            "log_loss": run.metrics["log_loss"],
            "calibration_error": run.metrics["calibration_error"],
            "epochs": len(run.history),
            "seconds": run.info["seconds"],
            **measured,
        }


def measure(cell: Path, image_size: int, seed: int) -> tuple[Decision, float]:
    """What `auto` decides by its measurements, and the seconds that it takes."""
    settings = Settings.of(image_size=image_size, seed=seed)
    pictures = Collection.open(cell, settings.data, seed=seed, verbose=False)
    with tempfile.TemporaryDirectory() as place:
        cache = ArrayCache(Path(place))
        parts, _ = pictures.decoded((image_size, image_size), cache, verbose=False)
    began = time.perf_counter()
    data = TrainingData(parts, pictures.task, cache, seed=seed, verbose=False)
    decision = choose.measure(settings, choose.start(settings, pictures.task), data)
    return decision, time.perf_counter() - began


def by_auto(cell: Path, image_size: int, seed: int, rows: list[dict]) -> dict:
    """The row of `auto`, with the chosen strategy's training where no bake-off is needed."""
    decision, seconds = measure(cell, image_size, seed)
    trained = {row["strategy"]: row for row in rows}.get(decision.strategy)
    if decision.runner_up or trained is None:
        return train(cell, "auto", image_size, seed)
    found = {f"measured {name}": value for name, value in decision.measurements.items()
             if isinstance(value, int | float)}  # fmt: skip
    return {**trained, "seconds": trained["seconds"] + seconds, **found}


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: accuracies, the choice, its distance from the best, its share of the cost."""
    cells = []
    for key, cell in rows.groupby(["set", "per_class", "seed"]):
        by_name = cell.set_index("strategy")
        four = by_name.reindex(STRATEGIES)
        row = dict(zip(("set", "per_class", "seed"), key, strict=True)) | four["accuracy"].to_dict()
        for name in ("auto", "race"):
            if name in by_name.index:
                own = by_name.loc[name]
                row |= {
                    name: own["chosen"],
                    f"{name} behind": four["accuracy"].max() - own["accuracy"],
                    f"{name} cost": own["seconds"] / four["seconds"].sum(min_count=len(four)),
                }
        cells.append(row)
    return pd.DataFrame(cells)


def choice_by(measured: pd.Series, solved_from: float, everything_from: float) -> str:
    """A rule with two thresholds for few pictures; with 0 as the second it is the library's."""
    if measured["linear_accuracy"] >= solved_from:
        return "small_similar"
    return "large_similar" if measured["divergence"] >= everything_from else "small_dissimilar"


def leave_one_set_out(rows: pd.DataFrame) -> pd.DataFrame:
    """How far behind the best the rule is on a set that its thresholds were not chosen on.

    For each set the two thresholds with the smallest mean distance from the best of the four on
    all other sets are taken, the nearest to the library's own among equals.
    """
    keys = ["set", "per_class", "seed"]
    accuracies = rows.pivot_table(index=keys, columns="strategy", values="accuracy")
    accuracies = accuracies.reindex(columns=list(STRATEGIES))
    accuracies = accuracies.dropna(subset=["small_similar", "small_dissimilar", "large_similar"])
    auto = rows[rows["strategy"] == "auto"].set_index(keys)
    names = {f"measured {name}": name for name in ("linear_accuracy", "divergence")}
    measured = auto[list(names)].rename(columns=names)
    cells = accuracies.index.intersection(measured.index)
    accuracies, measured = accuracies.loc[cells], measured.loc[cells]

    def behind(solved_from: float, everything_from: float) -> pd.Series:
        chosen = measured.apply(choice_by, axis=1, args=(solved_from, everything_from))
        own = [accuracies.loc[cell, name] for cell, name in chosen.items()]
        return accuracies.max(axis=1) - own

    grid = {
        (solved, divergence): behind(solved, divergence)
        for solved in (0.9, 0.95, SOLVED_FROM, 1.01)
        for divergence in (0.0, 0.06, 0.09, 0.13, 0.2, 0.3, 0.45, 9.0)
    }

    def distance(thresholds):
        return (thresholds[0] - SOLVED_FROM) ** 2 + thresholds[1] ** 2

    found = []
    for name in cells.get_level_values("set").unique():
        others = cells.get_level_values("set") != name
        best = min(grid, key=lambda key: (round(grid[key][others].mean(), 6), distance(key)))
        kept = grid[best][~others]
        found.append(
            {
                "left out": name,
                "solved_from": best[0],
                "everything_from": best[1],
                "behind, mean": kept.mean(),
                "behind, most": kept.max(),
                "with the library's": grid[SOLVED_FROM, 0.0][~others].mean(),
            }
        )
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--per-class", nargs="+", type=int, default=[8, 30])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--strategies", nargs="+", default=[*STRATEGIES, "auto", "race"])
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--csv", type=Path, default=Path("strategies.csv"))
    options = parser.parse_args()
    rows = pd.read_csv(options.csv).to_dict("records") if options.csv.exists() else []
    done = {(row["set"], row["per_class"], row["seed"], row["strategy"]) for row in rows}
    for seed in options.seeds:
        for per_class in options.per_class:
            for folder in options.folders:
                key = (folder.name, per_class, seed)
                missing = [name for name in options.strategies if (*key, name) not in done]
                with tempfile.TemporaryDirectory() as place:
                    cell = missing and link_cell(folder, Path(place), per_class, seed)
                    for name in missing if cell else []:
                        here = [r for r in rows if (r["set"], r["per_class"], r["seed"]) == key]
                        if name == "auto":
                            row = by_auto(cell, options.image_size, seed, here)
                        else:
                            row = train(cell, name, options.image_size, seed)
                        columns = ("set", "per_class", "seed", "strategy")
                        rows.append(row | dict(zip(columns, (*key, name), strict=True)))
                        pd.DataFrame(rows).to_csv(options.csv, index=False)
                        print(*key, name, row["chosen"], f"{row['accuracy']:.3f}", flush=True)
    table = summarize(pd.DataFrame(rows))
    print(table.round(3).to_string(index=False))
    for name in ("auto", "race"):
        if f"{name} behind" in table:
            own = table.dropna(subset=f"{name} behind")
            near, cost = (own[f"{name} behind"] <= 0.01).sum(), own[f"{name} cost"].median()
            print(f"{name}: within one point of the best in {near} of {len(own)} cells, "
                  f"at {cost:.2f} of the cost of all four (median)")  # fmt: skip
    if "auto behind" in table and table["set"].nunique() > 1:
        print("the rule with thresholds chosen on the other sets:")
        print(leave_one_set_out(pd.DataFrame(rows)).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
