"""The report of a run: plots as PNG files, and one HTML page that holds them all.

The page is made from the run folder's files and plots. File and class names are escaped.
"""

import base64
import warnings
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment
from matplotlib.figure import Figure
from sklearn import metrics

from recipes.files import read_json, replace, write_text
from recipes.run import read_table

COLOURS = {"loss": "#3b6ea8", "val": "#d1662a", "rate": "#8a8f98"}
NAME_LENGTH = 24
SAMPLES = 18


def plot_history(history: pd.DataFrame) -> Figure:
    """Loss, accuracy and learning rate by epoch, the phases apart.

    Args:
        history: columns phase, epoch, loss, accuracy, val_loss, val_accuracy, learning_rate.
    """
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    x = np.arange(1, len(history) + 1)
    for axis, name in zip(axes, ("loss", "accuracy"), strict=False):
        axis.plot(x, history[name], color=COLOURS["loss"], label="training")
        axis.plot(x, history[f"val_{name}"], color=COLOURS["val"], label="validation")
        axis.set_title(name)
        axis.legend(frameon=False)
    axes[1].set_ylim(top=1.01)
    axes[2].plot(x, history["learning_rate"], color=COLOURS["rate"])
    axes[2].set_yscale("log")
    axes[2].set_title("learning rate")
    starts = np.flatnonzero(history["phase"].ne(history["phase"].shift()))
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.spines[["top", "right"]].set_visible(False)
        for start in starts[1:]:
            axis.axvline(start + 0.5, color="#bbbbbb", linestyle=":")
    return figure


def plot_confusion(predictions: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """How often each class was taken for which, as shares of the true class.

    Args:
        predictions: columns truth and prediction.
        classes: all class names, in order.
    """
    counts = metrics.confusion_matrix(
        predictions["truth"], predictions["prediction"], labels=list(classes)
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(3.5, 0.5 * len(classes) + 1.5), 16)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [_short(name) for name in classes]
    if len(classes) <= 40:
        axis.set_xticks(range(len(classes)), names, rotation=90)
        axis.set_yticks(range(len(classes)), names)
    if len(classes) <= 20:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, counts[row, column], ha="center", va="center", color=colour)
    axis.set_xlabel("prediction")
    axis.set_ylabel("truth")
    figure.colorbar(image, ax=axis, shrink=0.7, label="share of the true class")
    return figure


