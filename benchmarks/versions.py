"""Is this version faster than another, and no less accurate? By parts, in one run.

Checks the other revision out beside this one, and lets both choose and train on the same folders
of pictures, split as in `benchmarks/strategies.py`, each in a process of its own. Prints where the
time goes in each, and the accuracy on the test part. Decoding, the test part and the report are in
the time; the start of Python and the imports are not.

    python benchmarks/versions.py e023ed1 clothing10=20 sign_digits=30 --csv versions.csv
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from strategies import cells_of, link_cell  # isort: skip

HERE = Path(__file__).resolve().parents[1]
# Run by each of the versions, with its own list of parts.
TRAINING = """
import json, sys, time
from pathlib import Path
import recipes
from profile_run import PARTS, Clock
clock = Clock()
for part, (owner, name) in PARTS.items():
    setattr(owner, name, clock.wrap(part, getattr(owner, name)))
folder, output, seed = sys.argv[1:]
began = time.perf_counter()
run = recipes.fit_folder(
    folder, output=output, strategy="auto", image_size=224, seed=int(seed), verbose=False
)
whole = time.perf_counter() - began
clock.seconds["everything else"] = whole - sum(clock.seconds.values())
found = {"seconds": whole, "accuracy": run.metrics["accuracy"], "chosen": run.decision.strategy}
Path(output, "found.json").write_text(json.dumps(found | {"parts": dict(clock.seconds)}))
"""


def trained(version: Path, cell: Path, output: Path, seed: int) -> dict:
    """One training by a version, in a process of its own."""
    paths = os.pathsep.join([str(version), str(version / "benchmarks")])
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", TRAINING, str(cell), str(output), str(seed)]
    subprocess.run(command, env=environment, cwd=output.parent, check=True)
    return json.loads((output / "found.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", help="the other version")
    parser.add_argument("cells", nargs="+", help="folder=pictures a class, several by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows, parts = [], {}
    with tempfile.TemporaryDirectory() as place:
        other = Path(place) / "other"
        command = ["git", "worktree", "add", "--quiet", "--detach", str(other), options.revision]
        subprocess.run(command, cwd=HERE, check=True)
        try:
            for folder, per_class, seed in cells_of(options.cells, [options.seed]):
                key = f"{folder.name} {per_class}"
                link_cell(folder, Path(place) / key, per_class, seed)
                for version, tree in (("before", other), ("now", HERE)):
                    output = Path(place) / f"{key} {version}"
                    found = trained(tree, Path(place) / key, output, seed)
                    parts[key, version] = pd.Series(found.pop("parts"))
                    rows.append({"cell": key, "version": version, **found})
                    print(rows[-1], flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(other)], cwd=HERE)
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    whole = table.pivot(index="cell", columns="version", values="seconds")
    print("time now / before:", (whole["now"] / whole["before"]).round(2).to_dict())
    by_part = pd.DataFrame(parts).fillna(0)
    order = by_part.sum(axis=1).sort_values(ascending=False).index
    print(by_part.loc[order].round(1).to_string())
    if options.csv:
        table.join(pd.DataFrame([parts[row["cell"], row["version"]] for row in rows])).to_csv(
            options.csv, index=False
        )


if __name__ == "__main__":
    main()
