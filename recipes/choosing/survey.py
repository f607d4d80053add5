"""One look at a sample of the pictures: how unlike the pretraining data, and what stages can do."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from recipes.choosing import probe, similarity
from recipes.transfer.balance import frozen_accuracy, kinds_of
from recipes.transfer.features import TrainingData, outputs_of
from recipes.transfer.model import TransferModel

SAMPLE = 256


@dataclass(frozen=True)
class Survey:
    """What was measured before anything was trained.

    Attributes:
        divergence: what `similarity.divergences` gave.
        stages: what `probe.stages` gave.
        linear_accuracy: the balanced accuracy of the classifier alone, cross-validated on the
            whole training part; missing where it cannot be measured.
    """

    divergence: pd.DataFrame
    stages: pd.DataFrame | None
    linear_accuracy: float | None


def survey(
    transfer: TransferModel,
    data: TrainingData,
    class_weights: np.ndarray | None = None,
    *,
    sample: int = SAMPLE,
) -> Survey:
    """Measure the training part with a pretrained model.

    Args:
        transfer: with its pretrained weights.
        data: the part "train".
        class_weights: one weight a class.
        sample: pictures that the stages are measured with, at the most; as many of each class as
            there are.
    """
    backbone, part = transfer.backbone, data["train"]
    labels = kinds_of(data.task, part.labels)
    rows = probe.drawn(probe.strata(labels), sample, data.seed)
    tensors = [*probe.pooled_stages(backbone), *similarity.moments_of(backbone)]
    widths = np.cumsum([int(tensor.shape[-1]) for tensor in tensors])
    model = keras.Model(backbone.model.input, keras.ops.concatenate(tensors, axis=-1))
    label = "Looking at the pictures"
    values = outputs_of(model, part.pixels, rows, label=label, verbose=data.verbose)
    values = np.split(values.astype("float64"), widths[:-1], axis=1)
    count = len(backbone.stages)
    moments = [value.mean(axis=0) for value in values[count:]]
    divergence = similarity.divergences(backbone, moments)
    stages = probe.stages(backbone, values[:count], labels[rows])
    linear = None
    if stages is not None:
        said = data.cut(transfer, transfer.num_stages).solved(class_weights).outputs
        linear = frozen_accuracy(data.task, part.labels, said)
    return Survey(divergence, stages, linear)


def divergence_of(transfer: TransferModel, data: TrainingData, *, sample: int = SAMPLE) -> float:
    """The mean divergence alone; 0 where the backbone has no batch normalization.

    Args:
        transfer: with its pretrained weights.
        data: the part "train".
        sample: pictures to look at, at the most.
    """
    moments = similarity.moments_of(transfer.backbone)
    if not moments:
        return 0.0
    pixels = data["train"].pixels
    rows = np.sort(np.random.default_rng(data.seed).permutation(len(pixels))[:sample])
    model = keras.Model(transfer.backbone.model.input, keras.ops.concatenate(moments, axis=-1))
    options = {"label": "Looking at the pictures", "verbose": data.verbose}
    means = outputs_of(model, pixels, rows, **options).astype("float64").mean(axis=0)
    places = np.cumsum([int(tensor.shape[-1]) for tensor in moments])[:-1]
    table = similarity.divergences(transfer.backbone, np.split(means, places))
    return float(table["divergence"].mean())
