"""A search over transfer learning: strategy, rates, dropout, augmentation."""

import copy
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, final

import keras
import keras_tuner

from recipes import backbones, strategies
from recipes.backbones.base import Backbone
from recipes.choosing import choose
from recipes.choosing.survey import divergence_of
from recipes.images import augment
from recipes.images.parts import ArrayCache, Collection
from recipes.lookup import find
from recipes.prediction import load_classifier
from recipes.settings import ModelSettings, Settings, options_of
from recipes.strategies import AUTO, FineTuneStrategy, Phase
from recipes.transfer.features import TrainingData, features
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.refine import LIKE, UNLIKE
from recipes.tuning.problem import Problem
from recipes.tuning.protocol import check_shares
from recipes.tuning.space import decoded, draw, resolve
from recipes.tuning.trials import TrialCurve
from recipes.workflow import fit

DEFAULT = "small_similar"
TRANSFER = "transfer"
SPACE = {
    "strategy": ["small_similar", "small_dissimilar", "large_similar"],
    "learning_rate": (3e-4, 1e-2, "log"),
    "fine_tune_rate": (3e-5, 1e-3, "log"),
    "dropout": (0.0, 0.5),
    "batch_size": [16, 32, 64],
    "augmentation": ["none", "light", "strong"],
}
TRAINED = Phase("classifier", trainable_from=1.0, epochs=30, learning_rate=1e-3, min_steps=32)
CONDITIONS = {
    "fine_tune_rate": ("strategy", lambda name: len(strategies.get(name).phases) > 1),
    "augmentation": ("strategy", lambda name: strategies.get(name).phases[-1].trainable_from == 0),
}
METRICS = ("val_loss", "val_accuracy", "val_calibrated_loss")
# Given by the search itself.
_OWN = ("epochs", "validation", "test", "seed")


@final
class TransferProblem(Problem):
    """Transfer learning on pictures and their labels.

    Args:
        data: as for `recipes.fit`.
        space: changes of `SPACE`.
        fixed: options of `recipes.fit` that are not searched.
        validation: share of the pictures.
        test: share of the pictures.
        max_epochs: of each phase.
        seed: of the split and the models.
        callbacks: Keras callbacks of the user's own; each training has a copy of them.
        verbose: whether progress is shown.

    Raises:
        ValueError: the data, the space or an option is not usable.
    """

    def __init__(
        self,
        data: Any,
        space: Mapping | None,
        fixed: Mapping,
        *,
        validation: float,
        test: float,
        max_epochs: int,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback],
        verbose: bool,
    ):
        check_shares(validation, test)
        space = _space(space, fixed)
        options = {"validation": validation, "test": test, "seed": seed}
        settings = Settings.of(**{k: v for k, v in fixed.items() if k in _options()}, **options)
        pictures = Collection.open(data, settings.data, seed=seed, verbose=verbose)
        self.data = data
        self.fixed = dict(fixed)
        self.options = options
        self.max_epochs = max_epochs
        self.callbacks = list(callbacks)
        self.verbose = verbose
        self.model = TransferHyperModel(pictures, space, settings, self.callbacks, verbose=verbose)
        self.key = pictures.key()

    def check(self, objective: str) -> None:
        """A training's metrics are known."""
        find(objective, dict.fromkeys(METRICS), what="objective")

    def open(self, folder: Path) -> tuple[tuple, tuple]:
        """Nothing: the model has prepared both parts in the search's folder."""
        self.model.prepare(folder / "cache")
        return (), ()

    def finish(self, folder: Path, trial) -> dict[str, float]:
        """Make a run folder of the setting."""
        setting = decoded(self.model.space, trial.hyperparameters.values)
        values = {**self.fixed, **setting}
        chosen: dict[str, Any] = {k: v for k, v in values.items() if k in _options()}
        chosen |= {"strategy": plan_of(values), "epochs": self.max_epochs, **self.options}
        run = fit(
            self.data,
            output=folder / "run",
            callbacks=copy.deepcopy(self.callbacks),
            verbose=self.verbose,
            **chosen,
        )
        shutil.rmtree(folder / "cache", ignore_errors=True)
        return {k: v for k, v in run.metrics.items() if isinstance(v, float)}

    def loader(self) -> Callable[[Path, Mapping], keras.Model]:
        """The run has what it takes."""
        return partial(_load, self.fixed.get("backbone"))


def _load(backbone: Any, folder: Path, best: Mapping) -> keras.Model:
    own = backbone if isinstance(backbone, Backbone | keras.Model) else None
    return load_classifier(folder / "run", own)[0]


