"""Runs a strategy's phases: train what is trainable, keep the best weights, audit what moved."""

import time
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from recipes import callbacks
from recipes.dtypes import policy_of
from recipes.losses import accuracy_of, loss_of
from recipes.progress import bar
from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer import lora
from recipes.transfer.audience import Audience
from recipes.transfer.audit import audit
from recipes.transfer.balance import frozen_accuracy
from recipes.transfer.clock import Clock
from recipes.transfer.features import Boundary, TrainingData
from recipes.transfer.model import TransferModel
from recipes.transfer.optimizer import StagewiseAdam, scaled
from recipes.transfer.phase_callbacks import PhaseBar, Rate
from recipes.transfer.refine import LIKE, UNLIKE, blend
from recipes.transfer.state import State, StateKeeper, fingerprints, judged, movable
from recipes.transfer.stretches import Stretch, stretches
from recipes.work_folder import WorkFolder


def fine_tune(
    transfer: TransferModel,
    strategy: FineTuneStrategy,
    data: TrainingData,
    *,
    batch_size: int = 32,
    class_weights: np.ndarray | None = None,
    work: WorkFolder | None = None,
    listeners: Sequence[keras.callbacks.Callback] = (),
    known: Sequence[dict] | None = None,
    clock: Clock | None = None,
    usual: float = LIKE,
) -> tuple[pd.DataFrame, list[dict]]:
    """Train a model by a strategy, in place.

    Args:
        transfer: the model; its weights are those to start from.
        strategy: the phases.
        data: the parts "train" and "validation", and how they are varied.
        batch_size: pictures a step.
        class_weights: one weight a class, to offset imbalance.
        work: where the state is kept after each epoch; a state found there is gone on from.
        listeners: callbacks of the user's own, which see one training through all phases.
        known: the audits of a training before, for a training that nothing judges: the penalty,
            the number of epochs and the blend of each phase are taken from them.
        clock: says when training has to end; a phase then ends with the step at work.
        usual: the share of a blended phase's way that is kept where validation cannot tell.

    Returns:
        The history, one row an epoch, and one audit a phase: how many variables moved, what was
        kept: the `penalty` of a solved phase, the `blend` or the `epoch`; and the epoch at which
        it was `stopped`, where the clock or a callback did that.

    Raises:
        TrainingDivergedError: the loss is no longer finite; the last good state is kept.
        RuntimeError: a variable moved that the phase had frozen.
        ValueError: a phase of low rank finds no dense layers.
    """
    lora.check(transfer, strategy)
    state = State.load(work)
    state.restore("model", transfer.model.variables)
    audience = Audience(listeners, transfer.model, state)
    for phase in strategy.phases[state.phase :]:
        phase = phase.planned(len(data["train"]), batch_size)
        cut = data.cut(transfer, transfer.set_trainable(phase))
        left = None if known is None else known[state.phase]
        if phase.solved:
            solve_phase(cut, phase, state, class_weights, work, audience, left)
        else:
            plan = stretches(cut, phase, state.epoch, batch_size, class_weights)
            train_phase(cut, phase, plan, state, work, audience, left, clock, usual)
    audience.end()
    return pd.DataFrame(state.history), state.audits


def solve_phase(
    cut: Boundary,
    phase: Phase,
    state: State,
    class_weights: np.ndarray | None = None,
    work: WorkFolder | None = None,
    audience: Audience | None = None,
    known: dict | None = None,
) -> None:
    """Solve the classifier on frozen features, as one epoch.

    Args:
        cut: the model where the classifier begins.
        phase: with the classifier's layers marked trainable.
        state: where the training stands; it is moved on.
        class_weights: one weight a class.
        work: where the state is saved.
        audience: the user's callbacks.
        known: what the phase left in a training before, where nothing is to be judged.
    """
    began = time.perf_counter()
    transfer, data = cut.transfer, cut.data
    train = data["train"]
    before = fingerprints(transfer.model.variables)
    if audience is not None:
        transfer.model.compile("sgd")
        audience.begin(transfer.model, {"epochs": 1, "steps": 1, "verbose": 0})
        audience.tell("on_epoch_begin", len(state.history))
    found = cut.solved(class_weights, None if known is None else known["penalty"])
    found.put_into(transfer.model.layers[-1])
    said = cut.outputs("train", transfer.model.output, "Judging")
    row = {"loss": data.task.loss(train.labels, said)}
    row["accuracy"] = data.task.accuracy(train.labels, said)
    balanced = frozen_accuracy(data.task, train.labels, found.outputs)
    if balanced is not None:
        labels, outputs = train.labels[found.judged], found.outputs[found.judged]
        row["cross_validated_loss"] = data.task.loss(labels, outputs)
        row["cross_validated_accuracy"] = data.task.accuracy(labels, outputs)
        row["cross_validated_balanced_accuracy"] = balanced
    if known is None:
        held_out = cut.outputs("validation", transfer.model.output, "Judging")
        row |= judged(data.task, data["validation"].labels, held_out)
    timed = {"learning_rate": float("nan"), "seconds": time.perf_counter() - began}
    state.history.append({"phase": phase.name, "epoch": 1, **row, **timed})
    state.start = before
    figures = {name: value for name, value in row.items() if "val" in name}
    _end(phase, cut, state, work, {"penalty": found.penalty, **figures})
    if audience is not None:
        audience.tell_epoch(len(state.history) - 1, phase, row)


