"""A training from its start to the model that is kept: judged first, then gone on with from all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np
import pandas as pd

from recipes import tasks
from recipes.strategies import CONTINUED, FineTuneStrategy, Phase
from recipes.transfer import novelty, parallel
from recipes.transfer.clock import Clock
from recipes.transfer.features import Boundary, TrainingData
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.model import TransferModel
from recipes.transfer.refine import LIKE, UNLIKE, calibrate, cool
from recipes.transfer.state import State
from recipes.work_folder import WorkFolder

FULL = 2.0  # what a step at full size costs, at the most, by those of the whole training


@dataclass(frozen=True)
class Learned:
    """What a training has come to.

    Attributes:
        cut: the model, where its frozen layers end, and what it learned from. The task has the
            thresholds that the validation part supports.
        history: one row an epoch of the training that was judged.
        audits: one a phase: what moved, and what was kept.
        refit: the audit of the training on all pictures; empty where there was none, as where
            time had run out.
        temperatures: by which logits are divided.
        held_out: the distances of pictures that were not learned from, for `novelty`.
    """

    cut: Boundary
    history: pd.DataFrame
    audits: list[dict]
    refit: list[dict]
    temperatures: np.ndarray
    held_out: np.ndarray


def learn(
    start: Callable[[], TransferModel],
    plan: FineTuneStrategy,
    data: TrainingData,
    *,
    refit: bool,
    batch_size: int = 32,
    class_weights: np.ndarray | None = None,
    work: WorkFolder | None = None,
    listeners: Sequence[keras.callbacks.Callback] = (),
    clock: Clock | None = None,
    unlike: bool = False,
) -> Learned:
    """Train by a strategy, calibrate, and learn on from the validation part too.

    The first training learns from the training part; the validation part chooses what to keep of
    it, the temperature and the thresholds. The second one goes on from there: it solves the
    classifier again, or has a quarter more of the last phase of which something was kept, and
    learns from both parts; nothing judges it but the test part in the end.

    Args:
        start: gives the model to start from.
        plan: the strategy.
        data: the parts "train" and "validation", and how they are varied.
        refit: whether there is a second training.
        batch_size: pictures a step.
        class_weights: one weight a class.
        work: where the state is kept.
        listeners: callbacks of the user's own, which hear of the first training.
        clock: says when training has to end; the second one is left out where there is no time
            for it, and has all that it needs where it was begun.
        unlike: whether the pictures are unlike the pretraining data.
    """
    transfer = start()
    train = partial(
        fine_tune,
        batch_size=batch_size,
        class_weights=class_weights,
        work=work,
        usual=UNLIKE if unlike else LIKE,
    )
    state = State.load(work)
    if state.judgement:
        task = tasks.from_dict(state.judgement["task"])
        found = Learned(
            _cut(transfer, plan, replace(data, task=task), state.judgement["audits"]),
            pd.DataFrame(state.judgement["history"]),
            state.judgement["audits"],
            [],
            np.array(state.judgement["temperatures"]),
            state.arrays["held_out/0000"],
        )
    else:
        history, audits = train(transfer, plan, data, listeners=listeners, clock=clock)
        cut = _cut(transfer, plan, data, audits)
        state = State()
        state.put("model", transfer.model.variables, transfer.trainable_part(cut.first).variables)
        alone = [phase.solved for phase, _ in _kept(plan, audits)] == [True]
        temperatures, task = calibrate(cut, cut.solved(class_weights) if alone else None)
        cut = replace(cut, data=replace(data, task=task))
        held_out = novelty.held_out(cut)
        found = Learned(cut, history, audits, [], temperatures, held_out)
        if not (refit and _kept(plan, audits) and parallel.from_first(_fits(found, clock))):
            return found
        state.judgement, state.arrays["held_out/0000"] = _noted(found), held_out
        state.save(work)
        state.restore("model", transfer.model.variables)  # without the temperature
    cut = replace(found.cut, transfer=transfer, data=found.cut.data.joined())
    phase, audit = _kept(plan, found.audits)[-1]
    _, again = train(transfer, replace(plan, phases=(phase,)).continued(), cut.data, known=[audit])
    cool(cut, found.temperatures)
    return replace(found, cut=cut, refit=again)


def _fits(found: Learned, clock: Clock | None) -> bool:
    """Whether there is time to go on, by what the first training took."""
    if clock is None:
        return True
    data = found.cut.data
    share = CONTINUED["share"] * FULL * (1 + len(data["validation"]) / len(data["train"]))
    return share * float(found.history["seconds"].sum()) <= clock.left


def _cut(
    transfer: TransferModel, plan: FineTuneStrategy, data: TrainingData, audits: Sequence[dict]
) -> Boundary:
    """The model where the layers end of which no phase's training was kept."""
    firsts = [phase.first_trainable(transfer.num_stages) for phase, _ in _kept(plan, audits)]
    return data.cut(transfer, min(firsts, default=0))


def _kept(plan: FineTuneStrategy, audits: Sequence[dict]) -> list[tuple[Phase, dict]]:
    """The phases of whose training something was kept, and what they left."""
    both = zip(plan.phases, audits, strict=False)
    return [(phase, audit) for phase, audit in both if audit.get("blend") != 0]


def _noted(found: Learned) -> dict:
    """What the second training takes from the first, as values for a JSON file."""
    return {
        "history": found.history.to_dict("records"),
        "audits": found.audits,
        "temperatures": found.temperatures.tolist(),
        "task": found.cut.data.task.to_dict(),
    }
