"""How far a training has come, kept after each epoch so that it can go on exactly from there."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np

from recipes.files import digest
from recipes.images.pipeline import Batches
from recipes.strategies import Phase
from recipes.tasks import Task
from recipes.transfer import parallel
from recipes.transfer.clock import Clock
from recipes.transfer.forward import predictions
from recipes.transfer.model import batch_norms
from recipes.work_folder import WorkFolder


class TrainingDivergedError(ValueError):
    """The loss became infinite or not a number."""


@dataclass
class State:
    """All that a training needs to go on exactly.

    Attributes:
        phase: index of the phase at work.
        epoch: its finished epochs.
        best_loss: the smallest validation loss of the phase at the best temperature, after the
            first phase its start included.
        epoch_loss: the smallest of the epochs alone.
        best_epoch: the epoch that had it, counted from 1; 0 before the first.
        cut_short: whether the phase ends before its time, for want of it.
        start: digest of each model variable at the phase's start.
        history: one row an epoch, all phases.
        audits: what moved, one entry a finished phase.
        judgement: in a refit, what was found before on the validation part.
        arrays: variables after the last finished epoch ("model/…", "optimizer/…"), those that
            had the smallest loss ("best/…") and those of the phase's start ("origin/…").
    """

    phase: int = 0
    epoch: int = 0
    best_loss: float | None = None
    epoch_loss: float | None = None
    best_epoch: int = 0
    cut_short: bool = False
    start: list[str] = field(default_factory=list)
    history: list[dict] = field(default_factory=list)
    audits: list[dict] = field(default_factory=list)
    judgement: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, work: WorkFolder | None) -> "State":
        """The state that a work folder holds, or that of the beginning."""
        found = parallel.from_first(work.load_state() if work else None)
        if found is None:
            return cls()
        arrays, info = found
        return cls(**info, arrays=arrays)

    def save(self, work: WorkFolder | None) -> None:
        """Write the state into the work folder, where there is one."""
        if work is not None:
            info = asdict(self)
            work.save_state(info.pop("arrays"), info)

    def put(self, kind: str, variables: Sequence, only: Sequence | None = None) -> None:
        """Take the values of variables, or of those among them that `only` lists."""
        wanted = None if only is None else {id(variable) for variable in only}
        for index, variable in enumerate(variables):
            name = f"{kind}/{index:04d}"
            if wanted is None or id(variable) in wanted or name in self.arrays:
                self.arrays[name] = to_numpy(variable)

    def restore(self, kind: str, variables: Sequence) -> None:
        """Give the variables the values that were taken."""
        for index, variable in enumerate(variables):
            array = self.arrays.get(f"{kind}/{index:04d}")
            if array is not None:
                variable.assign(array)

    def drop(self, kind: str, beyond: int = 0) -> None:
        """Forget the values of a kind, all of them or those from a place on."""
        first = f"{kind}/{beyond:04d}"
        self.arrays = {
            name: array
            for name, array in self.arrays.items()
            if not name.startswith(f"{kind}/") or name < first
        }

    def kept(self) -> dict[str, float]:
        """The epoch of the phase whose weights are kept, 0 for its start, with its figures."""
        if self.best_loss == self.epoch_loss and self.best_epoch:
            epoch = self.best_epoch
            row = next(row for row in reversed(self.history) if row["epoch"] == epoch)
        else:
            epoch, row = 0, self.audits[-1] if self.audits else {}
        figures = {name: value for name, value in row.items() if name.startswith("val_")}
        return {"epoch": epoch, **figures}

    def finished(self, phase: Phase) -> bool:
        """Whether the phase has had its epochs, or waited long enough for a better one."""
        if self.cut_short:
            return True
        waited = 0 if phase.blended else self.epoch - self.best_epoch
        return self.epoch >= phase.epochs or waited >= phase.patience


def to_numpy(variable) -> np.ndarray:
    """A copy of a variable's value."""
    return np.array(keras.ops.convert_to_numpy(variable))


def fingerprints(variables: Sequence) -> list[str]:
    """A digest of each variable's value."""
    return [digest({"value": to_numpy(variable)}) for variable in variables]


def movable(model: keras.Model) -> list:
    """The variables that training may move: weights, and statistics of batch normalization."""
    found = list(model.trainable_variables)
    for norm in batch_norms(model):
        if norm.trainable:
            found += norm.non_trainable_variables
    return found


def _seeds(model: keras.Model) -> list:
    """The states of a model's generators of random numbers, which move with each step."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def judged(task: Task, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """What the validation part says of a model's outputs."""
    return {
        "val_loss": task.loss(targets, outputs),
        "val_accuracy": task.accuracy(targets, outputs),
        "val_calibrated_loss": task.calibrated_loss(targets, outputs),
    }


