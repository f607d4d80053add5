"""What a search is about: a model with a space, the rows that it sees, and the last, honest step.

Recipes on arrays, tables and folders of pictures; `transfer.py` has transfer learning.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

import keras
import keras_tuner
import numpy as np

from recipes.files import digest, read_arrays, replace, write_arrays
from recipes.images.parts import ArrayCache, Collection
from recipes.images.split import PARTS
from recipes.lookup import unknown
from recipes.rules import COUNT
from recipes.settings import DataSettings
from recipes.tasks import Binary, Multiclass, Multilabel
from recipes.transfer.results import save_model
from recipes.tuning.model import HyperModel
from recipes.tuning.protocol import as_arrays, check_shares, split_rows
from recipes.tuning.space import encoded

IMAGE_SIZE = 64
KNOWN_METRICS = ("val_loss", "val_accuracy")
ROWS_TO_TRY = 32
WEIGHTS = "model.safetensors"


class Problem(ABC):
    """What a search is about.

    Attributes:
        model: a `keras_tuner.HyperModel`, with `space` where it has one of ours. Worker processes
            are given a copy of it, and nothing else of the problem.
        key: digest of the data.
    """

    model: keras_tuner.HyperModel
    key: str

    @abstractmethod
    def check(self, objective: str) -> None:
        """Refuse what would fail in every trial, before the first.

        Args:
            objective: the metric that decides.

        Raises:
            ValueError: a trial reports no such metric, or the model does not fit the data.
        """

    @abstractmethod
    def open(self, folder: Path) -> tuple[tuple, tuple]:
        """The training and the validation part, as arguments of `fit`.

        Args:
            folder: of the search.
        """

    @abstractmethod
    def finish(self, folder: Path, trial) -> dict[str, float]:
        """Train the best trial's setting again and use the test part; the metrics on it."""

    @abstractmethod
    def loader(self) -> Callable[[Path, Mapping], keras.Model]:
        """What loads the model that `finish` trained, without holding on to the data.

        Given the folder and the best setting, it builds the model anew; only the weights are read.
        """


