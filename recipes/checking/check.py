"""Look through a collection before it is trained on: likely wrong labels, odd pictures."""

from collections import Counter
from pathlib import Path
from typing import Any, Unpack

import keras
import numpy as np
import pandas as pd

from recipes import backbones, tasks
from recipes.backbones.base import Backbone
from recipes.checking.labels import WRONG, suspicions
from recipes.checking.oddity import WORDS, in_words, oddities
from recipes.dtypes import scope
from recipes.files import replace
from recipes.images.decode import Reading
from recipes.images.inspection import OK, SKIPPED, inspect, open_source, reading_of
from recipes.images.parts import joined_copies
from recipes.images.pipeline import stream
from recipes.images.sources import Source, natural_order
from recipes.images.split import units
from recipes.keywords import DataOptions
from recipes.pooling import pooled
from recipes.rules import AUTO
from recipes.settings import FLOAT32, DataSettings, ModelSettings
from recipes.tasks import Task
from recipes.tasks.base import SEPARATOR
from recipes.transfer.forward import forward

BATCH = 32
SHOWN = 20


@scope(FLOAT32)
def check(
    data: Any,
    *,
    backbone: str | Path | Backbone | keras.Model = ModelSettings.backbone,
    weights: str = "pretrained",
    image_size: int | None = ModelSettings.image_size,
    seed: int = 0,
    verbose: bool = True,
    **options: Unpack[DataOptions],
) -> pd.DataFrame:
    """Find pictures whose label is likely wrong, and odd pictures. Nothing is changed.

    A linear classifier on a pretrained backbone's features tells each picture's class without
    having seen its label; what it contradicts is marked. The table is one of labels: correct it in
    the column `label`, and train on it.

    Args:
        data: as for `recipes.scan`.
        backbone: what `recipes.backbones.get` takes.
        weights: "pretrained", or the path of a local weights file.
        image_size: side in pixels to which pictures are resized; the backbone's own by default.
        seed: of the folds.
        verbose: whether progress is shown.
        **options: of `recipes.DataSettings`: task, groups, label_column, … Pictures of one group
            are judged without one another.

    Returns:
        One row a good picture, the likeliest mistakes first, then odd pictures: `file` (relative);
        `label` as it is (of several, separated by semicolons; with one at its end where there is
        one or none); `suggested`, the label that is likely meant, or ""; `score`, from 0 to 1, how
        unlikely the label is, missing where nothing can be said; `issue`: "label", "dark",
        "bright", "one colour", "blurred", "tiny", "very long", several, or ""; and `reason`, in
        words. Where the source has ready-made parts, `part`. `attrs` has the `folder` and the
        `notes`.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it is not usable, or an option does not fit.

    Example:
        >>> table = check("photos/")  # doctest: +SKIP
        >>> write(table, "labels.csv")  # doctest: +SKIP
        >>> run = recipes.fit("labels.csv", pictures="photos/", output="runs/a")  # doctest: +SKIP
    """
    settings = DataSettings.of(**options)
    base = backbones.get(backbone, weights=weights, image_size=image_size, seed=seed)
    source = open_source(data, settings)
    frame = inspect(source, settings, verbose=verbose)
    notes = list(frame.attrs["notes"])
    name = settings.task
    if name == AUTO:
        name = "multilabel" if frame.attrs["several_labels"] else "multiclass"
    if name == "multilabel":
        frame = joined_copies(frame)
    good = frame[frame["status"] == OK].reset_index(drop=True)
    if good.empty:
        raise ValueError("data: it holds no readable picture with a label.")
    reading = reading_of(settings, frame.attrs["levels"])
    features, odd, read = seen(base, source, good, reading, verbose)
    good = good[read].reset_index(drop=True)
    left_out = int((frame["status"] == SKIPPED).sum() + (~read).sum())
    if left_out:
        notes.append(f"{left_out:,} not looked at; `recipes scan` says why.")
    task = _task(name, list(good["class"]))
    targets = task.encode(list(good["class"]))
    table, few = suspicions(task, targets, features[read], units(good), seed=seed)
    words, common = in_words(odd[read])
    table.insert(0, "file", good["path"])
    table.insert(1, "label", good["class"])
    if name == "multilabel":
        for column in ("label", "suggested"):
            table[column] = [
                _as_several(text) if column == "label" or issue else ""
                for text, issue in zip(table[column], table["issue"], strict=True)
            ]
    else:
        _mark_contradictions(table, good)
    both = zip(table["issue"], words, strict=True)
    table["issue"] = [", ".join(filter(None, pair)) for pair in both]
    if (good["part"] != "").any():
        table["part"] = good["part"]
    table = ranked(table)
    table.attrs |= {"folder": frame.attrs["folder"], "notes": [*notes, *few, *common]}
    return table


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Likely wrong labels first, then odd pictures, each by score; the rest by score too."""
    kind = np.where(table["issue"].str.startswith(WRONG), 0, np.where(table["issue"] != "", 1, 2))
    table = table.assign(score=table["score"].astype(float).round(4), _kind=kind)
    table = table.sort_values(
        ["_kind", "score"], ascending=[True, False], kind="stable", na_position="last"
    )
    return table.drop(columns="_kind").reset_index(drop=True)


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """Write the table as a CSV file that `recipes.fit` takes as labels, whole or not at all."""
    return replace(path, lambda place: table.to_csv(place, index=False, errors="backslashreplace"))


def describe(table: pd.DataFrame) -> str:
    """What `check` found, in words: how many of what, the first rows, what cannot be said.

    Example:
        >>> row = {"file": "a.png", "label": "ash", "suggested": "oak", "score": 0.97,
        ...        "issue": "label", "reason": "looks like oak (97%) rather than ash (3%)"}
        >>> print(describe(pd.DataFrame([row])))
        1 picture: 1 label to look at
        <BLANKLINE>
         file label suggested  score issue                                    reason
        a.png   ash       oak   0.97 label looks like oak (97%) rather than ash (3%)
    """
    counts = Counter(word for text in table["issue"] for word in text.split(", "))
    wrong = counts[WRONG]
    found = [f"{wrong:,} label{'s' * (wrong != 1)} to look at"] if wrong else []
    found += [f"{counts[word]:,} {word}" for word in WORDS if counts[word]]
    said = ", ".join(found) or "nothing stands out"
    lines = [f"{len(table):,} picture{'s' * (len(table) != 1)}: {said}"]
    shown = table[table["issue"] != ""]
    if len(shown):
        lines += ["", shown.head(SHOWN).to_string(index=False, na_rep="")]
    if len(shown) > SHOWN:
        lines.append(f"… and {len(shown) - SHOWN:,} more")
    notes = table.attrs.get("notes", [])
    return "\n".join([*lines, *([""] if notes else []), *notes])


def seen(
    base: Backbone, source: Source, good: pd.DataFrame, reading: Reading, verbose: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pooled features, oddities and whether a picture could be read; each is decoded once."""
    output = pooled(base.model.output, base.pooling, base.prefix)
    model = keras.Model(base.model.input, output)
    features = np.zeros((len(good), model.output_shape[-1]), "float32")
    odd = np.zeros((len(good), len(WORDS)), bool)
    read = np.zeros(len(good), bool)
    sizes = good[["width", "height"]].to_numpy()
    batches = stream(
        source,
        list(good["path"]),
        base.image_size,
        BATCH,
        reading=reading,
        hashes=list(good["hash"]),
        label="Looking at pictures",
        verbose=verbose,
    )
    for rows, pixels, _ in batches:
        if len(rows):
            features[rows] = forward(model, pixels, BATCH)
            odd[rows] = oddities(pixels, sizes[rows])
            read[rows] = True
    return features, odd, read


def _task(name: str, labels: list[str]) -> Task:
    """The task, with the labels that there are."""
    found = set(labels)
    if name == "multilabel":
        found = {label for text in found for label in text.split(SEPARATOR)} - {""}
    return tasks.get(name, natural_order(list(found)))


def _as_several(text: str) -> str:
    """Labels as a cell that is read as several whatever the others are."""
    return text if SEPARATOR in text else text + SEPARATOR


def _mark_contradictions(table: pd.DataFrame, good: pd.DataFrame) -> None:
    """Copies of one picture with different labels: one of these is wrong for certain."""
    for _, copies in good[good["hash"].duplicated(keep=False)].groupby("hash"):
        labels = sorted(copies["class"].unique())
        if len(labels) > 1:
            reason = f"the same picture has the labels {', '.join(labels)}"
            table.loc[copies.index, ["score", "issue", "reason"]] = [1.0, WRONG, reason]
