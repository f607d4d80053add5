"""From a run to predictions: what a classifier says of new pictures."""

from pathlib import Path
from typing import Any

import keras
import pandas as pd

from recipes.backbones.base import Backbone
from recipes.classifier import Classifier, check_options, load
from recipes.images.memory import listed
from recipes.run import Run


def predict(
    model: str | Path | Run | Classifier,
    pictures: Any,
    *,
    top_k: int = 3,
    views: int = 1,
    batch_size: int | None = None,
    backbone: Backbone | keras.Model | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    """Classify pictures with a finished run, or with a pretrained backbone as it is.

    Each call loads the model; `recipes.load` gives one that stays loaded.

    Args:
        model: a run folder, a `Run`, or what `recipes.load` gave; or the name of a backbone, to
            predict the 1,000 ImageNet classes.
        pictures: files, folders and pictures in memory, one or a list of any kinds; see
            `Classifier.predict`.
        top_k: how many labels to give, the likeliest first; at most the number of classes.
        views: how many versions of each picture are classified, their probabilities averaged; the
            first is the picture as it is, the others are varied lightly.
        batch_size: pictures in one forward pass; 32, or what `recipes.load` was told.
        backbone: that the run was trained with, where it was an object that the run does not keep.
        verbose: whether progress is shown.

    Returns:
        One row a picture: `file`; `label`, `probability`, …; `novelty`; and `error`: empty, or why
        the picture could not be read. `Classifier.predict` has the details.

    Raises:
        FileNotFoundError: no such run, or a picture that does not exist.
        ValueError: the run is incomplete or damaged, or no pictures were given.

    Example:
        >>> predict("runs/photos", ["new.jpg"])  # doctest: +SKIP
              file label  probability ...
    """
    check_options(top_k, views, batch_size)
    given = listed(pictures)  # before the model is built, which takes seconds
    classifier = model if isinstance(model, Classifier) else load(model, backbone=backbone)
    options = {"top_k": top_k, "views": views, "batch_size": batch_size}
    return classifier.predict(given, verbose=verbose, **options)


def load_classifier(
    model: str | Path | Run, backbone: Backbone | keras.Model | None = None
) -> tuple[keras.Model, list[str]]:
    """The model of a run as a plain Keras model, and its class names; see `recipes.load`.

    Args:
        model: a run folder, a `Run`, or the name of a backbone for its ImageNet classifier.
        backbone: that the run was trained with, where it was an object that the run does not keep.

    Returns:
        The model, raw pictures (batch, H, W, 3) to probabilities, and the names of its classes.

    Raises:
        FileNotFoundError: no such run folder.
        ValueError: the run is incomplete, damaged or not what its configuration says.

    Example:
        >>> model, classes = load_classifier("runs/photos")  # doctest: +SKIP
    """
    classifier = load(model, backbone=backbone)
    return classifier.model, classifier.classes
