"""What each command does: it calls the library, and prints what came out.

Keras is imported by the command that needs it, so that help answers at once.
"""

import json
import shlex
from pathlib import Path


def fit(**options) -> None:
    """Train, and print the figures."""
    from recipes import workflow

    _show(workflow.fit(**_columns(options)))


def _columns(options: dict) -> dict:
    """One column's name rather than a list of one."""
    columns = options.get("label_column", [])
    return {**options, "label_column": columns[0]} if len(columns) == 1 else options


def _show(run) -> None:
    """The end of a training: the figures, strategy and why, where the report lies."""
    found, part = run.metrics, run.metrics["part"]
    low, high = found["accuracy_interval"]
    several = run.task.name == "multilabel"
    rows = {
        "all labels right" if several else "accuracy": f"{found['accuracy']:.1%} ({low:.1%} to "
        f"{high:.1%} with 95 % confidence) on {found['pictures']} {part} pictures"
    }
    if part == "validation":
        rows["no test part"] = "these pictures also decided when to stop"
    if "mean_average_precision" in found:
        rows["mean precision"] = f"{found['mean_average_precision']:.3f} (average precision)"
    if "threshold" in found:
        rows["threshold"] = f"{found['threshold']:.3f}, from which it is {run.task.positive}"
    rows |= {"strategy": run.decision.strategy, "why": run.decision.reason}
    rows["report"] = str(run.folder / "report.html")
    for name, text in rows.items():
        print(f"{name:18}{text}")


def predict(csv: str | None = None, json: bool = False, **options) -> None:
    """Print a table of labels and their probabilities."""
    place = _place(csv)
    from recipes import prediction

    table = prediction.predict(**options)
    _write_table(table, place)
    print(_in_json(table) if json else table.to_string(index=False, na_rep=""))


def scan(csv: str | None = None, **options) -> None:
    """Print what is there and what is wrong with it."""
    place = _place(csv)
    from recipes.images import inspection, summary

    frame = inspection.scan(**_columns(options))
    _write_table(frame, place)
    print(summary.describe(frame))


def check(csv: str | None = None, **options) -> None:
    """Print what looks wrong, and how to go on."""
    if csv and Path(csv).exists():
        raise FileExistsError(f"csv: {csv} exists, and its labels may have been corrected by hand.")
    place = _place(csv)
    from recipes.checking import check as checking

    table = checking.check(**_columns(options))
    if place:
        checking.write(table, place)
    print(checking.describe(table))
    if place:
        again = shlex.join(["recipes", "fit", str(place), "--pictures", table.attrs["folder"]])
        print(f"\nCorrect the column label in {place}, and train on it:\n{again} --output …")


def demo(**options) -> None:
    """Train on the demo's pictures, and print the figures."""
    from recipes.demo import fit_demo

    _show(fit_demo(**options))


def rerun(**options) -> None:
    """Train again, and print what differs."""
    from recipes import workflow

    found = workflow.rerun(**options)
    if found.same:
        print(f"{'matches':18}every weight is the same, bit for bit")
    else:
        print(f"{'differs':18}by {found.largest_difference:.3g} at the most in a weight")
    for name, (before, now) in found.conditions.items():
        print(f"{name:18}{before}, now {now}")
    _show(found.run)


def export(**options) -> None:
    """Write the file, and print its path."""
    from recipes.export import export_run

    path = export_run(**options)
    print(path)
    if options.get("format") == "web":
        print(f"open {path / 'index.html'}, or serve it: python -m http.server -d {path}")


def search(data: str, recipe: str | None = None, **options) -> None:
    """Search, and print the best settings."""
    from recipes.tuning import search as tuning

    numbers = "target" in options
    recipe = recipe or ("mlp" if numbers else "transfer")
    result = tuning.search(recipe, _numbers(data) if numbers else data, **options)
    if result is None:  # a worker of several machines
        return
    for name, value in result.best.items():
        print(f"{name:20}{value}")
    for name, value in result.test_metrics.items():
        print(f"{name:20}{value:.4f} on the test part, used once")
    print(f"{'report':20}{result.folder / 'report.html'}")


def _numbers(path: str):
    """A CSV file of numbers, whose name is in the error where it is none."""
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path}: it is not a table in UTF-8: {error}".strip()) from None


def backbones() -> None:
    """Print the table of backbones."""
    from recipes import catalogue

    print(catalogue.table())


def _place(csv: str | None) -> Path | None:
    """Where a table shall be written, looked at before the work."""
    from recipes.files import writable_file

    return None if csv is None else writable_file("csv", csv)


def _write_table(table, place: Path | None) -> None:
    if place is not None:
        table.to_csv(place, index=False, errors="backslashreplace")


def _in_json(table) -> str:
    """A list of objects, a row each; what is missing is null. Letters beyond ASCII are escapes."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return json.dumps(rows, indent=2, allow_nan=False)
