"""Strategies against each other on the validation part: successive halving.

Each heat trains the strategies that are left for a share of their epochs, and keeps the better
half. The frozen features are computed once for all of them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from recipes.files import read_json, write_json
from recipes.run import Decision
from recipes.strategies import STRATEGIES, FineTuneStrategy
from recipes.transfer import parallel
from recipes.transfer.features import TrainingData
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.model import TransferModel
from recipes.transfer.refine import LIKE, calibrate
from recipes.transfer.state import TrainingDivergedError

HEATS = (0.25, 0.5)


def race(
    contenders: Sequence[FineTuneStrategy],
    start: Callable[[FineTuneStrategy], TransferModel],
    data: TrainingData,
    *,
    heats: Sequence[float] = HEATS,
    note: Path | None = None,
    batch_size: int = 32,
    class_weights: np.ndarray | None = None,
    usual: float = LIKE,
) -> pd.DataFrame:
    """Let strategies compete until one is left.

    Args:
        contenders: the strategies.
        start: gives the model from which a strategy starts.
        data: the parts "train" and "validation".
        heats: the share of its epochs that a strategy is given, heat by heat; after each the
            better half goes on.
        note: a file in which finished trainings are kept, so that an interrupted race goes on.
        batch_size: pictures a step.
        class_weights: one weight a class.
        usual: what is kept of fine-tuning where validation cannot tell.

    Returns:
        One row a training: `heat`, `strategy`, `val_loss` (log loss of calibrated probabilities,
        which decides), `val_accuracy`, `seconds`. The last heat's first row is the winner's.

    Source:
        Successive halving, arXiv 1502.07943.
    """
    known = read_json(note)["rows"] if note is not None and note.exists() else []
    rows = parallel.from_first(known)
    left = list(contenders)
    for heat, share in enumerate(heats):
        done = {row["strategy"]: row for row in rows if row["heat"] == heat}
        for plan in left:
            if plan.name in done:
                continue
            began = time.perf_counter()
            transfer = start(plan)
            try:
                options = {"batch_size": batch_size, "class_weights": class_weights}
                fine_tune(transfer, plan.scaled(share), data, usual=usual, **options)
                loss, accuracy = _result(transfer, plan, data)
            except TrainingDivergedError:
                loss, accuracy = float("inf"), 0.0
            row = {"heat": heat, "strategy": plan.name, "val_loss": loss, "val_accuracy": accuracy}
            done[plan.name] = {**row, "seconds": time.perf_counter() - began}
            rows.append(done[plan.name])
            if note is not None:
                write_json(note, {"rows": rows})
        left.sort(key=lambda plan, done=done: done[plan.name]["val_loss"])
        left = left[: max(1, len(left) // 2)]
        if len(left) == 1:
            break
    return pd.DataFrame(rows).sort_values(["heat", "val_loss"], ignore_index=True)


def decide(table: pd.DataFrame) -> Decision:
    """The winner of a race as a decision.

    Args:
        table: what `race` gave.
    """
    last = table[table["heat"] == table["heat"].max()]
    name = last.iloc[0]["strategy"]
    losses = ", ".join(f"{row.strategy} {row.val_loss:.3f}" for row in last.itertuples())
    heats = {f"heat {row.heat + 1} {row.strategy}": row.val_loss for row in table.itertuples()}
    words = f"the validation loss after the last heat: {losses}. {STRATEGIES[name].description}."
    return Decision(name, heats, f"The four raced; {words}")


def _result(transfer: TransferModel, plan: FineTuneStrategy, data: TrainingData):
    """Log loss of calibrated probabilities, and accuracy, on the validation part."""
    first = plan.phases[-1].first_trainable(transfer.num_stages)
    cut = replace(data, views=1).cut(transfer, first)
    calibrate(cut)
    outputs = cut.outputs("validation", transfer.model.output, "Comparing")
    targets = data["validation"].labels
    return data.task.loss(targets, outputs), data.task.accuracy(targets, outputs)
