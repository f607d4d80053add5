"""Keras callbacks of a phase: the rate in its history, its progress on the screen.

What keeps the state is `StateKeeper`, in `recipes.transfer.state`.
"""

from typing import Any

import keras
import numpy as np
from rich.progress import Progress

from recipes.strategies import Phase


class Rate(keras.callbacks.Callback):
    """Notes an epoch's last learning rate; the rate of each step is looked up where the step is.

    Args:
        rates: of each step of the phase.
    """

    def __init__(self, rates: np.ndarray):
        super().__init__()
        self.rates = rates

    def on_epoch_end(self, epoch, logs: Any = None):
        """Put the rate among the logs."""
        taken = int(self.model.optimizer.iterations)  # 0 where half precision skipped all of them
        logs["learning_rate"] = float(self.rates[max(taken - 1, 0)])


class PhaseBar(keras.callbacks.Callback):
    """Moves a progress bar through a phase, and shows the last validation accuracy.

    It moves when a step begins: what a step gives would have to be waited for.

    Args:
        display: of which it is a line.
        phase: in training.
        steps: of an epoch.
    """

    def __init__(self, display: Progress, phase: Phase, steps: int):
        super().__init__()
        self.display = display
        self.steps = steps
        self.label = f"Training, {phase.name}"
        self.task = display.add_task(self.label, total=phase.epochs * steps)

    def on_epoch_begin(self, epoch, logs=None):
        """Begin where the epochs before have ended."""
        self.display.update(self.task, completed=epoch * self.steps)

    def on_train_batch_begin(self, batch, logs=None):
        """Move on by a step."""
        self.display.advance(self.task)

    def on_epoch_end(self, epoch, logs: Any = None):
        """Show the accuracy."""
        said = f", accuracy {logs['val_accuracy']:.3f}" if "val_accuracy" in logs else " once more"
        text = f"{self.label}{said}"
        self.display.update(self.task, description=text)
