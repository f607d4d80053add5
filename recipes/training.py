"""A training, step by step: from the pictures to the run's folder."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from recipes import augmentation, report
from recipes.backbones.base import Backbone
from recipes.checking import in_run
from recipes.choosing import choose, planning
from recipes.classifier import Classifier
from recipes.images.inspection import UNLABELLED
from recipes.images.parts import ArrayCache, Collection
from recipes.images.pipeline import stream
from recipes.images.sources import Source
from recipes.keras_setup import describe
from recipes.progress import say, say_all
from recipes.run import Decision, Run
from recipes.settings import FLOAT32, Settings
from recipes.strategies import FineTuneStrategy
from recipes.transfer import kept, lora, novelty, parallel, results, weighing
from recipes.transfer.clock import Clock
from recipes.transfer.explain import explainer
from recipes.transfer.features import TrainingData
from recipes.transfer.learn import Learned, learn
from recipes.transfer.model import TransferModel
from recipes.transfer.timing import Pace
from recipes.work_folder import WorkFolder, check_output

UNLABELLED_TABLE = "unlabelled.csv"


def train(
    data: Any,
    settings: Settings,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    output: str,
    overwrite: bool,
    verbose: bool,
) -> Run:
    """From the pictures to the run's folder.

    Args:
        data: as `recipes.fit` takes it.
        settings: of the training.
        callbacks: Keras callbacks of the user's own.
        output: the run's folder.
        overwrite: replace a finished run in `output`.
        verbose: whether progress is shown.
    """
    check_output(output, overwrite)
    began = time.perf_counter()
    pictures = Collection.open(data, settings.data, seed=settings.training.seed, verbose=verbose)
    found = pictures.summary()
    if settings.training.precision != FLOAT32:
        found["precision"] = f"{settings.training.precision}; the model that is written has float32"
    say_all(found, verbose)
    _note(found, "backbone", kept.refused(settings.model.backbone), verbose)
    identity = _identity(settings, pictures)
    parallel.agree(identity)
    wanted = settings.training.class_weights
    given = weighing.given_weights(pictures.task, wanted)
    with WorkFolder.open(output, identity, overwrite=overwrite) as work:
        clock = Clock.open(work.folder, settings.training.time_limit, began)
        transfer = choose.start(settings, pictures.task, choose.named(settings))
        lora.check(transfer, choose.named(settings))
        training, frame = _decoded(pictures, settings, transfer.backbone, work, verbose)
        settings, size = planning.sized(settings, training, work)
        if size is not None:
            _note(found, "batch_size", size.in_words(), verbose)
        rates = 1.0 if size is None else size.rates
        weights, weighed = weighing.class_weights(
            training.task, training["train"].labels, wanted, given
        )
        plan = _planned(settings, transfer, training, work, clock, weights, rates, found)
        in_run.keep(work.folder, transfer, plan.strategy, training, frame)
        learned = learn(
            partial(choose.start, settings, pictures.task, plan.strategy),
            plan.strategy,
            training,
            refit=plan.refit,
            batch_size=settings.training.pictures_a_step,
            class_weights=weights,
            work=work,
            listeners=callbacks,
            clock=clock,
            unlike=choose.unlike(settings, plan.decision, transfer, training),
        )
        novelty.keep(work.folder, learned.cut, learned.held_out)
        info = {
            "config": {**_given(data, pictures.source, output), **settings.to_dict()},
            "batch_size": None if size is None else asdict(size),
            "class_weights": weighed,
            "devices": asdict(parallel.current()),
            "scan": found,
            "reading": pictures.reading.to_dict(),
            **_outcome(plan, learned, clock),
        }
        transfer, training = learned.cut.transfer.in_float32(), learned.cut.data
        kept.keep(work.folder, settings.model.backbone)
        results.write_run(work.folder, transfer, frame, learned.history, training, info)
        _write_report(work, transfer, training)
        _predict_unlabelled(work.folder, pictures, frame, transfer, training)
        return Run.load(work.finish())


def _note(found: dict[str, str], name: str, text: str, verbose: bool) -> None:
    """Say what was found or decided, where there is something to say, and keep it for the run."""
    if text:
        found[name] = text
        say_all({name: text}, verbose)


def _identity(settings: Settings, pictures: Collection) -> dict:
    """All that decides the run's result; an unfinished run goes on where it is the same."""
    return {
        **{name: value for name, value in settings.to_dict().items() if name != "time_limit"},
        "content": pictures.key(),
        "versions": results.versions(),
        "keras": describe(),
    }


