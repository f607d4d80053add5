"""Trainings that are cut off and gone on with."""

import numpy as np
import pytest

from recipes.transfer.state import StateKeeper
from recipes.work_folder import WorkFolder
from tests.recipes.transfer.tiny import values_of


class _Interrupted(BaseException):
    pass


def _interrupt_after(monkeypatch, epochs):
    """Let training be cut off when so many epochs have been saved."""
    original, count = StateKeeper.on_epoch_end, [0]

    def on_epoch_end(self, epoch, logs=None):
        original(self, epoch, logs)
        count[0] += 1
        if count[0] == epochs:
            raise _Interrupted

    monkeypatch.setattr(StateKeeper, "on_epoch_end", on_epoch_end)


def resumed(run, epochs, folder, monkeypatch):
    """What `run(folder, work)` gives that was cut off after so many epochs, and begun again."""
    with monkeypatch.context() as patch:
        _interrupt_after(patch, epochs)
        with WorkFolder.open(folder / "run", {}) as work, pytest.raises(_Interrupted):
            run(folder / "cut off", work)
    with WorkFolder.open(folder / "run", {}) as work:
        return run(folder / "resumed", work)


def assert_same(found, expected):
    """Two trainings went the same way to the same weights.

    Args:
        found: (transfer model, history, audits).
        expected: likewise.
    """
    (transfer, history, audits), (whole, entire, kept) = found, expected
    assert audits == kept
    columns = ["phase", "epoch", "loss", "accuracy", "val_loss", "learning_rate"]
    assert history[columns].equals(entire[columns])
    values = values_of(transfer.model)
    for path, value in values_of(whole.model).items():
        np.testing.assert_array_equal(value, values[path], err_msg=path)
