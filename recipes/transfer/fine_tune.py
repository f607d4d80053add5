"""Runs a strategy's phases: train what is trainable, keep the best weights, audit what moved."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd
from rich.progress import Progress

from recipes import callbacks
from recipes.heads import accuracy_of, loss_of
from recipes.images.augment import batch as vary
from recipes.images.pipeline import Batches
from recipes.progress import bar
from recipes.run import WorkFolder
from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer import parallel
from recipes.transfer.audience import Audience
from recipes.transfer.features import Boundary, TrainingData
from recipes.transfer.model import TransferModel
from recipes.transfer.optimizer import StagewiseAdam
from recipes.transfer.state import State, StateKeeper, fingerprints


def fine_tune(
    transfer: TransferModel,
    strategy: FineTuneStrategy,
    data: TrainingData,
    *,
    batch_size: int = 32,
    class_weights: np.ndarray | None = None,
    work: WorkFolder | None = None,
    listeners: Sequence[keras.callbacks.Callback] = (),
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

    Returns:
        The history, one row an epoch, and one audit a phase: how many variables moved.

    Raises:
        TrainingDivergedError: the loss is no longer finite; the last good state is kept.
        RuntimeError: a variable moved that the phase had frozen.
    """
    state = State.load(work)
    state.restore("model", transfer.model.variables)
    weights = None
    if class_weights is not None:
        weights = class_weights[data.task.kinds(data["train"].labels)].astype("float32")
    audience = Audience(listeners, transfer.model, state)
    for phase in strategy.phases[state.phase :]:
        first = transfer.set_trainable(phase)
        cut = data.cut(transfer, first)
        train, held_out = phase_batches(cut, phase, state.epoch, batch_size, weights)
        train_phase(transfer, phase, first, train, held_out, state, data, work, audience)
    audience.end()
    return pd.DataFrame(state.history), state.audits


def phase_batches(
    cut: Boundary, phase: Phase, epoch: int, batch_size: int, weights: np.ndarray | None = None
) -> tuple[Batches, Batches]:
    """What a phase learns from, and what decides in it.

    Args:
        cut: the model at the phase's boundary.
        phase: how often an epoch goes through the pictures.
        epoch: the one to begin at.
        batch_size: pictures a step.
        weights: one a training picture.
    """
    data, devices = cut.data, parallel.current()
    train, validation = data["train"], data["validation"]
    vary_now = cut.first == 0 and data.augmentation is not None
    batches = Batches(
        cut.inputs("train"),
        train.labels,
        views=cut.first > 0,
        sample_weights=weights,
        batch_size=batch_size,
        shuffle=True,
        passes=phase.passes(len(train), batch_size),
        devices=devices.count,
        share=(devices.process, devices.processes),
        seed=data.seed,
        epoch=epoch,
        transform=partial(vary, settings=data.augmentation) if vary_now else None,
    )
    held_out = Batches(
        cut.inputs("validation"), validation.labels, views=cut.first > 0, batch_size=batch_size
    )
    return batches, held_out


