"""What a search is about: a model with a space, the rows that it sees, and the last, honest step.

Recipes on arrays, tables and folders of pictures; `transfer.py` has transfer learning.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import keras_tuner
import numpy as np

from recipes.files import digest, read_arrays, replace, write_arrays
from recipes.images.folder import scan
from recipes.images.split import PARTS, split
from recipes.transfer.data import load_parts
from recipes.transfer.features import ArrayCache
from recipes.tuning.protocol import as_arrays, check_shares, split_rows
from recipes.tuning.space import HyperModel

IMAGE_SIZE = 64
WEIGHTS = "model.safetensors"


@dataclass
class Problem:
    """What a search is about.

    Attributes:
        model: a `keras_tuner.HyperModel`, with `space` where it has one of ours.
        key: digest of the data.
        open: given the search's folder, the training and the validation part, as arguments of
            `fit`.
        finish: given the folder and the best trial, trains its setting again and uses the test
            part; returns the metrics.
        load: given the folder and the best setting, the model that `finish` trained, built anew:
            only its weights are read.
    """

    model: keras_tuner.HyperModel
    key: str
    open: Callable[[Path], tuple[tuple, tuple]] = field(repr=False)
    finish: Callable[[Path, object], dict[str, float]] = field(repr=False)
    load: Callable[[Path, Mapping], keras.Model] = field(repr=False)


def of_data(
    recipe: Callable,
    data,
    space: Mapping | None,
    fixed: dict,
    *,
    target: str | None = None,
    validation: float,
    test: float,
    max_epochs: int,
    seed: int,
) -> Problem:
    """The problem of a recipe, or of a function `build(hp)`, on arrays, a table or a folder.

    Raises:
        ValueError: the data or the space is not usable.
    """
    check_shares(validation, test)
    if isinstance(data, str | Path):
        fixed = dict(fixed)
        size = fixed.pop("image_size", IMAGE_SIZE)
        x, labels, classes, parts = _pictures(data, size, validation, test, seed)
    else:
        x, labels, classes = as_arrays(data, target)
        parts = None
    model = _hyper_model(recipe, space, fixed, x, len(classes), seed)

    def rows(folder: Path) -> dict[str, np.ndarray]:
        return split_rows(folder, labels, validation, test, seed, parts)

    def begin(folder: Path):
        drawn = rows(folder)
        return tuple((x[drawn[name]], labels[drawn[name]]) for name in ("train", "validation"))

    def finish(folder: Path, trial) -> dict[str, float]:
        drawn = rows(folder)
        seen = np.concatenate([drawn["train"], drawn["validation"]])
        epochs = min((trial.best_step or 0) + 1, max_epochs)
        keras.utils.set_random_seed(seed)
        final = model.build(trial.hyperparameters)
        model.fit(trial.hyperparameters, final, x[seen], labels[seen], epochs=epochs, verbose=0)
        weights = {f"{i:04d}": keras.ops.convert_to_numpy(v) for i, v in enumerate(final.weights)}
        write_arrays(folder / WEIGHTS, weights)
        replace(folder / "model.keras", lambda path: final.save(path))
        tested = drawn["test"]
        return final.evaluate(x[tested], labels[tested], verbose=0, return_dict=True)

    def load(folder: Path, best: Mapping) -> keras.Model:
        hp = keras_tuner.HyperParameters()
        hp.values = dict(best)
        final = model.build(hp)
        arrays, _ = read_arrays(folder / WEIGHTS)
        final.set_weights([arrays[name] for name in sorted(arrays)])
        return final

    return Problem(model, digest({"x": x, "y": labels}), begin, finish, load)


def _pictures(folder, image_size: int, validation: float, test: float, seed: int) -> tuple:
    """The pictures of class folders as arrays, and the rows of each part."""
    frame = split(scan(folder, verbose=False), validation=validation, test=test, seed=seed)
    classes = sorted(frame.loc[frame["status"] == "ok", "class"].unique())
    cache = ArrayCache(Path(folder))  # in memory: no file is written there
    cache.memory_limit = 1 << 62
    data, _ = load_parts(frame, classes, (image_size, image_size), cache, verbose=False)
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
