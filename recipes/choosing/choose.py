"""The decision for a strategy: as named, by measurement, or by a race; made once a run."""

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from recipes import strategies
from recipes.choosing import probe, race, similarity
from recipes.files import read_json, write_json
from recipes.run import DECISION, RACE, Decision, WorkFolder
from recipes.settings import Settings
from recipes.strategies import FineTuneStrategy
from recipes.tasks import Task
from recipes.transfer import model, parallel, timing
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel


def named(settings: Settings) -> FineTuneStrategy | None:
    """The strategy that the user named, or None where it is open."""
    strategy = settings.choosing.strategy
    return None if strategy in (strategies.AUTO, strategies.RACE) else strategies.get(strategy)


def start(settings: Settings, task: Task, plan: FineTuneStrategy | None = None) -> TransferModel:
    """The model that training starts from, with the weights that were named or the plan's own.

    Args:
        settings: of the training.
        task: what is to be told of each picture.
        plan: the strategy; where it is still open, the weights are the pretrained ones.
    """
    own = None if plan is not None and plan.weights == "initial" else "pretrained"
    return model.build(
        settings.model.backbone,
        task.units,
        task.name,
        weights=settings.model.weights or own,
        image_size=settings.model.image_size,
        dropout=settings.model.dropout,
        seed=settings.training.seed,
    )


def expected_time(settings: Settings, transfer: TransferModel, data: TrainingData) -> str:
    """How long the training will take, in words.

    Args:
        settings: of the training.
        transfer: the model, whose forward pass is timed on a few pictures.
        data: the parts.
    """
    picture = timing.seconds_a_picture(transfer, data)

    def most(plan: FineTuneStrategy) -> str:
        epochs = settings.training.epochs
        plan = plan.with_epochs(epochs) if epochs else plan
        size = settings.training.batch_size
        return timing.in_words(timing.estimate(transfer, plan, data, size, picture))

    plan = named(settings)
    if plan is not None:
        return f"at the most about {most(plan)}"
    head, whole = (most(strategies.get(name)) for name in ("small_similar", "large_similar"))
    return (
        f"at the most about {head} where the classifier alone is trained, {whole} where the whole "
        "network is"
    )


def choose(
    settings: Settings,
    transfer: TransferModel,
    data: TrainingData,
    work: WorkFolder,
    class_weights: np.ndarray | None = None,
) -> Decision:
    """What the user named, what the measurements say, or who wins a race.

    Args:
        settings: of the training.
        transfer: a model with pretrained weights, to measure with.
        data: the parts "train" and "validation".
        work: where the decision is kept, so that an interrupted run keeps to it.
        class_weights: one weight a class, for a race.
    """
    plan = named(settings)
    if plan is not None:
        return Decision(plan.name, {}, f"Named by hand: {plan.description}.")
    note = work.folder / DECISION
    known = parallel.from_first(read_json(note) if note.exists() else None)
    if known is not None:
        return Decision(**known)

    def compete(contenders: Iterable[str], heats: Sequence[float]) -> pd.DataFrame:
        epochs = settings.training.epochs
        plans = [strategies.get(name) for name in contenders]
        return race.race(
            [plan.with_epochs(epochs) if epochs else plan for plan in plans],
            partial(start, settings, data.task),
            data,
            heats=heats,
            note=work.folder / RACE,
            batch_size=settings.training.batch_size,
            class_weights=class_weights,
        )

    if settings.choosing.strategy == strategies.RACE:
        decision = race.decide(compete(strategies.STRATEGIES, race.HEATS))
    else:
        decision = measure(settings, transfer, data)
        if decision.runner_up:
            table = compete((decision.strategy, decision.runner_up), race.BAKE_OFF)
            decision = race.decide(table, decision)
    decision = Decision(**parallel.from_first(decision.to_dict()))
    write_json(note, decision.to_dict())
    return decision


def measure(settings: Settings, transfer: TransferModel, data: TrainingData) -> Decision:
    """The divergence of the pictures and what the frozen features can do, and what follows."""
    train, options = data["train"], {"seed": data.seed, "verbose": data.verbose}
    several = data.task.name == "multilabel" and data.task.units > 1
    labels = train.labels if several else data.task.kinds(train.labels)
    return similarity.decide(
        data.task,
        train.labels,
        similarity.measure_divergence(transfer.backbone, train.pixels, **options),
        probe.probe(transfer.backbone, train.pixels, labels, **options),
        large_from=settings.choosing.large_from,
        dissimilar_from=settings.choosing.dissimilar_from,
    )