def _decoded(
    pictures: Collection,
    settings: Settings,
    backbone: Backbone,
    work: WorkFolder,
    verbose: bool,
) -> tuple[TrainingData, pd.DataFrame]:
    """The parts' pixels, with how they are varied, and the table of the pictures."""
    cache = ArrayCache(work.folder / "cache", settings.data.cache_limit)
    parts, frame = pictures.decoded(backbone.image_size, cache, verbose=verbose)
    training = TrainingData(
        parts,
        pictures.task,
        cache,
        views=settings.training.views,
        augmentation=augmentation.get(settings.training.augmentation),
        seed=settings.training.seed,
        verbose=verbose,
    )
    return training, frame


@dataclass(frozen=True)
class _Plan:
    """What is to be trained.

    Attributes:
        decision: for a strategy.
        strategy: its phases, as there is time for them.
        refit: whether the validation part is learned from in the end.
        expected: the most seconds that the run takes.
    """

    decision: Decision
    strategy: FineTuneStrategy
    refit: bool
    expected: float


def _planned(
    settings: Settings,
    transfer: TransferModel,
    training: TrainingData,
    work: WorkFolder,
    clock: Clock,
    weights: np.ndarray | None,
    rates: float,
    found: dict[str, str],
) -> _Plan:
    """Choose a strategy and what of it there is time for; the clock then knows when to stop."""
    pace = Pace.measured(transfer, training, settings.training.pictures_a_step)
    seconds = choose.expected_times(settings, pace)
    _note(found, "time", choose.times_in_words(seconds), training.verbose)
    decision = choose.choose(
        settings,
        transfer,
        training,
        work,
        weights,
        seconds=seconds,
        time_left=clock.left if clock.limit else None,
        rates=rates,
    )
    measured = pace.features() if choose.named(settings) is None else 0.0
    strategy, refit, left_out = planning.planned(
        settings, decision, pace, clock, work, measured, rates
    )
    _note(found, "time_limit", left_out, training.verbose)
    unmixed = planning.unmixed(training.augmentation, strategy, transfer)
    _note(found, "augmentation", unmixed, training.verbose)
    expected = clock.used + pace.of(strategy, refit) - measured
    clock.reserve = pace.finishing(strategy)
    return _Plan(decision, strategy, refit, expected)


def _outcome(plan: _Plan, learned: Learned, clock: Clock) -> dict:
    """What `run.json` says of the choice and of the training."""
    temperatures = learned.temperatures.tolist()
    return {
        "decision": plan.decision.to_dict(),
        "strategy": plan.strategy.to_dict(),
        "audit": learned.audits,
        "refit": learned.refit,
        "temperature": temperatures[0] if len(temperatures) == 1 else temperatures,
        "seconds": clock.used,
        "time": {"expected": plan.expected, "limit": clock.limit},
    }


def _given(data: Any, source: Source, output: str) -> dict[str, str | None]:
    """What `run.json` says of the data: what was given, and the folder of the pictures."""
    path = os.path.abspath(data) if isinstance(data, str | Path) else None
    return {"data": path, "folder": os.path.abspath(source.folder), "output": output}


def _write_report(work: WorkFolder, transfer: TransferModel, training: TrainingData) -> None:
    learned, shown = training["train"], training[results.evaluated_part(training)]
    names = training.task.names_of(learned.labels)
    report.write(work.folder, learned.pixels, names, shown.pixels, explain=explainer(transfer))


def _predict_unlabelled(
    folder: Path,
    pictures: Collection,
    frame: pd.DataFrame,
    transfer: TransferModel,
    data: TrainingData,
) -> None:
    """Predict the pictures of a test part without labels, into a table of their own."""
    files = list(frame.loc[frame["status"] == UNLABELLED, "path"])
    if files:
        size, verbose = transfer.backbone.image_size, data.verbose
        options = {"reading": pictures.reading, "label": "Predicting", "verbose": verbose}
        batches = stream(pictures.source, files, size, **options)
        known = novelty.read(folder)
        classifier = Classifier(transfer.model, data.task, known=known)
        table = classifier.answers(files, batches)
        table.to_csv(folder / UNLABELLED_TABLE, index=False)
        say(f"{len(files):,} pictures without labels are predicted in {UNLABELLED_TABLE}", verbose)
