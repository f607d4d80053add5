"""Runs a strategy's phases: train what is trainable, keep the best weights, audit what moved."""

from collections.abc import Mapping, Sequence
from functools import partial

import keras
import numpy as np
import pandas as pd
from rich.progress import Progress

from recipes import callbacks
from recipes.heads import SmoothedSparseCrossentropy
from recipes.images.augment import Augmentation
from recipes.images.augment import batch as vary
from recipes.images.pipeline import Batches
from recipes.progress import bar
from recipes.run import WorkFolder
from recipes.transfer import parallel
from recipes.transfer.features import ArrayCache, Boundary, Part
from recipes.transfer.model import TransferModel
from recipes.transfer.optimizer import StagewiseAdam
from recipes.transfer.state import State, StateKeeper, fingerprints
from recipes.transfer.strategies import FineTuneStrategy, Phase


def fine_tune(
    transfer: TransferModel,
    strategy: FineTuneStrategy,
    data: Mapping[str, Part],
    cache: ArrayCache,
    *,
    work: WorkFolder | None = None,
    class_weights: np.ndarray | None = None,
    batch_size: int = 32,
    views: int = 1,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    verbose: bool = True,
) -> tuple[pd.DataFrame, list[dict]]:
    """Train a model by a strategy, in place.

    Args:
        transfer: the model; its weights are those to start from.
        strategy: the phases.
        data: the parts "train" and "validation".
        cache: where the activations at the frozen boundary are kept.
        work: where the state is kept after each epoch; a state found there is gone on from.
        class_weights: one weight a class, to offset imbalance.
        batch_size: pictures a step.
        views: versions of each training picture at a frozen boundary; those after the first are
            augmented.
        augmentation: of the views, and of every picture in each epoch where nothing is frozen.
        seed: of the order, the augmentation and the dropout.
        verbose: whether progress is shown.

    Returns:
        The history, one row an epoch, and one audit a phase: how many variables moved.

    Raises:
        TrainingDivergedError: the loss is no longer finite; the last good state is kept.
        RuntimeError: a variable moved that the phase had frozen.
    """
    state = State.load(work)
    devices = parallel.current()
    state.restore("model", transfer.model.variables)
    train, validation = data["train"], data["validation"]
    weights = None if class_weights is None else class_weights[train.labels].astype("float32")
    for phase in strategy.phases[state.phase :]:
        first = transfer.set_trainable(phase)

        cut = Boundary(transfer, first, data, cache, views, augmentation, seed, verbose)
        batches = Batches(
            cut.inputs("train"),
            train.labels,
            views=first > 0,
            sample_weights=weights,
            batch_size=batch_size,
            shuffle=True,
            passes=phase.passes(len(train), batch_size),
            devices=devices.count,
            share=(devices.process, devices.processes),
            seed=seed,
            epoch=state.epoch,
            transform=partial(vary, settings=augmentation) if first == 0 and augmentation else None,
        )
        held_out = Batches(
            cut.inputs("validation"),
            validation.labels,
            views=first > 0,
            batch_size=batch_size,
        )
        train_phase(transfer, phase, first, batches, held_out, state, work=work, verbose=verbose)
    return pd.DataFrame(state.history), state.audits


def train_phase(
    transfer: TransferModel,
    phase: Phase,
    first: int,
    train: Batches,
    validation: Batches,
    state: State,
    *,
    work: WorkFolder | None = None,
    verbose: bool = True,
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
        work: where the state is saved.
        verbose: whether progress is shown.
    """
    variables = transfer.model.variables
    part = transfer.trainable_part(first)
    optimizer = StagewiseAdam(phase.learning_rate, rate_factors=transfer.rate_factors(phase))
    loss = SmoothedSparseCrossentropy(phase.label_smoothing)
    part.compile(optimizer, loss=loss, metrics=["accuracy"])
    optimizer.build(part.trainable_variables)
    state.restore("optimizer", optimizer.variables)
    if not state.start:
        state.start = fingerprints(variables)
    if not state.finished(phase):
        decay = _decay(phase, phase.epochs * len(train))
        keeper = StateKeeper(state, phase, variables, part, validation, work)
        with bar("steps", verbose) as display:
            part.fit(
                train,
                epochs=phase.epochs,
                initial_epoch=state.epoch,
                shuffle=False,
                verbose=0,
                callbacks=[decay, keeper, _PhaseBar(display, phase, len(train))],
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

    def on_epoch_end(self, epoch, logs=None):
        text = f"{self.label}, accuracy {logs['val_accuracy']:.3f}"
        self.display.update(self.task, description=text)
