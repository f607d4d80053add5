"""Which strategy is best where, does `auto` choose it, and what is to be expected of each?

Trains each strategy and `auto` on folders of pictures, with few pictures a class for training, a
fifth as many for validation, and up to 1,000 of all others for testing, at the backbone's own
size. Writes one row a training to a CSV file, and goes on where it stopped. Then it prints, cell by
cell, accuracies, their distance from the classifier alone and from the best of the strategies with
the standard error of the difference (picture by picture), the worst cells, the table of
`recipes.choosing.expected`, and how the choice does on sets that its table was not made from.

    python benchmarks/strategies.py cats_dogs=10,20,50 clothing10=10,30 --seeds 0 1 --csv out.csv

A CSV file `<folder>.csv` beside a folder, with the columns file and group, keeps groups together.
`auto` is measured only where it chooses a strategy that was trained: that training is the same.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

import recipes
from recipes.augmentation import Augmentation
from recipes.choosing import choose
from recipes.choosing.expected import SHARES, best, expectations, kind_of
from recipes.images.parts import ArrayCache, Collection
from recipes.run import Decision
from recipes.settings import ChoosingSettings, Settings
from recipes.strategies import FineTuneStrategy
from recipes.transfer.features import TrainingData
from recipes.transfer.refine import SOLVED_FROM

TEST_SHARE, VALIDATION_SHARE = 0.5, 0.2
MOST_TESTED = 1_000
SCRATCH_FROM = 290  # the most that a set at hand has, beside its test part
UNLIKE_FROM = ChoosingSettings.dissimilar_from
KEYS = ["set", "per_class", "seed"]


def cells_of(cells: list[str], seeds: list[int]) -> Iterator[tuple[Path, int, int]]:
    """Folder, pictures a class and seed of each cell, as the command line names them."""
    for seed in seeds:
        for folder, _, counts in (cell.partition("=") for cell in cells):
            for count in counts.split(","):
                yield Path(folder), int(count), seed


def usable(folder: Path) -> pd.DataFrame:
    """The pictures of a folder, each once: path, class, and the group that stays together."""
    frame = recipes.scan(folder, verbose=False)
    frame = frame[frame["status"] == "ok"].drop_duplicates("hash")
    table = folder.with_suffix(".csv")
    groups = {}
    if table.exists():
        listed = pd.read_csv(table)
        groups = listed.dropna(subset="group").set_index("file")["group"].astype(str).to_dict()
    return frame.assign(group=frame["path"].map(lambda path: groups.get(path, path)))


def drawn(frame: pd.DataFrame, per_class: int, seed: int) -> dict[str, list[int]] | None:
    """Rows: so many a class for training, some for validation, up to 1,000 others for testing."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(frame["group"].unique())
    tested = frame["group"].isin(names[: int(len(names) * TEST_SHARE)])
    held_out = max(2, round(per_class * VALIDATION_SHARE))
    rows = {"test": list(rng.permutation(frame.index[tested])[:MOST_TESTED])}
    rows |= {"train": [], "validation": []}
    for _, own in frame[~tested].groupby("class"):
        order = list(rng.permutation(own.index))
        if len(order) < per_class + held_out:
            return None
        rows["train"] += order[:per_class]
        rows["validation"] += order[per_class : per_class + held_out]
    return rows


def link_cell(folder: Path, place: Path, per_class: int, seed: int) -> Path | None:
    """Links to the pictures of a cell, by part and class."""
    frame = usable(folder)
    rows = drawn(frame, per_class, seed)
    for part, chosen in (rows or {}).items():
        for row in chosen:
            path = Path(frame.loc[row, "path"])
            link = place / part / frame.loc[row, "class"] / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((folder / path).resolve())
    return place if rows else None


def train(
    cell: Path,
    strategy: str | FineTuneStrategy,
    image_size: int | None,
    seed: int,
    refit: bool | None = None,
    augmentation: str | Augmentation = "light",
) -> dict:
    """One training by `fit_folder`."""
    with tempfile.TemporaryDirectory() as place:
        run = recipes.fit_folder(
            cell,
            output=Path(place) / "run",
            strategy=strategy,
            image_size=image_size,
            seed=seed,
            refit=refit,
            augmentation=augmentation,
            near_copies=False,
            verbose=False,
        )
        right = (run.predictions["prediction"] == run.predictions["truth"]).to_numpy()
        blends = [audit["blend"] for audit in run.info["audit"] if "blend" in audit]
        return {
            "chosen": run.decision.strategy,
            "accuracy": run.metrics["accuracy"],
            "log_loss": run.metrics["log_loss"],
            "calibration_error": run.metrics["calibration_error"],
            "blend": blends[-1] if blends else np.nan,
            "epochs": len(run.history),
            "seconds": run.info["seconds"],
            "expected_seconds": run.info["time"]["expected"],
            "tested": len(right),
            "right": np.packbits(right).tobytes().hex(),
        }


def measure(cell: Path, image_size: int | None, seed: int) -> tuple[Decision, float]:
    """What `auto` decides, and the seconds that it takes."""
    settings = Settings.of(image_size=image_size, seed=seed, near_copies=False)
    pictures = Collection.open(cell, settings.data, seed=seed, verbose=False)
    transfer = choose.start(settings, pictures.task)
    with tempfile.TemporaryDirectory() as place:
        cache = ArrayCache(Path(place))
        parts, _ = pictures.decoded(transfer.backbone.image_size, cache, verbose=False)
    began = time.perf_counter()
    data = TrainingData(parts, pictures.task, cache, seed=seed, verbose=False)
    decision = choose.measure(settings, transfer, data)
    return decision, time.perf_counter() - began


