"""The report of a run: plots as PNG files, and one HTML page that holds them all.

The page is made from the run folder's files and plots. File and class names are escaped.
"""

from collections.abc import Callable
from importlib import import_module
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from recipes import page, settings
from recipes.files import read_json, replace, write_text
from recipes.images.inspection import SKIPPED, UNLABELLED
from recipes.lookup import find
from recipes.page import Part, Picture, Table, short
from recipes.report import labels as doubtful
from recipes.report.plots import plot_history, plot_pictures
from recipes.run import read_table

# What depends on the task is in the module of the task's name: `head`, `results`, `balance`.
TASKS = {name: name for name in settings.TASKS}
SCORE = "accuracy"
SAMPLES = 18
MOST_SKIPPED = 200


def write(
    folder: str | Path,
    pixels: np.ndarray,
    labels: np.ndarray,
    test_pixels: np.ndarray,
    explain: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Path:
    """Write the plots and `report.html` into a run's folder.

    Args:
        folder: holds the run's JSON and CSV files.
        pixels: the training part, (n, H, W, 3), uint8; a few of it are shown.
        labels: (n,), their labels as texts.
        test_pixels: the evaluated part, in the order of `predictions.csv`.
        explain: pictures and a class each to maps of where the evidence lies, for the mistakes.

    Returns:
        The page's path.
    """
    folder = Path(folder)
    info = read_json(folder / "run.json")
    kind = import_module(f"{__name__}.{find(info['task']['name'], TASKS, what='task')}")
    dataset = read_table(folder / "dataset.csv")
    predictions = read_table(folder / "predictions.csv")
    shown = np.linspace(0, len(labels) - 1, min(SAMPLES, len(labels))).astype(int)
    samples = plot_pictures(pixels[shown], [short(name) for name in labels[shown]])
    title, strip = kind.head(info)
    balance: tuple[str, Picture] = kind.balance(info, dataset)
    sections = {
        "The decision": _decision(info["decision"]),
        "Learning curves": _curves(folder / "history.csv", info["audit"]),
        **kind.results(info, predictions, test_pixels, explain),
        "Labels to look at": doubtful.section(folder, dataset, pixels),
        "The pictures": _pictures(
            dataset,
            Picture.of(samples, "samples", "Training pictures"),
            *balance,
            info["scan"],
        ),
        "How it was made": [_origin(info)],
    }
    for part in chain.from_iterable(sections.values()):
        if isinstance(part, Picture):
            _write_png(folder, part)
    content = page.render(
        title,
        heading=_name(info["config"]),
        subtitle=_subtitle(info),
        strip=strip,
        sections=sections,
    )
    return write_text(folder / "report.html", content)


def _write_png(folder: Path, picture: Picture) -> None:
    replace(folder / f"{picture.name}.png", lambda path: path.write_bytes(picture.png))


def _name(config: dict) -> str:
    """What the pictures are called: the folder, the table, or that they were in memory."""
    given = config["data"] or "pictures in memory"
    return given.replace("\\", "/").rstrip("/").split("/")[-1]


def _subtitle(info: dict) -> str:
    height, width = info["model"]["image_size"]
    return Markup("{} at {} × {} pixels, strategy <b>{}</b>, seed {}, {:.0f} s").format(
        info["model"]["backbone"],
        height,
        width,
        info["decision"]["strategy"],
        info["config"]["seed"],
        info["seconds"],
    )


def _decision(decision: dict) -> list[Part]:
    """The reason, and what was measured for it."""
    rows = [
        (name.replace("_", " "), page.text(value))
        for name, value in decision["measurements"].items()
        if value is not None
    ]
    return [decision["reason"], *([Table(rows, numbers=1)] if rows else [])]


def _curves(history: Path, audit: list[dict]) -> list[Part]:
    """The training by epoch, and which variables moved in which phase."""
    if not audit:
        return ["Nothing was trained."]
    rows = [
        (one["phase"], one["trainable"], one["moved"], one["frozen"], _kept(one)) for one in audit
    ]
    header = ("phase", "variables trainable", "moved", "frozen, unmoved", "what was kept")
    curves = plot_history(read_table(history, numbers=True), SCORE)
    alt = f"Loss, {SCORE} and learning rate by epoch"
    return [Picture.of(curves, "history", alt), Table(rows, header, numbers=3)]


def _kept(audit: dict) -> str:
    """What of a phase is in the model, in words."""
    if "blend" in audit:
        return f"{audit['blend']:.0%} of the way from its start to its last epoch"
    if "penalty" in audit:
        return f"the solution with the penalty {audit['penalty']:.2g}"
    return f"epoch {audit['epoch']}" if audit.get("epoch") else "its start"


def _pictures(
    dataset: pd.DataFrame, samples: Picture, sentence: str, balance: Picture, scan: dict[str, str]
) -> list[Part]:
    """What there was to learn from, and what was left out."""
    counts = dataset.loc[dataset["status"] == "ok", "part"].value_counts()
    parts = [f"{counts.get(part, 0)} {part}" for part in ("train", "validation", "test")]
    skipped = dataset.loc[dataset["status"] == SKIPPED, ["path", "reason"]]
    unlabelled = int((dataset["status"] == UNLABELLED).sum())
    left_out = f"; {unlabelled} without labels, predicted" if unlabelled else ""
    left_out += f"; {len(skipped)} skipped" if len(skipped) else ""
    rows = skipped.head(MOST_SKIPPED).to_numpy().tolist()
    table = [Table(rows, ("skipped file", "reason"))] if rows else []
    found = Table(list(scan.items()))
    return [f"{', '.join(parts)}{left_out}. {sentence}", found, samples, balance, *table]


def _origin(info: dict) -> Table:
    """Configuration, versions, machine and licence."""
    sections = ("config", "versions", "keras", "machine")
    known = chain.from_iterable(info.get(name, {}).items() for name in sections)
    return Table([*known, ("weights", f"{info['source']}, {info['licence']}")])
