"""From a run to predictions: what a classifier says of new pictures."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from recipes import backbones
from recipes.backbones.base import Backbone
from recipes.images import augment
from recipes.images.decode import Reading
from recipes.images.pipeline import stream
from recipes.images.walk import list_files
from recipes.run import Run
from recipes.tasks import Multiclass, Task
from recipes.transfer import novelty, results
from recipes.transfer.model import forward

VARIED = augment.get("light")


def predict(
    model: str | Path,
    pictures: str | Path | Iterable[str | Path],
    *,
    top_k: int = 3,
    views: int = 1,
    batch_size: int = 32,
    backbone: Backbone | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    """Classify pictures with a finished run, or with a pretrained backbone as it is.

    Args:
        model: a run folder; or the name of a backbone, to predict the 1,000 ImageNet classes.
        pictures: files and folders; a folder stands for all files below it.
        top_k: how many labels to give, the likeliest first; at most the number of classes.
        views: how many versions of each picture are classified, their probabilities averaged; the
            first is the picture as it is, the others are varied lightly.
        batch_size: pictures in one forward pass.
        backbone: that the run was trained with, where it was an object.
        verbose: whether progress is shown.

    Returns:
        One row a file: `file`; `label`, `probability`, then `label_2`, `probability_2`, … (of two
        classes: `label`, its `probability`, and that of the positive class; of several labels a
        picture: `labels`, separated by semicolons, and the probability of each); `novelty`, for a
        run: from 0 to 1, the share of its validation part that is nearer to the training part
        (from 0.99 on the picture is unlike anything seen in training, and the probabilities mean
        little); and `error`: empty, or why the picture could not be read.

    Raises:
        FileNotFoundError: no such run, or a picture that does not exist.
        ValueError: the run is incomplete or damaged, or no pictures were given.

    Example:
        >>> predict("runs/photos", ["new.jpg"])  # doctest: +SKIP
              file label  probability ...
    """
    if views < 1:
        raise ValueError(f"views: {views!r} is not a whole number from 1 up.")
    files = _files([pictures] if isinstance(pictures, str | Path) else pictures)
    classifier, task, reading = _classifier(model, backbone)
    size = classifier.input_shape[1:3]
    how = {"reading": reading, "label": "Predicting", "verbose": verbose}
    batches = stream(".", files, size, batch_size, **how)
    known = novelty.read(model)
    options = {"top_k": top_k, "views": views, "batch_size": batch_size}
    return answers(classifier, task, known, files, batches, **options)


def answers(
    classifier: keras.Model,
    task: Task,
    known: Mapping[str, np.ndarray] | None,
    files: Sequence[str],
    batches: Iterable[tuple[np.ndarray, np.ndarray, dict[int, str]]],
    *,
    top_k: int = 3,
    views: int = 1,
    batch_size: int = 32,
) -> pd.DataFrame:
    """What a classifier says of pictures, as a table.

    Args:
        classifier: raw pictures (batch, H, W, 3) to probabilities.
        task: what it tells.
        known: what novelty is measured by, if anything.
        files: the name of each picture.
        batches: what `recipes.images.pipeline.stream` yields of them.
        top_k: labels to give.
        views: versions of each picture.
        batch_size: pictures in one forward pass.
    """
    pooled = classifier.get_layer("pool").output if known else classifier.output
    network = keras.Model(classifier.input, [classifier.output, pooled])
    outputs = np.full((len(files), classifier.output_shape[-1]), np.nan, "float32")
    novelties = np.full(len(files), np.nan)
    errors = np.full(len(files), "", dtype=object)
    for rows, pixels, failed in batches:
        for row, reason in failed.items():
            errors[row] = reason
        if len(rows):
            found, features = forward(network, pixels, batch_size)
            for view in range(1, views):
                varied = augment.batch(pixels, [(view, row) for row in rows], VARIED)
                found = found + forward(network, varied, batch_size)[0]
            outputs[rows] = found / views
            if known:
                novelties[rows] = novelty.score(features, known)
    table = task.answers(np.nan_to_num(outputs), top_k)
    table.loc[errors != "", :] = np.nan
    table.insert(0, "file", files)
    if known:
        table["novelty"] = novelties
    return table.assign(error=errors)


def load_classifier(
    model: str | Path, backbone: Backbone | None = None
) -> tuple[keras.Model, list[str]]:
    """The model of a run, rebuilt from its checked configuration, and its class names.

    Only numbers are read from the run folder: nothing in it can run.

    Args:
        model: a run folder, or the name of a backbone for its ImageNet classifier.
        backbone: that the run was trained with, where it was an object.

    Returns:
        The model, raw pictures (batch, H, W, 3) to probabilities, and the names of its classes.

    Raises:
        FileNotFoundError: no such run folder.
        ValueError: the run is incomplete, damaged or not what its configuration says.

    Example:
        >>> model, classes = load_classifier("runs/photos")  # doctest: +SKIP
    """
    classifier, task, _ = _classifier(model, backbone)
    return classifier, list(task.classes)


def _classifier(model: str | Path, backbone: Backbone | None) -> tuple[keras.Model, Task, Reading]:
    """The model of a run or of a backbone, what it tells, and how it wants files read."""
    if not Path(model).exists() and str(model) in backbones.names():
        classifier, classes = backbones.imagenet_classifier(str(model))
        return classifier, Multiclass(tuple(classes)), Reading()
    run = Run.load(model)
    return results.model_of(run, backbone), run.task, run.reading


def _files(pictures: Iterable[str | Path]) -> list[str]:
    """The files that were named, and those below the folders that were named."""
    files = []
    for item in map(Path, pictures):
        if item.is_dir():
            files += [str(item / path) for path in list_files(item)]
        elif item.exists():
            files.append(str(item))
        else:
            raise FileNotFoundError(f"pictures: {item} does not exist.")
    if not files:
        raise ValueError("pictures: no file was named, and the folders hold none.")
    return files