@final
class DataProblem(Problem):
    """A recipe, or a function `build(hp)`, on arrays, a table or a folder of pictures.

    Args:
        recipe: the function.
        data: as `recipes.search` takes them.
        space: changes of the recipe's space.
        fixed: arguments that are not searched; of a folder `image_size`, too.
        target: the column of a table that holds the classes.
        validation: share of the data.
        test: share of the data.
        max_epochs: of the last training, at the most.
        seed: of the split and the last training.
        callbacks: Keras callbacks of the user's own, for the last training.

    Raises:
        ValueError: the data or the space is not usable.
    """

    def __init__(
        self,
        recipe: Callable,
        data,
        space: Mapping | None,
        fixed: Mapping,
        *,
        target: str | None = None,
        validation: float,
        test: float,
        max_epochs: int,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ):
        check_shares(validation, test)
        self.callbacks = list(callbacks)
        self.shares = (validation, test)
        self.max_epochs = max_epochs
        self.seed = seed
        if isinstance(data, str | Path):
            fixed = dict(fixed)
            size = fixed.pop("image_size", IMAGE_SIZE)
            pictures = _pictures(data, size, validation, test, seed)
            self.x, self.labels, classes, self.parts = pictures
        else:
            self.x, self.labels, classes = as_arrays(data, target)
            self.parts = None
        if self.labels.ndim == 2:
            fixed = {"task": Multilabel.name, **fixed}
        self.meaning = {
            "task": fixed.get("task", Multiclass.name),
            "classes": [str(name) for name in classes],
        }
        units = 1 if fixed.get("task") == Binary.name else len(classes)
        self.model = _hyper_model(recipe, space, fixed, self.x, units, seed)
        self.key = digest({"x": self.x, "y": self.labels})

    def check(self, objective: str) -> None:
        """Evaluate a model of the first setting on a few rows, where it is not known what comes."""
        if not self.model.own and objective in KNOWN_METRICS:
            return
        model = self.model.build(keras_tuner.HyperParameters())
        try:
            rows = self._of(np.arange(min(len(self.x), ROWS_TO_TRY)))
            names = model.evaluate(*rows, verbose=0, return_dict=True)
        except Exception as error:  # a misspelt metric, a shape that does not fit: Keras' own
            raise ValueError(f"recipe: its model does not fit the data. {error}") from error
        reported = [name for one in names for name in (f"val_{one}", one)]
        if objective not in reported and not self.callbacks:  # which may report more
            raise unknown("objective", objective, reported)

    def open(self, folder: Path) -> tuple[tuple, tuple]:
        """The rows of both parts: inputs and labels."""
        rows = self._rows(folder)
        return self._of(rows["train"]), self._of(rows["validation"])

    def finish(self, folder: Path, trial) -> dict[str, float]:
        """Train on both parts for the epochs that were best, and keep the model."""
        rows = self._rows(folder)
        seen = self._of(np.concatenate([rows["train"], rows["validation"]]))
        epochs = min((trial.best_step or 0) + 1, self.max_epochs)
        keras.utils.set_random_seed(self.seed)
        final = self.model.build(trial.hyperparameters)
        own = copy.deepcopy(self.callbacks)
        self.model.fit(trial.hyperparameters, final, *seen, epochs=epochs, callbacks=own, verbose=0)
        weights = {f"{i:04d}": keras.ops.convert_to_numpy(v) for i, v in enumerate(final.weights)}
        write_arrays(folder / WEIGHTS, weights)
        replace(folder / "model.keras", lambda path: save_model(path, final, self.meaning))
        return final.evaluate(*self._of(rows["test"]), verbose=0, return_dict=True)

    def loader(self) -> Callable[[Path, Mapping], keras.Model]:
        """The recipe builds the model."""
        return partial(_load, self.model)

    def _rows(self, folder: Path) -> dict[str, np.ndarray]:
        return split_rows(folder, self.labels, *self.shares, self.seed, self.parts)

    def _of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.x[rows], self.labels[rows]


def _load(model: HyperModel, folder: Path, best: Mapping) -> keras.Model:
    hp = keras_tuner.HyperParameters()
    hp.values = encoded(model.space, best)
    built = model.build(hp)
    arrays, _ = read_arrays(folder / WEIGHTS)
    built.set_weights([arrays[name] for name in sorted(arrays)])
    return built


def _pictures(folder, image_size: Any, validation: float, test: float, seed: int) -> tuple:
    """The pictures of class folders as arrays, and the rows of each part."""
    size = image_size if isinstance(image_size, list | tuple) else (image_size, image_size)
    if len(size) != 2:
        raise ValueError(f"image_size: {image_size!r} is not one side, or (height, width).")
    height, width = (COUNT("image_size", side) for side in size)
    settings = DataSettings(validation=validation, test=test)
    pictures = Collection.open(folder, settings, seed=seed, verbose=False)
    cache = ArrayCache(Path(folder), memory_limit=1 << 62)  # in memory: no file is written there
    data, _ = pictures.decoded((height, width), cache, verbose=False)
    classes = pictures.task.classes
    ends = np.cumsum([0, *(len(data[name]) for name in PARTS)])
    parts = {name: np.arange(*ends[i : i + 2]) for i, name in enumerate(PARTS)}
    x = np.concatenate([data[name].pixels for name in PARTS])
    return x, np.concatenate([data[name].labels for name in PARTS]), np.array(classes), parts


def _hyper_model(recipe, space, fixed, x, num_classes, seed) -> HyperModel:
    own = HyperModel(recipe, **fixed) if space is None else None
    if own is not None and own.own:
        return own
    shape = int(x.shape[1]) if x.ndim == 2 else tuple(map(int, x.shape[1:]))
    given = {"input_shape": shape, "num_classes": num_classes, "seed": seed, **fixed}
    return HyperModel(recipe, space, **given)