def plan_of(values: Mapping) -> FineTuneStrategy:
    """The strategy of a setting, with its rates; with one of its own the classifier is trained.

    Example:
        >>> values = {"strategy": "large_similar", "learning_rate": 0.01, "fine_tune_rate": 1e-4}
        >>> [phase.learning_rate for phase in plan_of(values).phases]
        [0.01, 0.0001]
    """
    plan = strategies.get(values.get("strategy", DEFAULT))
    if values.get("learning_rate"):  # a classifier that is solved would have none
        plan = replace(plan, phases=tuple(TRAINED if p.solved else p for p in plan.phases))
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
        pictures: divided, and not decoded yet.
        space: of a search.
        settings: of each trial, but for what is searched.
        callbacks: of the user's own.
        verbose: whether the preparation shows its progress.
    """

    warm_start = False  # Hyperband's later rounds train anew, for longer

    def __init__(
        self,
        pictures: Collection,
        space: Mapping,
        settings: Settings,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        *,
        verbose: bool,
    ):
        super().__init__()
        self.pictures = pictures
        self.space = dict(space)
        self.settings = settings
        self.callbacks = list(callbacks)
        self.verbose = verbose
        self.folder: Path | None = None
        self._data: TrainingData | None = None
        self._unlike: bool | None = None

    def __getstate__(self):
        return {**self.__dict__, "_data": None}

    def prepare(self, folder: Path) -> None:
        """Decode the pictures, and compute the features at each boundary that a trial may use."""
        self.folder = folder.absolute()
        data = self._opened()
        plans = [strategies.get(name) for name in _strategies(self.space, self.settings)]
        start = choose.start(self.settings, self.pictures.task)
        phases = [p for plan in plans if plan.weights == "pretrained" for p in plan.phases]
        for first in sorted({phase.first_trainable(start.num_stages) for phase in phases} - {0}):
            for name in ("train", "validation"):
                features(
                    start.frozen_part(first),
                    data[name],
                    data.cache,
                    label=f"Features, {name} part",
                    verbose=self.verbose,
                )

    def _opened(self) -> TrainingData:
        """The parts, in a cache of files, which processes share."""
        if self._data is None:
            assert self.folder is not None  # `prepare` came first
            cache = ArrayCache(self.folder, memory_limit=0)
            size = choose.start(self.settings, self.pictures.task).backbone.image_size
            parts, _ = self.pictures.decoded(size, cache, verbose=self.verbose)
            seed = self.settings.training.seed
            self._data = TrainingData(parts, self.pictures.task, cache, seed=seed, verbose=False)
        return self._data

    def build(self, hp):
        """The model that a setting begins with."""
        values = draw(hp, self.space, CONDITIONS)
        model = replace(
            self.settings.model, dropout=values.get("dropout", self.settings.model.dropout)
        )
        plan = plan_of({"strategy": _strategies({}, self.settings)[0], **values})
        settings = replace(self.settings, model=model)
        self._start = choose.start(settings, self.pictures.task, plan)
        return self._start.model

    def fit(self, hp, model, *args, epochs: int, callbacks=(), **options):
        """Train by the setting's strategy; the metrics of the epoch whose weights it kept."""
        training = self.settings.training
        setting = decoded(self.space, hp.values)
        values: dict[str, Any] = {"strategy": _strategies({}, self.settings)[0], **setting}
        plan = plan_of(values).with_epochs(epochs)
        augmentation = augment.get(values.get("augmentation", training.augmentation))
        history, audits = fine_tune(
            self._start,
            plan,
            replace(self._opened(), augmentation=augmentation),
            batch_size=values.get("batch_size", training.pictures_a_step),
            listeners=copy.deepcopy(self.callbacks),
            usual=self._usual(plan),
        )
        for callback in callbacks:
            if isinstance(callback, TrialCurve):
                callback.keep(history["val_loss"].tolist())
        kept = audits[-1]
        return {name: kept[name] for name in kept if name.startswith("val_")}

    def _usual(self, plan: FineTuneStrategy) -> float:
        """What is kept of fine-tuning where validation cannot tell, measured once."""
        if plan.weights == "initial" or not any(phase.blended for phase in plan.phases):
            return LIKE
        if self._unlike is None:
            found = divergence_of(self._start, self._opened())
            self._unlike = found >= self.settings.choosing.dissimilar_from
        return UNLIKE if self._unlike else LIKE


def _options() -> list[str]:
    """The options of `recipes.fit` that may be fixed."""
    return [one.name for _, one in options_of() if one.name not in _OWN]


def _strategies(space: Mapping, settings: Settings) -> list[str]:
    """The names of the strategies that a search may use."""
    own = settings.choosing.strategy
    names = space.get("strategy", DEFAULT if own == AUTO else own)
    return names if isinstance(names, list) else [names]


def _space(changes: Mapping | None, fixed: Mapping) -> dict:
    """The space of a search, its strategies and backbone among those that there are."""
    space = resolve(SPACE, changes, fixed, _options(), fixed_only=True)
    for name in _strategies(space, Settings.of(**_choosing(fixed))):
        find(name, strategies.STRATEGIES, what="strategy")
    backbone = fixed.get("backbone", ModelSettings.backbone)
    backbones.check(backbone)
    return space


def _choosing(fixed: Mapping) -> dict:
    return {"strategy": fixed["strategy"]} if "strategy" in fixed else {}
