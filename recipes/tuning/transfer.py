"""A search over transfer learning on a folder: strategy, rates, dropout, augmentation."""

import inspect
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import final

import keras
import keras_tuner
import pandas as pd

from recipes import backbones
from recipes.images import augment
from recipes.images.folder import scan
from recipes.images.split import split
from recipes.lookup import find
from recipes.transfer import model as transfer_model
from recipes.transfer import strategies
from recipes.transfer.data import content_key, load_parts
from recipes.transfer.features import ArrayCache, features
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.strategies import FineTuneStrategy
from recipes.tuning.problem import Problem
from recipes.tuning.protocol import check_shares
from recipes.tuning.space import draw, resolve
from recipes.tuning.trials import TrialCurve
from recipes.workflow import fit_folder, load_classifier

TRANSFER = "transfer"
SPACE = {
    "strategy": ["small_similar", "small_dissimilar", "large_similar"],
    "learning_rate": (3e-4, 1e-2, "log"),
    "fine_tune_rate": (3e-5, 1e-3, "log"),
    "dropout": (0.0, 0.5),
    "batch_size": [16, 32, 64],
    "augmentation": ["none", "light", "strong"],
}
CONDITIONS = {
    "fine_tune_rate": ("strategy", lambda name: len(strategies.get(name).phases) > 1),
    "augmentation": ("strategy", lambda name: strategies.get(name).phases[-1].trainable_from == 0),
}
# Of `fit_folder`, and given by the search itself, or without meaning for it.
_OWN = ("folder", "output", "epochs", "validation", "test", "seed", "overwrite", "verbose")


@final
class TransferProblem(Problem):
    """Transfer learning on a folder with one subfolder of pictures a class.

    Args:
        data: the folder.
        space: changes of `SPACE`.
        fixed: arguments of `fit_folder` that are not searched.
        validation: share of the pictures.
        test: share of the pictures.
        max_epochs: of each phase.
        seed: of the split and the models.
        verbose: whether progress is shown.

    Raises:
        ValueError: the folder, the space or an argument is not usable.
    """

    def __init__(
        self,
        data: str | Path,
        space: Mapping | None,
        fixed: Mapping,
        *,
        validation: float,
        test: float,
        max_epochs: int,
        seed: int,
        verbose: bool,
    ):
        if not isinstance(data, str | Path):
            raise ValueError('data: recipe="transfer" takes a folder of pictures.')
        check_shares(validation, test)
        space = _space(space, fixed)
        frame = scan(data, groups=fixed.get("groups"), verbose=verbose)
        frame = split(frame, validation=validation, test=test, seed=seed)
        self.data = data
        self.fixed = fixed
        self.shares = {"validation": validation, "test": test}
        self.max_epochs = max_epochs
        self.seed = seed
        self.verbose = verbose
        self.model = TransferHyperModel(frame, space, {"seed": seed, **fixed}, verbose=verbose)
        self.key = content_key(frame)

    def open(self, folder: Path) -> tuple[tuple, tuple]:
        """Nothing: the model has prepared both parts in the search's folder."""
        self.model.prepare(folder / "cache")
        return (), ()

    def finish(self, folder: Path, trial) -> dict[str, float]:
        """Make a run folder of the setting."""
        values = {**self.fixed, **trial.hyperparameters.values}
        options = {k: v for k, v in values.items() if k in _arguments()}
        run = fit_folder(
            self.data,
            output=folder / "run",
            **{**options, "strategy": plan_of(values)},
            **self.shares,
            epochs=self.max_epochs,
            seed=self.seed,
            verbose=self.verbose,
        )
        shutil.rmtree(folder / "cache", ignore_errors=True)
        return {k: v for k, v in run.metrics.items() if k != "pictures"}

    def loader(self) -> Callable[[Path, Mapping], keras.Model]:
        """The run has what it takes."""
        return _load


def _load(folder: Path, best: Mapping) -> keras.Model:
    return load_classifier(folder / "run")[0]


def plan_of(values: Mapping) -> FineTuneStrategy:
    """The strategy of a setting, with its rates.

    Example:
        >>> values = {"strategy": "large_similar", "learning_rate": 0.01, "fine_tune_rate": 1e-4}
        >>> [phase.learning_rate for phase in plan_of(values).phases]
        [0.01, 0.0001]
    """
    plan = strategies.get(values.get("strategy", "small_similar"))
    rates = [values.get("learning_rate")] + [values.get("fine_tune_rate")] * len(plan.phases)
    phases = tuple(
        replace(phase, learning_rate=rate or phase.learning_rate)
        for phase, rate in zip(plan.phases, rates, strict=False)
    )
    return replace(plan, phases=phases)


