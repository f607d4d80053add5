"""A classifier that stays loaded: after the first call, a call costs its pictures alone."""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import keras
import numpy as np
import pandas as pd

from recipes import backbones
from recipes.backbones.base import Backbone
from recipes.dtypes import scope
from recipes.images import augment
from recipes.images.decode import AS_IT_IS, Reading
from recipes.images.memory import listed
from recipes.images.pipeline import in_batches
from recipes.rules import COUNT
from recipes.run import Run
from recipes.settings import FLOAT32
from recipes.tasks import Multiclass, Task
from recipes.transfer import novelty, results
from recipes.transfer.forward import forward

VARIED = augment.get("light")


@scope(FLOAT32)
def load(
    model: str | Path | Run, *, batch_size: int = 32, backbone: Backbone | keras.Model | None = None
) -> "Classifier":
    """The classifier of a finished run, or a pretrained backbone as it is, ready for pictures.

    It is rebuilt from the run's checked configuration; only numbers are read from the folder:
    nothing in it can run. It computes in float32, whatever it was trained in.

    Args:
        model: a run folder, a `Run`, or the name of a backbone, for the 1,000 ImageNet classes.
        batch_size: pictures in one forward pass; fewer are filled up to it. With 1, single
            pictures are answered soonest.
        backbone: that the run was trained with, where it was an object that the run does not keep.

    Raises:
        FileNotFoundError: no such run folder.
        ValueError: the run is incomplete, damaged or not what its configuration says.

    Example:
        >>> classifier = load("runs/photos")  # doctest: +SKIP
        >>> classifier(["new.jpg", picture, array])  # doctest: +SKIP
                file label  probability ...
    """
    COUNT("batch_size", batch_size)
    if not isinstance(model, str | os.PathLike | Run):
        raise ValueError(
            f"model: {type(model).__name__} is not a run folder, a Run or a backbone's name."
        )
    if not isinstance(model, Run) and not Path(model).exists() and str(model) in backbones.names():
        network, classes = backbones.imagenet_classifier(str(model))
        return Classifier(network, Multiclass(tuple(classes)), batch_size=batch_size)
    run = model if isinstance(model, Run) else Run.load(model)
    return Classifier(
        results.model_of(run, backbone),
        run.task,
        run=run,
        reading=run.reading,
        known=novelty.read(run.folder),
        batch_size=batch_size,
    )


