"""The batch size of a training, by measurement: as many pictures as the device needs to be busy."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recipes.batches import BatchSizeAdvice, advise, scale_learning_rate
from recipes.losses import loss_of
from recipes.settings import TrainingSettings
from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel
from recipes.transfer.optimizer import StagewiseAdam

USUAL = TrainingSettings().pictures_a_step  # for which rates are meant
MOST = 1024
LEAST_STEPS = 8  # in a pass through the pictures
REPEATS = 3


@dataclass(frozen=True)
class Sized:
    """A batch size, and what follows from it.

    Attributes:
        batch_size: pictures a step.
        rates: by what learning rates are multiplied: the root of the size's ratio to the usual one
            (arXiv 1404.5997), as it is for Adam.
        reason: for people.
    """

    batch_size: int
    rates: float
    reason: str

    def in_words(self) -> str:
        """A line for people."""
        return f"{self.batch_size} pictures a step, rates times {self.rates:.2g}: {self.reason}"


def sized(
    start: Callable[[], TransferModel],
    plan: FineTuneStrategy | None,
    data: TrainingData,
    devices: int = 1,
) -> Sized:
    """Measure steps of the part that is trained last, on a model of its own.

    Args:
        start: gives a model.
        plan: the strategy; None where it is open, and everything may be trained.
        data: the part "train".
        devices: that share a batch, which is a multiple of their number.
    """
    smallest = math.lcm(USUAL, devices)
    largest = smallest
    while 2 * largest <= min(MOST, len(data["train"]) // LEAST_STEPS):
        largest *= 2
    by_steps = [Phase("everything", 0.0, 1, 1e-3)]
    if plan is not None:
        by_steps = [phase for phase in plan.phases if not phase.solved]
    if not by_steps:
        return _sized(smallest, "nothing is trained by steps.")
    if largest == smallest:
        return _sized(smallest, f"{len(data['train']):,} pictures are too few for larger batches.")
    found = measure(start(), by_steps[-1], data, smallest, largest)
    return _sized(found.batch_size, found.reason)


def _sized(batch_size: int, reason: str) -> Sized:
    return Sized(batch_size, scale_learning_rate(1.0, USUAL, batch_size, "sqrt"), reason)


def measure(
    transfer: TransferModel, phase: Phase, data: TrainingData, smallest: int, largest: int
) -> BatchSizeAdvice:
    """Steps of a phase at doubling sizes.

    Args:
        transfer: is trained by it.
        phase: what is trained.
        data: the part "train".
        smallest: the first size.
        largest: the last, at the most.
    """
    first = transfer.set_trainable(phase)
    part = transfer.trainable_part(first)
    part.compile(StagewiseAdam(phase.learning_rate), loss=loss_of(data.task.name))
    train = data["train"]
    inputs = train.pixels if first == 0 else np.zeros((1, *part.input_shape[1:]), "float32")

    def step(size: int) -> None:
        rows = np.arange(size)
        part.train_on_batch(inputs[rows % len(inputs)], train.labels[rows % len(train)])

    sizes = {"smallest": smallest, "largest": largest}
    return advise(step, **sizes, repeats=REPEATS, to_the_end=False)
