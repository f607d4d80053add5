"""What a report says of a classifier with one label a picture; the rest is the same for any.

A report of another kind of labels needs a module with the same five: `SCORE`, `head`, `results`,
`names` and `balance`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn import metrics

from recipes.page import Part, Picture, Table, short
from recipes.report.plots import plot_pictures

SCORE = "accuracy"
"""The score of an epoch, as the history names it."""


def head(info: dict) -> tuple[str, list[tuple[str, str]]]:
    """The page's title, and the figures that matter most."""
    found = info["metrics"]
    accuracy = f"{100 * found['accuracy']:.1f} %"
    strip = [
        (accuracy, "accuracy on the test part"),
        (f"{found['macro_f1']:.3f}", "macro F1"),
        (f"{found['log_loss']:.3f}", "log loss"),
        (f"{found['calibration_error']:.3f}", "calibration error"),
        (str(found["pictures"]), "test pictures, used once"),
    ]
    return f"{len(info['classes'])} classes, accuracy {accuracy}", strip


def results(
    info: dict,
    predictions: pd.DataFrame,
    pixels: np.ndarray,
    explain: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> dict[str, list[Part]]:
    """What came out on the test part: by class, and the worst mistakes.

    Args:
        info: the content of `run.json`.
        predictions: columns file, truth, prediction and probability, a row a picture.
        pixels: the test part, in the order of the rows.
        explain: pictures and a class each to maps of where the evidence lies.
    """
    classes = info["classes"]
    scores = class_table(predictions, classes).itertuples(index=False)
    table = Table(
        [(row[0], *(f"{x:.3f}" for x in row[1:4]), f"{row[4]:.0f}") for row in scores],
        ("class", "precision", "recall", "F1", "test pictures"),
        numbers=4,
    )
    confusion = plot_confusion(predictions, classes)
    worst = mistakes(predictions)
    return {
        "By class": [table, Picture.of(confusion, "confusion", "Confusion matrix")],
        "The most confident mistakes": (
            _mistakes(worst, pixels[worst.index], classes, explain) if len(worst) else ["None."]
        ),
    }


def names(labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    """What stands above pictures of these labels, class numbers."""
    return [short(classes[label]) for label in labels]


def balance(info: dict, dataset: pd.DataFrame) -> tuple[str, Picture]:
    """How unlike in number the classes are, in a sentence and a plot."""
    weights = info["class_weights"]
    sentence = (
        f"The largest class has {weights['imbalance']:.1f} times the training pictures of the "
        f"smallest; class weights were {'' if weights['used'] else 'not '}used."
    )
    plot = plot_classes(dataset)
    return sentence, Picture.of(plot, "classes", "Pictures in each class, by part")


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


def _mistakes(worst: pd.DataFrame, pixels: np.ndarray, classes, explain) -> list[Part]:
    """The mistakes as pictures, with the evidence laid over them, and as a table."""
    titles = [
        f"{short(row.truth)}\ntaken for {short(row.prediction)}, {row.probability:.0%}"
        for row in worst.itertuples()
    ]
    plot = plot_pictures(pixels, titles)
    parts: list[Part] = [Picture.of(plot, "mistakes", "Wrongly classified pictures")]
    if explain:
        maps = explain(pixels, worst["prediction"].map(classes.index).to_numpy())
        alt = "The same pictures with the evidence laid over them"
        parts += [
            "What spoke for the wrong class, by Grad-CAM: the brighter, the more.",
            Picture.of(plot_pictures(pixels, titles, maps), "evidence", alt),
        ]
    rows = [(r.file, r.truth, r.prediction, f"{r.probability:.3f}") for r in worst.itertuples()]
    return [*parts, Table(rows, ("file", "truth", "prediction", "probability"), numbers=1)]


def plot_confusion(predictions: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """How often each class was taken for which, as shares of the true class.

    Args:
        predictions: columns truth and prediction.
        classes: all class names, in order.
    """
    counts = pd.crosstab(predictions["truth"], predictions["prediction"])
    counts = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(3.5, 0.5 * len(classes) + 1.5), 16)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [short(name) for name in classes]
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
    names = [short(name) for name in counts.index]
    for part, colour in zip(counts, ("#3b6ea8", "#d1662a", "#7aa874"), strict=True):
        axis.barh(np.arange(len(counts)), counts[part], left=left, label=part, color=colour)
        left += counts[part].to_numpy()
    axis.set_yticks(np.arange(len(counts)), names)
    axis.invert_yaxis()
    axis.set_xlabel("pictures")
    axis.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    axis.spines[["top", "right"]].set_visible(False)
    return figure