def plot_classes(dataset: pd.DataFrame) -> Figure:
    """The number of pictures in each class, by part.

    Args:
        dataset: columns class, part and status.
    """
    used = dataset[dataset["status"] == "ok"]
    counts = pd.crosstab(used["class"], used["part"])
    counts = counts.reindex(columns=["train", "validation", "test"], fill_value=0)
    figure = Figure(figsize=(7, min(max(2, 0.3 * len(counts) + 1), 30)), layout="constrained")
    axis = figure.subplots()
    left = np.zeros(len(counts))
    names = [_short(name) for name in counts.index]
    for part, colour in zip(counts, ("#3b6ea8", "#d1662a", "#7aa874"), strict=True):
        axis.barh(np.arange(len(counts)), counts[part], left=left, label=part, color=colour)
        left += counts[part].to_numpy()
    axis.set_yticks(np.arange(len(counts)), names)
    axis.invert_yaxis()
    axis.set_xlabel("pictures")
    axis.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def plot_pictures(
    pixels: np.ndarray,
    titles: Sequence[str],
    maps: np.ndarray | None = None,
    columns: int = 6,
) -> Figure:
    """Pictures in a grid, each with a title.

    Args:
        pixels: (n, H, W, 3), uint8.
        titles: n texts.
        maps: (n, h, w), 0 to 1, laid over the pictures.
        columns: pictures in a row.
    """
    rows = max(-(-len(titles) // columns), 1)
    figure = Figure(figsize=(2 * columns, 2.4 * rows), layout="constrained")
    axes = np.ravel(figure.subplots(rows, columns))
    for axis in axes:
        axis.axis("off")
    for number, (axis, picture, title) in enumerate(zip(axes, pixels, titles, strict=False)):
        axis.imshow(picture)
        if maps is not None:
            height, width = picture.shape[:2]
            place = (-0.5, width - 0.5, height - 0.5, -0.5)
            shown = {"cmap": "inferno", "alpha": 0.45, "interpolation": "bilinear"}
            axis.imshow(maps[number], extent=place, vmin=0, vmax=1, **shown)
        axis.set_title(title, fontsize=8, parse_math=False)
    return figure


def class_table(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, F1 and the number of test pictures of each class.

    Example:
        >>> predictions = pd.DataFrame({"truth": ["a", "b"], "prediction": ["a", "a"]})
        >>> class_table(predictions, ["a", "b"])["recall"].tolist()
        [1.0, 0.0]
    """
    columns = metrics.precision_recall_fscore_support(
        predictions["truth"], predictions["prediction"], labels=list(classes), zero_division=0
    )
    names = ("precision", "recall", "f1", "pictures")
    return pd.DataFrame({"class": classes, **dict(zip(names, columns, strict=True))})


def mistakes(predictions: pd.DataFrame, most: int = 12) -> pd.DataFrame:
    """The wrong predictions of which the model was surest, the surest first."""
    wrong = predictions[predictions["truth"] != predictions["prediction"]]
    return wrong.sort_values("probability", ascending=False, kind="stable").head(most)


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
        test_pixels: the test part, in the order of `predictions.csv`.
        explain: pictures and a class each to maps of where the evidence lies, for the mistakes.

    Returns:
        The page's path.
    """
    folder = Path(folder)
    info = read_json(folder / "run.json")
    history = pd.read_csv(folder / "history.csv")
    dataset = read_table(folder / "dataset.csv")
    predictions = read_table(folder / "predictions.csv")
    shown = np.linspace(0, len(labels) - 1, min(SAMPLES, len(labels))).astype(int)
    worst = mistakes(predictions)
    titles = [
        f"{_short(row.truth)}\ntaken for {_short(row.prediction)}, {row.probability:.0%}"
        for row in worst.itertuples()
    ]
    figures = {
        "history": plot_history(history),
        "confusion": plot_confusion(predictions, info["classes"]),
        "classes": plot_classes(dataset),
        "samples": plot_pictures(pixels[shown], [_short(name) for name in labels[shown]]),
    }
    if len(worst):
        taken_for = worst["prediction"].map(info["classes"].index).to_numpy()
        wrong = test_pixels[worst.index]
        maps = explain(wrong, taken_for) if explain else None
        figures["mistakes"] = plot_pictures(wrong, titles)
        if maps is not None:
            figures["evidence"] = plot_pictures(wrong, titles, maps)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # boxes where the font has no letters
        for name, figure in figures.items():
            replace(
                folder / f"{name}.png", lambda path, figure=figure: figure.savefig(path, dpi=110)
            )
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("recipes").joinpath("report.html").read_text("utf-8"))
    skipped = dataset[dataset["status"] != "ok"]
    page = template.render(
        info=info,
        plots={name: _data_uri(folder / f"{name}.png") for name in figures},
        classes=class_table(predictions, info["classes"]).to_dict("records"),
        mistakes=worst.to_dict("records"),
        counts=dataset.loc[dataset["status"] == "ok", "part"].value_counts().to_dict(),
        skipped=skipped[["path", "reason"]].head(200).to_dict("records"),
        num_skipped=len(skipped),
    )
    return write_text(folder / "report.html", page)


def _short(name: str) -> str:
    """A class name that fits a plot: control characters out, the middle of a long one dropped."""
    name = "".join(c if c.isprintable() else "?" for c in str(name))
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half]}…{name[-half:]}"


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