class StateKeeper(keras.callbacks.Callback):
    """After each epoch: the validation, the best weights, the file to go on from, the early end.

    The best weights are those of the smallest `val_calibrated_loss`: fine-tuned networks are too
    sure long before they stop getting better, and their probabilities are calibrated in the end.
    Those that a phase after the first began with are among them, so that a phase that does not help
    costs nothing but time. A phase that is blended keeps its last weights instead.

    Args:
        state: is moved on.
        phase: how long to wait for a better validation loss.
        variables: of the whole model.
        part: the model in training.
        validation: what decides; None in a refit, where it has been decided.
        task: how it is judged.
        work: where the state is saved, if anywhere.
        clock: says when training has to end.
    """

    def __init__(
        self,
        state: State,
        phase: Phase,
        variables: Sequence,
        part: keras.Model,
        validation: Batches | None,
        task: Task,
        work: WorkFolder | None,
        clock: Clock | None = None,
    ):
        super().__init__()
        self.state = state
        self.phase = phase
        self.variables = variables
        self.part = part
        self.moving = [*movable(part), *_seeds(part)]
        self.validation = validation
        self.task = task
        self.work = work
        self.clock = clock or Clock()

    def on_train_begin(self, logs=None):
        """Validate what a phase after the first begins with: it has been trained."""
        if self.validation is None or self.phase.blended:
            return
        if self.state.phase and self.state.best_loss is None:
            self.state.best_loss = self.task.calibrated_loss(*self._validated(self.validation))
            self.state.put("best", self.variables, self.moving)

    def on_epoch_begin(self, epoch, logs=None):
        """Start the epoch's clock, and its count of steps."""
        self._began = time.perf_counter()
        self._before = self._steps()

    def on_train_batch_begin(self, batch, logs=None):
        """End the epoch where no time is left; several processes wait for its end.

        A step that has ended would have to be waited for, while the device could begin the next.
        """
        if self.clock.left < 0 and parallel.current().processes == 1:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs: Any = None):
        """Validate and note the epoch, or stop where its loss is not a number."""
        if self.validation is not None:
            logs.update(judged(self.task, *self._validated(self.validation)))
        row = {name: float(value) for name, value in logs.items()}
        if self._diverged(row):
            or_else = "Try the precision mixed_bfloat16, or" if self._scales else "Try"
            raise TrainingDivergedError(
                f"The loss became {row['loss']} (validation {row.get('val_loss')}) in epoch "
                f"{epoch + 1} of the phase {self.phase.name!r}. {or_else} a smaller learning rate, "
                "or look for pictures with extreme values. The weights of the epoch before are "
                "kept."
            )
        state = self.state
        state.epoch = epoch + 1
        seconds = time.perf_counter() - self._began
        state.history.append(
            {"phase": self.phase.name, "epoch": epoch + 1, **row, "seconds": seconds}
        )
        self._keep(row, epoch + 1)
        state.cut_short = parallel.from_first(self.clock.left < seconds)
        self.clock.keep()
        state.put("model", self.variables, self.moving)
        state.put("optimizer", self.model.optimizer.variables)
        state.save(self.work)
        self.model.stop_training = state.finished(self.phase)

    def _diverged(self, row: Mapping[str, float]) -> bool:
        """Whether a loss is no number, unless it is that of steps that loss scaling left out."""
        if not math.isfinite(row.get("val_loss", 0.0)):
            return True
        if math.isfinite(row["loss"]):
            return False
        return not self._scales or self._steps() == self._before

    @property
    def _scales(self) -> bool:
        """Whether the loss is scaled, and a step left out whose gradients are infinite."""
        return isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer)

    def _steps(self) -> int:
        """The steps that the optimizer has taken."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def _keep(self, row: Mapping[str, float], epoch: int) -> None:
        """Take the weights where they are those to keep so far."""
        state = self.state
        loss = row.get("val_calibrated_loss", 0.0)
        if self.validation is None or state.epoch_loss is None or loss < state.epoch_loss:
            state.epoch_loss, state.best_epoch = loss, epoch
        if self.phase.blended:
            return
        if self.validation is None or state.best_loss is None or loss < state.best_loss:
            state.best_loss = loss
            state.put("best", self.variables, self.moving)

    def _validated(self, validation: Batches) -> tuple[np.ndarray, np.ndarray]:
        """The validation part's targets, and what the model makes of its pictures."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        return validation.targets, predictions(self.part, validation)