def train_phase(
    transfer: TransferModel,
    phase: Phase,
    first: int,
    train: Batches,
    validation: Batches,
    state: State,
    data: TrainingData,
    work: WorkFolder | None = None,
    audience: Audience | None = None,
) -> None:
    """Train the part behind a boundary for one phase, and leave the best weights in the model.

    Args:
        transfer: the model, with the phase's layers marked trainable.
        phase: how long and how fast.
        first: the stage at which the batches begin, 0 for pixels. It may lie before the first
            trainable stage: the answers are the same, the work is more.
        train: batches of inputs at the boundary.
        validation: as `train`.
        state: where the training stands; it is moved on.
        data: what the batches are of.
        work: where the state is saved.
        audience: the user's callbacks.
    """
    variables = transfer.model.variables
    part = transfer.trainable_part(first)
    optimizer = StagewiseAdam(phase.learning_rate, rate_factors=transfer.rate_factors(phase))
    loss = loss_of(data.task.name, phase.label_smoothing)
    part.compile(optimizer, loss=loss, metrics=[accuracy_of(data.task.name)])
    optimizer.build(part.trainable_variables)
    state.restore("optimizer", optimizer.variables)
    if not state.start:
        state.start = fingerprints(variables)
    if not state.finished(phase):
        decay = _decay(phase, phase.epochs * len(train))
        keeper = StateKeeper(state, phase, variables, part, validation, data.task, work)
        heard = [] if audience is None else [audience.during(phase)]
        with bar("steps", data.verbose) as display:
            part.fit(
                train,
                epochs=phase.epochs,
                initial_epoch=state.epoch,
                shuffle=False,
                verbose=0,
                callbacks=[decay, keeper, _PhaseBar(display, phase, len(train)), *heard],
            )
    state.restore("best", variables)
    moved = audit(phase, transfer.model, state.start, fingerprints(variables))
    state.audits.append(moved)
    state.put("model", variables, part.variables)
    for kind in ("best", "optimizer"):
        state.drop(kind)
    state.phase, state.epoch, state.best_epoch, state.start = state.phase + 1, 0, 0, []
    state.best_loss = state.epoch_loss = None
    state.save(work)


def _decay(phase: Phase, steps: int) -> callbacks.LearningRateDecay:
    """The phase's scheme over so many steps, behind its warm-up."""
    rising = round(phase.warmup * steps)
    options = {"learning_rate": phase.learning_rate, "decay_steps": steps - rising}
    decay = callbacks.get(phase.decay, **options)
    return callbacks.Warmup(decay, steps=rising) if rising else decay


def audit(
    phase: Phase, model: keras.Model, before: Sequence[str], after: Sequence[str]
) -> dict[str, int | str]:
    """Count which variables a phase has moved.

    Args:
        phase: the phase that ended.
        model: whose variables they are, with the phase's layers still marked.
        before: digests at the phase's start, in the order of `model.variables`.
        after: digests at its end.

    Returns:
        The counts: weights and statistics that may move, those that did, those that are frozen.

    Raises:
        RuntimeError: a frozen weight, or a statistic that the phase does not update, moved.
    """
    free = {id(v) for v in model.trainable_variables}
    for layer in model.layers:
        statistics = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        if statistics:
            free.update(id(v) for v in layer.non_trainable_variables)
    weights = {id(v) for v in model.weights}
    rows = [
        (v.path, id(v) in free, old != new)
        for v, old, new in zip(model.variables, before, after, strict=True)
        if id(v) in weights
    ]
    wrong = [path for path, may_move, moved in rows if moved and not may_move]
    if wrong:
        raise RuntimeError(
            f"In the phase {phase.name!r} {len(wrong)} frozen variables moved: {wrong[:5]}."
        )
    return {
        "phase": phase.name,
        "trainable": sum(may_move for _, may_move, _ in rows),
        "moved": sum(moved for *_, moved in rows),
        "frozen": sum(not may_move for _, may_move, _ in rows),
    }


class _PhaseBar(keras.callbacks.Callback):
    """Moves a progress bar through a phase, and shows the last validation accuracy."""

    def __init__(self, display: Progress, phase: Phase, steps: int):
        super().__init__()
        self.display = display
        self.steps = steps
        self.label = f"Training, {phase.name}"
        self.task = display.add_task(self.label, total=phase.epochs * steps)

    def on_epoch_begin(self, epoch, logs=None):
        self.display.update(self.task, completed=epoch * self.steps)

    def on_train_batch_end(self, batch, logs=None):
        self.display.advance(self.task)

    def on_epoch_end(self, epoch, logs: Any = None):
        text = f"{self.label}, accuracy {logs['val_accuracy']:.3f}"
        self.display.update(self.task, description=text)
