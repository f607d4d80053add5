"""What the reports of all tasks have in common."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from recipes.page import Part, Picture, Table, short
from recipes.report.plots import plot_pictures

Explain = Callable[[np.ndarray, np.ndarray], np.ndarray]
MOST = 12
COLOURS = ("#3b6ea8", "#d1662a", "#7aa874")


def share(value: float) -> str:
    """A share in percent.

    Example:
        >>> share(0.987)
        '98.7 %'
    """
    return f"{100 * value:.1f} %"


def accuracy(metrics: dict, what: str = "accuracy") -> tuple[str, str]:
    """The accuracy, and the part and the interval that it belongs to, for the strip.

    Example:
        >>> accuracy({"accuracy": 0.9, "accuracy_interval": [0.6, 0.98], "part": "test"})
        ('90.0 %', 'accuracy on the test part, 60.0 % to 98.0 % with 95 % confidence')
    """
    low, high = metrics["accuracy_interval"]
    where = f"{what} on the {metrics['part']} part"
    return share(
        metrics["accuracy"]
    ), f"{where}, {share(low)} to {share(high)} with 95 % confidence"


def pictures(metrics: dict) -> tuple[str, str]:
    """How many pictures the figures are of, for the strip."""
    used = "used once" if metrics["part"] == "test" else "which also decided when to stop"
    return str(metrics["pictures"]), f"{metrics['part']} pictures, {used}"


def worst_pictures(
    worst: pd.DataFrame,
    titles: Sequence[str],
    pixels: np.ndarray,
    explained: np.ndarray,
    explain: Explain | None,
) -> list[Part]:
    """The mistakes as pictures, with the evidence laid over them.

    Args:
        worst: the mistakes, whose index are rows of `pixels`.
        titles: one a mistake.
        pixels: of the evaluated part.
        explained: the class of each mistake whose evidence is shown.
        explain: pictures and a class each to maps of where the evidence lies.
    """
    shown = pixels[worst.index]
    found = Picture.of(plot_pictures(shown, titles), "mistakes", "Wrongly classified pictures")
    if explain is None:
        return [found]
    maps = explain(shown, explained)
    alt = "The same pictures with the evidence laid over them"
    return [
        found,
        "What spoke for the class that is named, by Grad-CAM: the brighter, the more.",
        Picture.of(plot_pictures(shown, titles, maps), "evidence", alt),
    ]


def plot_counts(counts: pd.DataFrame) -> Figure:
    """The number of pictures of each class, by part.

    Args:
        counts: a row a class, columns train, validation, test.
    """
    figure = Figure(figsize=(7, min(max(2, 0.3 * len(counts) + 1), 30)), layout="constrained")
    axis = figure.subplots()
    left = np.zeros(len(counts))
    for part, colour in zip(counts, COLOURS, strict=True):
        axis.barh(np.arange(len(counts)), counts[part], left=left, label=part, color=colour)
        left += counts[part].to_numpy()
    axis.set_yticks(np.arange(len(counts)), [short(name) for name in counts.index])
    axis.invert_yaxis()
    axis.set_xlabel("pictures")
    axis.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def numbers_table(frame: pd.DataFrame, header: Sequence[str], whole: str = "pictures") -> Table:
    """A table whose first column is a name and the others numbers."""
    rows = [
        (
            row.iloc[0],
            *(
                str(int(value)) if name == whole else "" if pd.isna(value) else f"{value:.3f}"
                for name, value in row.iloc[1:].items()
            ),
        )
        for _, row in frame.iterrows()
    ]
    return Table(rows, header, numbers=len(header) - 1)
