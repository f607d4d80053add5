"""Which strategy a run trains by: as named, by measurement, or by a race; decided once a run."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import pandas as pd
from recipes.transfer.similarity import Decision
from recipes.transfer.strategies import FineTuneStrategy

from recipes.files import read_json, write_json
from recipes.run import DECISION, RACE, WorkFolder
from recipes.transfer import model, parallel, probe, race, similarity, strategies
from recipes.transfer.features import ArrayCache, Part
from recipes.transfer.model import TransferModel


def start(config: Mapping, num_classes: int, plan: FineTuneStrategy | None = None) -> TransferModel:
    """The model that training starts from, with the weights that were named or the plan's own.

    Args:
        config: the arguments of `fit_folder`.
        num_classes: how many classes there are.
        plan: the strategy; where it is still open, the weights are the pretrained ones.
    """
    own = None if plan is not None and plan.weights == "initial" else "pretrained"
    return model.build(
        config["backbone"],
        num_classes,
        weights=config["weights"] or own,
        image_size=config["image_size"],
        dropout=config["dropout"],
        seed=config["seed"],
    )


def choose(
    config: Mapping,
    named: FineTuneStrategy | None,
    transfer: TransferModel,
    data: Mapping[str, Part],
    cache: ArrayCache,
    work: WorkFolder,
    training: Mapping,
) -> Decision:
    """What the user named, what the measurements say, or who wins a race.

    Args:
        config: the arguments of `fit_folder`.
        named: the strategy that was named; None where it is open.
        transfer: a model with pretrained weights, to measure with.
        data: the parts "train" and "validation".
        cache: of the features.
        work: where the decision is kept, so that an interrupted run keeps to it.
        training: arguments of `fine_tune`, for a race.
    """
    if named is not None:
        return Decision(named.name, {}, f"Named by hand: {named.description}.")
    note = work.folder / DECISION
    known = parallel.from_first(read_json(note) if note.exists() else None)
    if known is not None:
        return Decision(**known)

    def compete(contenders: Iterable[str], heats: Sequence[float]) -> pd.DataFrame:
        plans = [strategies.get(name) for name in contenders]
        if config["epochs"]:
            plans = [plan.with_epochs(config["epochs"]) for plan in plans]
        begin = partial(start, config, transfer.model.output_shape[-1])
        return race.race(
            plans, begin, data, cache, heats=heats, note=work.folder / RACE, **training
        )

    if config["strategy"] == strategies.RACE:
        decision = race.decide(compete(strategies.STRATEGIES, race.HEATS))
    else:
        decision = _measure(config, transfer, data["train"])
        if decision.runner_up:
            table = compete((decision.strategy, decision.runner_up), race.BAKE_OFF)
            decision = race.decide(table, decision)
    decision = Decision(**parallel.from_first(decision.to_dict()))
    write_json(note, decision.to_dict())
    return decision


def _measure(config: Mapping, transfer: TransferModel, train: Part) -> Decision:
    """The divergence of the pictures and what the frozen features can do, and what follows."""
    options = {"seed": config["seed"], "verbose": config["verbose"]}
    return similarity.decide(
        train.labels,
        transfer.model.output_shape[-1],
        similarity.measure_divergence(transfer.backbone, train.pixels, **options),
        probe.probe(transfer.backbone, train.pixels, train.labels, **options),
        large_from=config["large_from"],
        dissimilar_from=config["dissimilar_from"],
    )