@final
class Classifier:
    """A model that takes pictures of any kind and answers with a table; see `load`.

    Threads may share it: they decode side by side, and take turns at the model.

    Args:
        model: raw pictures (batch, H, W, 3), 0 to 255, to outputs (batch, units).
        task: what it tells.
        run: that it is of, if any.
        reading: how files become pixels.
        known: what novelty is measured by, if anything.
        batch_size: pictures in one forward pass.

    Attributes:
        model: the Keras model.
        task: what it tells of a picture: its classes, and thresholds where it has some.
        run: the `Run`; None for a backbone as it is.

    Example:
        >>> pictures = keras.Input((8, 8, 3))
        >>> outputs = keras.layers.GlobalAveragePooling2D()(pictures) / 255
        >>> classifier = Classifier(keras.Model(pictures, outputs), Multiclass(("r", "g", "b")))
        >>> classifier
        Classifier(3 classes, 8 × 8 pixels)
        >>> from PIL import Image
        >>> classifier([Image.new("RGB", (5, 4), "red"), b"no picture"])[["file", "label"]]
                file label
        0  picture 1     r
        1  picture 2   NaN
    """

    def __init__(
        self,
        model: keras.Model,
        task: Task,
        *,
        run: Run | None = None,
        reading: Reading = AS_IT_IS,
        known: Mapping[str, np.ndarray] | None = None,
        batch_size: int = 32,
    ):
        self.model = model
        self.task = task
        self.run = run
        self._reading = reading
        self._known = known
        self._batch_size = batch_size
        pooled = model.get_layer("pool").output if known else model.output
        self._network = keras.Model(model.input, [model.output, pooled])
        self._turn = threading.Lock()

    def __repr__(self):
        height, width = self._size
        place = f"{str(self.run.folder)!r}, " if self.run else ""
        return f"Classifier({place}{len(self.classes):,} classes, {width} × {height} pixels)"

    @property
    def classes(self) -> list[str]:
        """The class names, in order."""
        return list(self.task.classes)

    @property
    def _size(self) -> tuple[int, int]:
        return self.model.input_shape[1:3]

    def __call__(self, pictures: Any) -> pd.DataFrame:
        """As `predict`, with its defaults."""
        return self.predict(pictures)

    def predict(
        self,
        pictures: Any,
        *,
        top_k: int = 3,
        views: int = 1,
        batch_size: int | None = None,
        verbose: bool = False,
    ) -> pd.DataFrame:
        """Classify pictures.

        Args:
            pictures: one or a list of any kinds: the path of a file or of a folder, for all files
                below it; a Pillow picture; an array (H, W), (H, W, 1), (H, W, 3) or, with an alpha
                channel, (H, W, 4), or of several pictures (n, H, W, 3), uint8 or numbers from 0 to
                255; the bytes of a file; an open file. All are read as in training. A Pillow
                picture gives what the file gives that it was opened from; after it was decoded,
                a JPEG differs a little (a file is read at reduced scale), as do colours of 16
                bits (Pillow keeps 8).
            top_k: how many labels to give, the likeliest first; at most the number of classes.
            views: how many versions of each picture are classified, their probabilities averaged;
                the first is the picture as it is, the others are varied lightly.
            batch_size: pictures in one forward pass; that of `load` by default. Another one costs
                a compilation.
            verbose: whether progress is shown.

        Returns:
            One row a picture: `file`, in memory "picture 1", by the row; `label`, `probability`,
            then `label_2`, `probability_2`, … (of two classes: `label`, its `probability`, and
            that of the positive class; of several labels a picture: `labels`, separated by
            semicolons, and the probability of each); `novelty`, for a run: from 0 to 1, the share
            of its validation part that is nearer to the training part (from 0.99 on the picture
            is unlike anything seen in training, and the probabilities mean little); and `error`:
            empty, or why the picture could not be read.

        Raises:
            FileNotFoundError: a path that does not exist.
            ValueError: there is no picture, or something else among them; an array whose values
                lie between 0 and 1, or beyond 255; an option that is not allowed.
        """
        check_options(top_k, views, batch_size)
        batch_size = self._batch_size if batch_size is None else batch_size
        given = listed(pictures)

        def read(row: int) -> np.ndarray:
            return given[row].read(self._size, self._reading)

        how = {"label": "Predicting", "verbose": verbose}
        batches = in_batches(read, len(given), self._size, batch_size, **how)
        options = {"top_k": top_k, "views": views, "batch_size": batch_size}
        return self.answers([one.name for one in given], batches, **options)

    def answers(
        self,
        files: Sequence[str],
        batches: Iterable[tuple[np.ndarray, np.ndarray, dict[int, str]]],
        *,
        top_k: int = 3,
        views: int = 1,
        batch_size: int = 32,
    ) -> pd.DataFrame:
        """The table of `predict`, of pictures that are decoded elsewhere.

        Args:
            files: the name of each picture.
            batches: what `recipes.images.pipeline.stream` yields of them.
            top_k: labels to give.
            views: versions of each picture.
            batch_size: pictures in one forward pass.
        """
        outputs = np.full((len(files), self.model.output_shape[-1]), np.nan, "float32")
        novelties = np.full(len(files), np.nan)
        errors = np.full(len(files), "", dtype=object)
        for rows, pixels, failed in batches:
            for row, reason in failed.items():
                errors[row] = reason
            if len(rows):
                found, features = self._forward(pixels, batch_size)
                for view in range(1, views):
                    varied = augment.batch(pixels, [(view, row) for row in rows], VARIED)
                    found = found + self._forward(varied, batch_size)[0]
                outputs[rows] = found / views
                if self._known:
                    novelties[rows] = novelty.score(features, self._known)
        table = self.task.answers(np.nan_to_num(outputs), top_k)
        table.loc[errors != "", :] = np.nan
        table.insert(0, "file", files)
        if self._known:
            table["novelty"] = novelties
        return table.assign(error=errors)

    def _forward(self, pixels: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Outputs, and the features by which novelty is measured; one thread at a time."""
        with self._turn:
            outputs, features = forward(self._network, pixels, batch_size)
        return outputs, features


def check_options(top_k: int, views: int, batch_size: int | None) -> None:
    """Refuse what is not a whole number from 1 up, by its name."""
    COUNT("top_k", top_k)
    COUNT("views", views)
    if batch_size is not None:
        COUNT("batch_size", batch_size)
