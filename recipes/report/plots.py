"""Plots of a run that are the same whatever its labels mean."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

COLOURS = {"loss": "#3b6ea8", "val": "#d1662a", "rate": "#8a8f98"}


def plot_history(history: pd.DataFrame, score: str = "accuracy") -> Figure:
    """Loss, score and learning rate by epoch, the phases apart.

    Args:
        history: columns phase, epoch, loss, val_loss, learning_rate, and the score's.
        score: the metric beside the loss, 1 at best; its columns are `score` and `val_score`.
    """
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    x = np.arange(1, len(history) + 1)
    for axis, name in zip(axes, ("loss", score), strict=False):
        axis.plot(x, history[name], ".-", color=COLOURS["loss"], label="training")
        axis.plot(x, history[f"val_{name}"], ".-", color=COLOURS["val"], label="validation")
        axis.set_title(name)
        axis.legend(frameon=False)
    axes[1].set_ylim(top=1.01)
    axes[2].plot(x, history["learning_rate"], color=COLOURS["rate"])
    if history["learning_rate"].notna().any():  # a classifier that was solved has none
        axes[2].set_yscale("log")
    axes[2].set_title("learning rate")
    starts = np.flatnonzero(history["phase"].ne(history["phase"].shift()))
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.spines[["top", "right"]].set_visible(False)
        for start in starts[1:]:
            axis.axvline(start + 0.5, color="#bbbbbb", linestyle=":")
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
