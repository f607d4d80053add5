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
        yardstick: the name of the network that the divergence was measured with, where it was not
            the backbone itself.
    """

    divergence: pd.DataFrame
    stages: pd.DataFrame | None
    linear_accuracy: float | None
    yardstick: str | None = None


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
    yardstick = similarity.yardstick(backbone)
    tensors = probe.pooled_stages(backbone)
    if yardstick is backbone:
        tensors += similarity.moments_of(backbone)
    widths = np.cumsum([int(tensor.shape[-1]) for tensor in tensors])
    model = keras.Model(backbone.model.input, keras.ops.concatenate(tensors, axis=-1))
    label = "Looking at the pictures"
    values = outputs_of(model, part.pixels, rows, label=label, verbose=data.verbose)
    values = np.split(values.astype("float64"), widths[:-1], axis=1)
    count = len(backbone.stages)
    if yardstick is backbone:
        moments = [value.mean(axis=0) for value in values[count:]]
        divergence = similarity.divergences(backbone, moments)
    else:
        divergence = similarity.measured(yardstick, part.pixels, rows, verbose=data.verbose)
    stages = probe.stages(backbone, values[:count], labels[rows])
    linear = None
    if stages is not None:
        said = data.cut(transfer, transfer.num_stages).solved(class_weights).outputs
        linear = frozen_accuracy(data.task, part.labels, said)
    other = None if yardstick is backbone else yardstick.name
    return Survey(divergence, stages, linear, other)


def divergence_of(transfer: TransferModel, data: TrainingData, *, sample: int = SAMPLE) -> float:
    """The mean divergence alone.

    Args:
        transfer: with its pretrained weights.
        data: the part "train".
        sample: pictures to look at, at the most.
    """
    pixels = data["train"].pixels
    rows = np.sort(np.random.default_rng(data.seed).permutation(len(pixels))[:sample])
    yardstick = similarity.yardstick(transfer.backbone)
    found = similarity.measured(yardstick, pixels, rows, verbose=data.verbose)
    return float(found["divergence"].mean())
