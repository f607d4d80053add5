"""What a report says of pictures with any number of labels."""

from typing import cast

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
    worst_pictures,
)
from recipes.tasks import Multilabel, from_dict
from recipes.tasks.base import SEPARATOR

MOST_CURVES = 10


def head(info: dict) -> tuple[str, list[tuple[str, str]]]:
    """The page's title, and the figures that matter most."""
    found = info["metrics"]
    mean = found.get("mean_average_precision", float("nan"))
    strip = [
        (f"{mean:.3f}", "mean average precision"),
        (f"{found['macro_f1']:.3f}", "macro F1"),
        accuracy(found, "all labels right"),
        (f"{found['calibration_error']:.3f}", "calibration error"),
        pictures(found),
    ]
    return f"{len(info['classes'])} labels, mean average precision {mean:.3f}", strip


def results(
    info: dict, predictions: pd.DataFrame, pixels: np.ndarray, explain: Explain | None = None
) -> dict[str, list[Part]]:
    """What came out: by label, and the labels of which the model was most wrongly sure.

    Args:
        info: the content of `run.json`.
        predictions: columns file, truth, prediction and one a label, a row a picture.
        pixels: of the evaluated part, in the order of the rows.
        explain: pictures and a label each to maps of where the evidence lies.
    """
    task = cast(Multilabel, from_dict(info["task"]))
    targets = task.encode(list(predictions["truth"]))
    columns = [f"probability of {name}" for name in task.classes]
    outputs = predictions[columns].to_numpy("float32")
    header = ("label", f"{info['metrics']['part']} pictures", "threshold", "average precision")
    header += ("precision", "recall", "F1", "calibration error")
    table = numbers_table(task.by_label(targets, outputs), header)
    curves = Picture.of(
        plot_curves(task, targets, outputs), "curves", "Precision against recall of each label"
    )
    worst = mistakes(task, predictions["file"], targets, outputs)
    return {
        "By label": [table, curves],
        "The most confident mistakes": (
            _mistakes(task, worst, pixels, explain) if len(worst) else ["None."]
        ),
    }


def balance(info: dict, dataset: pd.DataFrame) -> tuple[str, Picture]:
    """How unlike in number the labels are, in a sentence and a plot."""
    used = dataset[dataset["status"] == "ok"]
    has = used["class"].str.get_dummies(SEPARATOR).reindex(columns=info["classes"], fill_value=0)
    counts = has.groupby(used["part"]).sum().T.reindex(columns=list(PARTS), fill_value=0)
    mean = has.sum(axis=1).mean()
    sentence = (
        f"A picture has {mean:.1f} labels in the mean; the commonest label has "
        f"{info['class_weights']['imbalance']:.1f} times the training pictures of the rarest."
    )
    plot = plot_counts(counts)
    return sentence, Picture.of(plot, "classes", "Pictures with each label, by part")


def mistakes(
    task: Multilabel, files: pd.Series, targets: np.ndarray, outputs: np.ndarray, most: int = MOST
) -> pd.DataFrame:
    """The labels that were wrongly said or missed, the surest first.

    Returns:
        Columns `file`, `label`, `place` (of the label), `said` and `probability`; the index is that
        of the picture.
    """
    rows, labels = np.nonzero(task.decide(outputs) != targets)
    said = task.decide(outputs)[rows, labels] > 0
    chances = outputs[rows, labels]
    table = pd.DataFrame(
        {
            "file": files.to_numpy()[rows],
            "label": np.array(task.classes, dtype=object)[labels],
            "place": labels,
            "said": said,
            "probability": chances,
        },
        index=rows,
    )
    sure = np.where(said, chances, 1 - chances)
    return table.iloc[np.argsort(-sure, kind="stable")[:most]]


def _mistakes(task: Multilabel, worst: pd.DataFrame, pixels: np.ndarray, explain) -> list[Part]:
    titles = [
        f"{short(row.label)}\n{'wrongly said' if row.said else 'missed'}, {row.probability:.0%}"
        for row in worst.itertuples()
    ]
    rows = [
        (row.file, row.label, "wrongly said" if row.said else "missed", f"{row.probability:.3f}")
        for row in worst.itertuples()
    ]
    table = Table(rows, ("file", "label", "mistake", "probability"), numbers=1)
    return [*worst_pictures(worst, titles, pixels, worst["place"].to_numpy(), explain), table]


def plot_curves(task: Multilabel, targets: np.ndarray, outputs: np.ndarray) -> Figure:
    """Precision against recall of each label; of many, those with the lowest average precision."""
    table = task.by_label(targets, outputs).dropna(subset="average_precision")
    shown = table.sort_values("average_precision", kind="stable").index[:MOST_CURVES]
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axis = figure.subplots()
    for k in shown:
        precision, recall, _ = metrics.precision_recall_curve(targets[:, k], outputs[:, k])
        text = f"{short(task.classes[k])}, {table.loc[k, 'average_precision']:.3f}"
        axis.plot(recall, precision, label=text)
    axis.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03))
    axis.spines[["top", "right"]].set_visible(False)
    if len(shown):
        axis.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    return figure