def by_auto(cell: Path, image_size: int | None, seed: int, rows: list[dict]) -> dict:
    """The row of `auto`, with the chosen strategy's training where there is one."""
    decision, seconds = measure(cell, image_size, seed)
    trained = {row["strategy"]: row for row in rows}.get(decision.strategy)
    trained = trained or train(cell, decision.strategy, image_size, seed)
    found = {
        f"measured {name}": value
        for name, value in decision.measurements.items()
        if isinstance(value, int | float)
    }
    return {**trained, "seconds": trained["seconds"] + seconds, **found}


def difference(one: pd.Series, other: pd.Series) -> tuple[float, float]:
    """By how much one training's accuracy is above another's, and the standard error of that."""
    pairs = [
        np.unpackbits(np.frombuffer(bytes.fromhex(row["right"]), "uint8")) for row in (one, other)
    ]
    count = int(one["tested"])
    gaps = pairs[0][:count].astype(float) - pairs[1][:count]
    return gaps.mean(), gaps.std() / count**0.5


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: accuracies, the choice, how far it is from the best and the classifier."""
    cells = []
    for key, cell in rows.groupby(KEYS):
        named = {row["strategy"]: row for _, row in cell.iterrows()}
        tried = {name: named[name] for name in SHARES if name in named}
        row = dict(zip(KEYS, key, strict=True))
        row |= {name: one["accuracy"] for name, one in tried.items()}
        if "auto" in named and len(tried) == len(SHARES):
            own = named["auto"]
            top = max(tried.values(), key=lambda one: one["accuracy"])
            over, error = difference(own, tried["small_similar"])
            behind, behind_error = difference(own, top)
            row |= {"auto": own["chosen"], "over the classifier": over, "± ": error}
            row |= {"behind the best": -behind, "±": behind_error, "seconds": own["seconds"]}
        cells.append(row)
    return pd.DataFrame(cells)


def shares(rows: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """`expected.SHARES`: the classifier's errors that each strategy took away, by kind of set."""
    accuracy = rows.pivot_table(index=KEYS, columns="strategy", values="accuracy")
    divergence = rows[rows["strategy"] == "auto"].groupby("set")["measured divergence"].mean()
    kinds = {name: kind_of(value, UNLIKE_FROM) for name, value in divergence.items()}
    kind = accuracy.index.get_level_values("set").map(kinds)
    errors = 1 - accuracy["small_similar"]
    gains = accuracy.sub(accuracy["small_similar"], axis=0)
    return {
        name: tuple(
            float(round(gains.loc[kind == k, name].sum() / max(errors[kind == k].sum(), 1e-9), 2))
            for k in range(3)
        )
        for name in SHARES
    }


def leave_one_set_out(rows: pd.DataFrame) -> pd.DataFrame:
    """How far behind the best the choice is on a set that its table was not made from."""
    found = []
    auto = rows[rows["strategy"] == "auto"]
    for left_out in rows["set"].unique():
        table = shares(rows[rows["set"] != left_out])
        for _, cell in auto[auto["set"] == left_out].iterrows():
            here = rows[(rows[KEYS] == cell[KEYS]).all(axis=1)].set_index("strategy")["accuracy"]
            kind = kind_of(cell["measured divergence"], UNLIKE_FROM)
            error = 1 - cell["measured linear_accuracy"]
            solved = error <= 1 - SOLVED_FROM
            chosen = best(expectations(error, kind, table=table), solved=solved).strategy
            behind = here[list(SHARES)].max() - here[chosen]
            found.append({**cell[KEYS], "chosen": chosen, "behind the best": behind})
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="+", help="folder=pictures a class, several by commas")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--strategies", nargs="+", default=[*SHARES, "large_dissimilar", "auto"])
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--csv", type=Path, default=Path("strategies.csv"))
    options = parser.parse_args()
    rows = pd.read_csv(options.csv).to_dict("records") if options.csv.exists() else []
    done = {(*(row[key] for key in KEYS), row["strategy"]) for row in rows}
    for folder, per_class, seed in cells_of(options.cells, options.seeds):
        key = (folder.name, per_class, seed)
        missing = [name for name in options.strategies if (*key, name) not in done]
        if per_class < SCRATCH_FROM and "large_dissimilar" in missing:
            missing.remove("large_dissimilar")
        with tempfile.TemporaryDirectory() as place:
            cell = missing and link_cell(folder, Path(place), per_class, seed)
            for name in missing if cell else []:
                here = [row for row in rows if tuple(row[key] for key in KEYS) == key]
                row = (
                    by_auto(cell, options.image_size, seed, here)
                    if name == "auto"
                    else (train(cell, name, options.image_size, seed))
                )
                rows.append(row | dict(zip((*KEYS, "strategy"), (*key, name), strict=True)))
                pd.DataFrame(rows).to_csv(options.csv, index=False)
                print(*key, name, row["chosen"], f"{row['accuracy']:.3f}", flush=True)
    report(pd.DataFrame(rows))


def report(rows: pd.DataFrame) -> None:
    """Print what the rows say."""
    table = summarize(rows)
    print(table.round(3).to_string(index=False))
    if "behind the best" not in table:
        return
    whole = table.dropna(subset="behind the best")
    near = (whole["behind the best"] <= 0.01).sum()
    print(f"auto is within a point of the best in {near} of {len(whole)} cells; the worst:")
    print(whole.nlargest(3, "behind the best").round(3).to_string(index=False))
    print("furthest behind the classifier alone:")
    print(whole.nsmallest(3, "over the classifier").round(3).to_string(index=False))
    print("SHARES =", shares(rows))
    print("the choice, with a table from the other sets:")
    print(leave_one_set_out(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
