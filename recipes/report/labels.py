"""The labels of the training part that the other pictures contradict."""

from pathlib import Path

import numpy as np
import pandas as pd

from recipes.page import Part, Picture, Table, short
from recipes.report.common import MOST
from recipes.report.plots import plot_pictures
from recipes.run import LABEL_ISSUES, read_table


def section(folder: Path, dataset: pd.DataFrame, pixels: np.ndarray) -> list[Part]:
    """The most suspicious labels, as pictures and as a table.

    Args:
        folder: the run's.
        dataset: the table of the pictures.
        pixels: of the training part, in the order of the table.
    """
    if not (folder / LABEL_ISSUES).exists():
        return [
            "Not looked for: it takes features that have not seen the labels, and this strategy "
            "does not begin with them. `recipes check` looks at any collection."
        ]
    table = read_table(folder / LABEL_ISSUES)
    judged = int(pd.to_numeric(table["score"]).notna().sum())
    if not judged:
        return ["Nothing can be said: too few pictures have the same label."]
    found = table[table["issue"] != ""]
    words = (
        f"{len(found):,} of {judged:,} training pictures, by a classifier on the frozen features "
        f"that had not seen them. All are in {LABEL_ISSUES}; `recipes check` looks at every part "
        "of the collection and writes a table to correct."
    )
    if found.empty:
        return [f"None stands out: {words}"]
    shown = found.head(MOST)
    train = dataset.loc[(dataset["part"] == "train") & (dataset["status"] == "ok"), "path"]
    place = pd.Series(np.arange(len(train)), train)
    titles = [
        f"{short(row.label or 'none')}\n→ {short(row.suggested or 'none')}"
        for row in shown.itertuples()
    ]
    pictures = plot_pictures(pixels[place[shown["file"]]], titles)
    rows = shown[["file", "label", "suggested", "reason"]].to_numpy().tolist()
    return [
        words,
        Picture.of(pictures, "labels", "Training pictures whose label is doubtful"),
        Table(rows, ("file", "label", "suggested", "why")),
    ]
