"""Try the grid: `make grid` tries every structure, which an exported file depends on.

That is each recipe with each kind of activation, norm and place, in a random order, with
initializer, dropout, precision and the activation of its kind drawn by chance. Every cell is saved
and read, and exported where it is float32. What fails is printed; the seed gives the same cells
again. With `--csv` there is a row for each cell, and the same command goes on where it stopped.
`--everything` tries the product of all values, which takes days.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

from tests.recipes.classifiers import grid

FORMATS = ("onnx", "litert")
TOGETHER = 6  # structures in one exported file
PART = 60  # cells that one process tries: TensorFlow keeps some 40 MB of each


def reason_of(function, *arguments):
    """What a function gives, and why it failed or nothing."""
    try:
        return function(*arguments), ""
    except Exception as error:  # the other cells are tried all the same
        line = (str(error).strip().splitlines() or [""])[0]
        return None, f"{type(error).__name__}: {line[:200]}"


def export_all(models, folder):
    """Export models by name together, and alone those whose file went wrong.

    Returns:
        By name, why one failed.
    """
    failed = {}
    for form in FORMATS:
        _, together = reason_of(grid.export, [*models.values()], form, folder)
        for name, model in models.items() if together else ():
            _, alone = reason_of(grid.export, [model], form, folder)
            if alone:
                failed[name] = f"{form}: {alone}"
    return failed


def name_of(cell, precision):
    """A cell's values and its precision in a row."""
    return "-".join([*map(str, cell.values()), precision])


def try_part(cells):
    """Try cells of one recipe, and export those of float32, each structure once.

    Returns:
        One row a cell: its name, whether it was exported, and why it failed or nothing.
    """
    failed, exported = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for cell, precision in cells:
            name = name_of(cell, precision)
            model, failed[name] = reason_of(grid.check, cell, folder, precision)
            if model is not None and precision == "float32":
                exported.setdefault(grid.structure_of(cell), (name, model))
        models = list(exported.values())
        for start in range(0, len(models), TOGETHER):
            failed |= export_all(dict(models[start : start + TOGETHER]), folder)
    names = {name for name, _ in models}
    return [{"cell": n, "exported": n in names, "failed": reason} for n, reason in failed.items()]


def parts_of(cells) -> Iterator[list]:
    """Cells of one recipe each, in the order of the recipes' first cells."""
    by_recipe = {}
    for cell, precision in cells:
        part = by_recipe.setdefault(cell["recipe"], [])
        part.append((cell, precision))
        if len(part) == PART:
            yield by_recipe.pop(cell["recipe"])
    yield from by_recipe.values()


def run(cells, minutes, processes, file=None):
    """Try cells until the time is up, each part in a process of its own.

    Returns:
        One row a cell, those included that the file had from before.
    """
    until = time.monotonic() + 60 * minutes
    rows = pd.read_csv(file, keep_default_na=False).to_dict("records") if file else []
    done = {row["cell"] for row in rows}
    parts = parts_of([one for one in cells if name_of(*one) not in done])
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawned, max_tasks_per_child=1) as pool:
        running = {pool.submit(try_part, part) for part in itertools.islice(parts, processes)}
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            rows += finished.result()
            for row in finished.result():
                if row["failed"]:
                    print("FAILED", row["cell"], row["failed"], flush=True)
            print(f"{len(rows):,} cells", flush=True)
            if file:
                pd.DataFrame(rows).to_csv(file, index=False)
            if time.monotonic() < until:
                running |= {pool.submit(try_part, part) for part in itertools.islice(parts, 1)}
    return rows


def main():
    """Say how many cells there are, how many were tried, in what time, and what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="when to stop")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the cells")
    parser.add_argument("--everything", action="store_true", help="every cell, not every structure")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--csv", type=Path, help="a row a cell; goes on where it stopped")
    options = parser.parse_args()
    cells = grid.whole(options.seed) if options.everything else grid.structures(options.seed)
    print(f"{len(cells):,} cells, seed {options.seed}", flush=True)
    began = time.monotonic()
    if options.csv and not options.csv.exists():
        pd.DataFrame(columns=["cell", "exported", "failed"]).to_csv(options.csv, index=False)
    rows = run(cells, options.minutes, options.processes, options.csv)
    minutes = (time.monotonic() - began) / 60
    exported = sum(row["exported"] in (True, "True") for row in rows)
    failed = sum(bool(row["failed"]) for row in rows)
    print(f"{len(rows):,} cells, {exported:,} structures exported, {minutes:.1f} minutes")
    print(f"{failed} failed")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
