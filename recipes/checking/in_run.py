"""The labels of a run's training part, by the features that its first phase computes anyway."""

from pathlib import Path

import numpy as np
import pandas as pd

from recipes.checking.check import ranked
from recipes.checking.labels import suspicions
from recipes.files import replace
from recipes.images.inspection import OK
from recipes.images.split import units
from recipes.run import LABEL_ISSUES
from recipes.strategies import FineTuneStrategy
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel

MOST = 2_000


def keep(
    folder: Path,
    transfer: TransferModel,
    plan: FineTuneStrategy,
    data: TrainingData,
    frame: pd.DataFrame,
) -> None:
    """Write `label_issues.csv` into a run's folder, before the weights have seen the labels.

    Only where the first phase trains the classifier alone: it finds the features in the cache.

    Args:
        folder: the run's; a file that is there already is kept.
        transfer: the model, not trained yet.
        plan: the strategy.
        data: the parts; of a training part with more than 2,000 pictures as many are drawn.
        frame: the table of the pictures, with their parts.
    """
    path, stages = folder / LABEL_ISSUES, transfer.num_stages
    if path.exists() or not plan.phases or plan.phases[0].first_trainable(stages) < stages:
        return
    part = data["train"]
    rows = np.sort(np.random.default_rng(data.seed).permutation(len(part))[:MOST])
    features = data.cut(transfer, stages).inputs("train")[0][rows]
    listed = frame[(frame["part"] == "train") & (frame["status"] == OK)].iloc[rows]
    options = {"groups": units(listed), "seed": data.seed}
    table, _ = suspicions(data.task, part.labels[rows], features, **options)
    table.insert(0, "file", listed["path"].to_numpy())
    table.insert(1, "label", listed["class"].to_numpy())
    table = ranked(table)
    replace(path, lambda place: table.to_csv(place, index=False, errors="backslashreplace"))