class TransferHyperModel(keras_tuner.HyperModel):
    """Transfer learning on decoded parts as a `keras_tuner.HyperModel`.

    What a process needs of the pictures it reads from the search's folder, so that worker
    processes share it.

    Args:
        frame: what `split` gave.
        space: of a search.
        fixed: arguments of `fit_folder` that are not searched.
        verbose: whether the preparation shows its progress.
    """

    warm_start = False  # Hyperband's later rounds train anew, for longer

    def __init__(self, frame: pd.DataFrame, space: Mapping, fixed: Mapping, *, verbose: bool):
        super().__init__()
        self.frame = frame
        self.space = dict(space)
        self.fixed = dict(fixed)
        self.verbose = verbose
        self.classes = sorted(frame.loc[frame["status"] == "ok", "class"].unique())
        self.folder: Path | None = None
        self._parts: tuple | None = None

    def __getstate__(self):
        return {**self.__dict__, "_parts": None}

    def prepare(self, folder: Path) -> None:
        """Decode the pictures, and compute the features at each boundary that a trial may use."""
        self.folder = folder.absolute()
        data, cache = self._data()
        plans = [strategies.get(name) for name in _strategies(self.space, self.fixed)]
        start = self._model("pretrained", 0.0)
        phases = [p for plan in plans if plan.weights == "pretrained" for p in plan.phases]
        for first in sorted({phase.first_trainable(start.num_stages) for phase in phases} - {0}):
            for name in ("train", "validation"):
                features(
                    start.frozen_part(first),
                    data[name],
                    cache,
                    label=f"Features, {name} part",
                    verbose=self.verbose,
                )

    def _data(self) -> tuple:
        """The parts, and the cache that holds them: files, which processes share."""
        if self._parts is None:
            cache = ArrayCache(self.folder, memory_limit=0)
            size = self._model(None, 0.0).backbone.image_size
            data, _ = load_parts(self.frame, self.classes, size, cache, verbose=self.verbose)
            self._parts = (data, cache)
        return self._parts

    def _model(self, weights: str | None, dropout: float):
        return transfer_model.build(
            self.fixed.get("backbone", "efficientnet_lite0"),
            len(self.classes),
            weights=weights and self.fixed.get("weights", weights),
            image_size=self.fixed.get("image_size"),
            dropout=dropout,
            seed=self.fixed["seed"],
        )

    def build(self, hp):
        """The model that a setting begins with."""
        values = {**self.fixed, **draw(hp, self.space, CONDITIONS)}
        weights = "pretrained" if plan_of(values).weights == "pretrained" else None
        self._start = self._model(weights, values.get("dropout", 0.2))
        return self._start.model

    def fit(self, hp, model, *args, epochs: int, callbacks=(), **options):
        """Train by the setting's strategy; the metrics of the epoch whose weights it kept."""
        values = {**self.fixed, **hp.values}
        plan = plan_of(values).with_epochs(epochs)
        data, cache = self._data()
        history, _ = fine_tune(
            self._start,
            plan,
            data,
            cache,
            batch_size=values.get("batch_size", 32),
            augmentation=augment.get(values.get("augmentation", "light")),
            seed=self.fixed["seed"],
            verbose=False,
        )
        for callback in callbacks:
            if isinstance(callback, TrialCurve):
                callback.keep(history["val_loss"].tolist())
        last = history[history["phase"] == plan.phases[-1].name]
        best = last.loc[last["val_calibrated_loss"].idxmin()]
        return {name: float(best[name]) for name in best.index if name.startswith("val_")}


def _arguments() -> list[str]:
    return [n for n in inspect.signature(fit_folder).parameters if n not in _OWN]


def _strategies(space: Mapping, fixed: Mapping) -> list[str]:
    """The names of the strategies that a search may use."""
    names = space.get("strategy", fixed.get("strategy", "small_similar"))
    return names if isinstance(names, list) else [names]


def _space(changes: Mapping | None, fixed: Mapping) -> dict:
    """The space of a search, its strategies and backbone among those that there are."""
    space = resolve(SPACE, changes, fixed, _arguments(), fixed_only=True)
    for name in _strategies(space, fixed):
        find(name, strategies.STRATEGIES, what="strategy")
    backbone = fixed.get("backbone", "efficientnet_lite0")
    find(backbone, dict.fromkeys(backbones.names()), what="backbone")
    return space