def train_phase(
    cut: Boundary,
    phase: Phase,
    plan: Sequence[Stretch],
    state: State,
    work: WorkFolder | None = None,
    audience: Audience | None = None,
    known: dict | None = None,
    clock: Clock | None = None,
    usual: float = LIKE,
) -> None:
    """Train the part behind a boundary for one phase, and leave the weights to keep in the model.

    Args:
        cut: the model where the phase's layers, marked trainable, begin.
        phase: how long and how fast.
        plan: the stretches still to come, of which the batches may begin before the first
            trainable stage: the answers are the same, the work is more.
        state: where the training stands; it is moved on.
        work: where the state is saved.
        audience: the user's callbacks.
        known: what the phase left in a training before, where nothing is to be judged.
        clock: says when training has to end.
        usual: the share of the way that is kept where validation cannot tell.
    """
    transfer, data = cut.transfer, cut.data
    plain = list(transfer.model.variables)
    adapters = lora.enable(transfer, phase, data.seed + state.phase)
    variables = [*plain, *adapters.variables]
    if adapters.layers:
        state.restore("model", variables)
    if not state.start:
        state.start = fingerprints(plain)
        state.put("origin", plain, [*movable(transfer.model), *adapters.kernels])
    last = _last_epoch(phase, known)
    with bar("steps", data.verbose) as display:
        for stretch in plan:
            until = min(stretch.until, last)
            if state.epoch >= until or state.finished(phase):
                continue
            trained, rates = _compiled(stretch, phase, cut)
            state.restore("optimizer", trained.optimizer.variables)
            held_out = stretch.held_out if known is None else None
            keeper = StateKeeper(
                state, phase, variables, stretch.part, held_out, data.task, work, clock
            )
            heard = [audience.during(phase)] if audience and audience.listeners else []
            moving = PhaseBar(display, phase, len(stretch.train))
            trained.fit(
                stretch.train,
                epochs=until,
                initial_epoch=state.epoch,
                shuffle=False,
                verbose=0,
                callbacks=[Rate(rates), keeper, moving, *heard],
            )
            if state.cut_short:
                state.save(work)  # once more, now that the user's callbacks have been heard
    stopped = {"stopped": state.epoch} if state.cut_short else {}
    usual = usual if state.phase else UNLIKE  # a start that nothing was solved for is worth nothing
    if not phase.blended:
        state.restore("best", variables)
    if adapters.layers:
        audit(phase, transfer.model, state.start, plain)  # until now kernels are frozen, too
        adapters.merge(transfer.model)
        state.drop("model", beyond=len(plain))
    if phase.blended:
        left = blend(cut, state, usual, None if known is None else known["blend"])
    else:
        left = state.kept()
    _end(phase, cut, state, work, {**left, **stopped}, adapters.kernels)


def _end(
    phase: Phase,
    cut: Boundary,
    state: State,
    work: WorkFolder | None,
    left: dict,
    merged: Sequence = (),
) -> None:
    """Note what moved and what a phase leaves, and move on to the next."""
    model = cut.transfer.model
    moved = audit(phase, model, state.start, model.variables, merged)
    state.audits.append({**moved, **left})
    state.put("model", model.variables, cut.transfer.trainable_part(cut.first).variables)
    for kind in ("best", "origin", "optimizer"):
        state.drop(kind)
    state.phase, state.epoch, state.best_epoch, state.start = state.phase + 1, 0, 0, []
    state.best_loss = state.epoch_loss = None
    state.cut_short = False
    state.save(work)


def _last_epoch(phase: Phase, known: dict | None) -> int:
    """How many epochs a phase has, by what a training before has kept of them."""
    if known is None:
        return phase.epochs
    if known.get("blend") == 0:
        return 0  # nothing of it would be kept
    last = known.get("epoch", phase.epochs)
    return min(last, known.get("stopped", last))


def _compiled(stretch: Stretch, phase: Phase, cut: Boundary) -> tuple[keras.Model, np.ndarray]:
    """What `fit` is called of, with an optimizer that has not begun, and each step's rate."""
    transfer, task = cut.transfer, cut.data.task
    steps = phase.epochs * len(stretch.train)
    rates = _decay(phase, steps).as_schedule(steps)
    optimizer = StagewiseAdam(rates, rate_factors=transfer.rate_factors(phase))
    optimizer = scaled(optimizer, policy_of(transfer.model))
    trained = stretch.trained()
    trained.compile(
        optimizer,
        loss=loss_of(task.name, phase.label_smoothing),
        metrics=[accuracy_of(task.name, mixed=stretch.mixed)],
        auto_scale_loss=False,
    )
    optimizer.build(stretch.part.trainable_variables)
    return trained, rates.rates


def _decay(phase: Phase, steps: int) -> callbacks.LearningRateDecay:
    """The phase's scheme over so many steps, behind its warm-up."""
    rising = round(phase.warmup * steps)
    options = {"learning_rate": phase.learning_rate, "decay_steps": steps - rising}
    decay = callbacks.get(phase.decay, **options)
    return callbacks.Warmup(decay, steps=rising) if rising else decay
