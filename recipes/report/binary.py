"""What a report says of two classes that are told apart by one probability."""

from typing import cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn import metrics

from recipes.page import Part, Picture
from recipes.report import multiclass
from recipes.report.common import Explain, accuracy, pictures, share
from recipes.tasks import Binary, from_dict

balance = multiclass.balance


def head(info: dict) -> tuple[str, list[tuple[str, str]]]:
    """The page's title, and the figures that matter most."""
    found = info["metrics"]
    strip = [accuracy(found)]
    for name, text in (("roc_auc", "area under the ROC curve"), ("f1", "F1")):
        if name in found:
            strip.append((f"{found[name]:.3f}", text))
    strip += [
        (f"{found['threshold']:.3f}", f"threshold, from which it is {info['classes'][1]}"),
        (f"{found['calibration_error']:.3f}", "calibration error"),
        pictures(found),
    ]
    return f"{' or '.join(info['classes'])}, accuracy {share(found['accuracy'])}", strip


def results(
    info: dict, predictions: pd.DataFrame, pixels: np.ndarray, explain: Explain | None = None
) -> dict[str, list[Part]]:
    """What came out: the two curves with the threshold, then as for any classes."""
    task = cast(Binary, from_dict(info["task"]))
    by_class = multiclass.results(info, predictions, pixels, explain)
    truth = (predictions["truth"] == task.positive).to_numpy()
    if len(np.unique(truth)) < 2:
        return by_class
    chances = predictions[f"probability of {task.positive}"].to_numpy()
    alt = "ROC curve, and precision against recall, with the threshold"
    curves = Picture.of(plot_curves(truth, chances, task), "curves", alt)
    text = (
        f"At the threshold of {task.threshold:.3f} the precision is "
        f"{info['metrics']['precision']:.3f} and the recall {info['metrics']['recall']:.3f}, "
        f"for {task.positive}."
    )
    return {"The threshold": [text, curves], **by_class}


def plot_curves(truth: np.ndarray, chances: np.ndarray, task: Binary) -> Figure:
    """The ROC curve, and precision against recall, with the threshold marked.

    Args:
        truth: (n,), whether each is the positive class.
        chances: (n,), its probability.
        task: which has the threshold.
    """
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    wrong, hits, _ = metrics.roc_curve(truth, chances)
    said = chances >= task.threshold
    false, true = said[~truth].mean(), said[truth].mean()
    left.plot(wrong, hits, color="#3b6ea8", label=f"area {metrics.auc(wrong, hits):.3f}")
    left.plot([0, 1], [0, 1], ":", color="#bbbbbb")
    left.plot(false, true, "o", color="#d1662a", label=f"threshold {task.threshold:.3f}")
    left.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    precision, recall, _ = metrics.precision_recall_curve(truth, chances)
    average = metrics.average_precision_score(truth, chances)
    right.plot(recall, precision, color="#3b6ea8", label=f"average {average:.3f}")
    right.plot(true, truth[said].mean() if said.any() else 1.0, "o", color="#d1662a")
    right.set(xlabel="recall", ylabel="precision", title="precision and recall", ylim=(0, 1.03))
    for axis in (left, right):
        axis.legend(frameon=False, loc="lower left" if axis is right else "lower right")
        axis.spines[["top", "right"]].set_visible(False)
    return figure
