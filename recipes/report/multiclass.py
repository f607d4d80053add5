"""What a report says of a classifier with one label a picture.

A task's module has these three: `head`, `results` and `balance`; the rest is the same for any.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn import metrics

from recipes.images.split import PARTS
from recipes.page import Part, Picture, Table, short
from recipes.report.common import (
    MOST,
    Explain,
    accuracy,
    numbers_table,
    pictures,
    plot_counts,
    share,
    worst_pictures,
)


def head(info: dict) -> tuple[str, list[tuple[str, str]]]:
    """The page's title, and the figures that matter most."""
    found = info["metrics"]
    strip = [
        accuracy(found),
        (f"{found['macro_f1']:.3f}", "macro F1"),
        (f"{found['log_loss']:.3f}", "log loss"),
        (f"{found['calibration_error']:.3f}", "calibration error"),
        pictures(found),
    ]
    return f"{len(info['classes'])} classes, accuracy {share(found['accuracy'])}", strip


def results(
    info: dict, predictions: pd.DataFrame, pixels: np.ndarray, explain: Explain | None = None
) -> dict[str, list[Part]]:
    """What came out: by class, and the worst mistakes.

    Args:
        info: the content of `run.json`.
        predictions: columns file, truth, prediction and probability, a row a picture.
        pixels: of the evaluated part, in the order of the rows.
        explain: pictures and a class each to maps of where the evidence lies.
    """
    classes = info["classes"]
    header = ("class", "precision", "recall", "F1", f"{info['metrics']['part']} pictures")
    table = numbers_table(class_table(predictions, classes), header)
    confusion = plot_confusion(predictions, classes)
    worst = mistakes(predictions)
    return {
        "By class": [table, Picture.of(confusion, "confusion", "Confusion matrix")],
        "The most confident mistakes": (
            _mistakes(worst, pixels, classes, explain) if len(worst) else ["None."]
        ),
    }


def balance(info: dict, dataset: pd.DataFrame) -> tuple[str, Picture]:
    """How unlike in number the classes are, in a sentence and a plot."""
    weights = info["class_weights"]
    sentence = (
        f"The largest class has {weights['imbalance']:.1f} times the training pictures of the "
        f"smallest; class weights were {'' if weights['used'] else 'not '}used."
    )
    used = dataset[dataset["status"] == "ok"]
    counts = pd.crosstab(used["class"], used["part"])
    counts = counts.reindex(index=info["classes"], columns=list(PARTS), fill_value=0)
    return sentence, Picture.of(plot_counts(counts), "classes", "Pictures in each class, by part")


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


def mistakes(predictions: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """The wrong predictions of which the model was surest, the surest first."""
    wrong = predictions[predictions["truth"] != predictions["prediction"]]
    return wrong.sort_values("probability", ascending=False, kind="stable").head(most)


def _mistakes(worst: pd.DataFrame, pixels: np.ndarray, classes, explain) -> list[Part]:
    """The mistakes as pictures, with the evidence laid over them, and as a table."""
    titles = [
        f"{short(row.truth)}\ntaken for {short(row.prediction)}, {row.probability:.0%}"
        for row in worst.itertuples()
    ]
    said = worst["prediction"].map(list(classes).index).to_numpy()
    rows = [(r.file, r.truth, r.prediction, f"{r.probability:.3f}") for r in worst.itertuples()]
    table = Table(rows, ("file", "truth", "prediction", "probability"), numbers=1)
    return [*worst_pictures(worst, titles, pixels, said, explain), table]


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
