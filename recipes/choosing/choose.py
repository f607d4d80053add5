"""The decision for a strategy: as named, by measurement, or by a race; made once a run."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from recipes import dtypes, strategies
from recipes.choosing import race
from recipes.choosing.decide import decide
from recipes.choosing.expected import SHARES
from recipes.choosing.survey import divergence_of, survey
from recipes.files import read_json, write_json
from recipes.run import Decision
from recipes.settings import Settings
from recipes.strategies import FineTuneStrategy
from recipes.tasks import Task
from recipes.transfer import model, parallel, timing
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel
from recipes.transfer.refine import LIKE, UNLIKE
from recipes.transfer.timing import Pace
from recipes.work_folder import DECISION, RACE, WorkFolder


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
    with dtypes.scope(settings.training.precision):
        return model.build(
            settings.model.backbone,
            task.units,
            task.name,
            weights=settings.model.weights or own,
            image_size=settings.model.image_size,
            dropout=settings.model.dropout,
            seed=settings.training.seed,
        )


def expected_times(settings: Settings, pace: Pace) -> dict[str, float]:
    """The most seconds that each strategy takes that may be chosen; of what is named, its own.

    Args:
        settings: of the training.
        pace: of the training.
    """
    plan = named(settings)
    plans = [strategies.get(name) for name in SHARES] if plan is None else [plan]
    epochs = settings.training.epochs
    plans = [one.with_epochs(epochs) if epochs else one for one in plans]
    return {one.name: pace.of(one, refitted(settings, one, pace.data)) for one in plans}


def unlike(
    settings: Settings, decision: Decision, transfer: TransferModel, data: TrainingData
) -> bool:
    """Whether the pictures are unlike the pretraining data; measured unless the decision says it.

    Args:
        settings: of the training.
        decision: for a strategy.
        transfer: with pretrained weights.
        data: the part "train".
    """
    plan = named(settings) or strategies.get(decision.strategy)
    if plan.weights == "initial" or not any(phase.blended for phase in plan.phases):
        return False
    found = decision.measurements.get("divergence")
    found = divergence_of(transfer, data) if found is None else found
    return found >= settings.choosing.dissimilar_from


def times_in_words(seconds: Mapping[str, float]) -> str:
    """What `expected_times` gave, for people."""
    texts = [f"{name} {timing.in_words(value)}" for name, value in seconds.items()]
    return f"at the most about {', '.join(texts)}"


def refitted(settings: Settings, plan: FineTuneStrategy, data: TrainingData) -> bool:
    """Whether the model learns from the validation part, too, in the end.

    Never where the figures are of the validation part, since there is no test part.
    """
    if not len(data["test"]):
        return False
    wanted = settings.training.refit
    return bool(plan.phases) and (plan.weights == "pretrained" if wanted is None else wanted)


def choose(
    settings: Settings,
    transfer: TransferModel,
    data: TrainingData,
    work: WorkFolder,
    class_weights: np.ndarray | None = None,
    *,
    seconds: Mapping[str, float] | None = None,
    time_left: float | None = None,
    rates: float = 1.0,
) -> Decision:
    """What the user named, what the measurements say, or who wins a race.

    Args:
        settings: of the training.
        transfer: a model with pretrained weights, to measure with.
        data: the parts "train" and "validation".
        work: where the decision is kept, so that an interrupted run keeps to it.
        class_weights: one weight a class.
        seconds: that each strategy is expected to take.
        time_left: seconds that there are, where there is a limit.
        rates: by what learning rates are multiplied in a race.
    """
    plan = named(settings)
    if plan is not None:
        return Decision(plan.name, {}, f"Named by hand: {plan.description}.")
    note = work.folder / DECISION
    known = parallel.from_first(read_json(note) if note.exists() else None)
    if known is not None:
        return Decision(**known)
    if settings.choosing.strategy == strategies.RACE:
        decision = race.decide(_raced(settings, transfer, data, work, class_weights, rates))
    else:
        options = {"seconds": seconds, "time_left": time_left}
        decision = measure(settings, transfer, data, class_weights, **options)
    decision = Decision(**parallel.from_first(decision.to_dict()))
    write_json(note, decision.to_dict())
    return decision


def _raced(
    settings: Settings,
    transfer: TransferModel,
    data: TrainingData,
    work: WorkFolder,
    class_weights: np.ndarray | None,
    rates: float,
) -> pd.DataFrame:
    """The four strategies against each other."""
    epochs = settings.training.epochs
    plans = [plan.with_rates(rates) for plan in strategies.STRATEGIES.values()]
    unlike = divergence_of(transfer, data) >= settings.choosing.dissimilar_from
    return race.race(
        [plan.with_epochs(epochs) if epochs else plan for plan in plans],
        partial(start, settings, data.task),
        data,
        note=work.folder / RACE,
        batch_size=settings.training.pictures_a_step,
        class_weights=class_weights,
        usual=UNLIKE if unlike else LIKE,
    )


def measure(
    settings: Settings,
    transfer: TransferModel,
    data: TrainingData,
    class_weights: np.ndarray | None = None,
    **options,
) -> Decision:
    """How unlike the pictures are and what the classifier alone can do, and what follows.

    Args:
        settings: of the training.
        transfer: with pretrained weights.
        data: the part "train".
        class_weights: one weight a class.
        **options: of `decide.decide`.
    """
    return decide(
        data.task,
        data["train"].labels,
        survey(transfer, data, class_weights),
        large_from=settings.choosing.large_from,
        dissimilar_from=settings.choosing.dissimilar_from,
        **options,
    )
