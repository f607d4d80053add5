"""The epochs of a phase in which pictures are of one size, and the batches that they go through."""

from dataclasses import dataclass

import keras
import numpy as np

from recipes.images.augment import draw
from recipes.images.pipeline import Batches
from recipes.images.varying import behind_variation
from recipes.keras_setup import prediction_batch
from recipes.strategies import Phase
from recipes.transfer import parallel
from recipes.transfer.features import Boundary


@dataclass(frozen=True)
class Stretch:
    """Epochs of a phase in which pictures are of one size.

    Attributes:
        until: the epoch that it ends with.
        part: what is trained: inputs at the boundary to probabilities.
        train: what it learns from.
        held_out: what it is judged by.
    """

    until: int
    part: keras.Model
    train: Batches
    held_out: Batches

    @property
    def mixed(self) -> bool:
        """Whether the labels are mixed."""
        settings = self.train.augmentation
        return settings is not None and settings.mixes

    def trained(self) -> keras.Model:
        """What `fit` is called of: the part, behind the changes that are made to its inputs."""
        settings = self.train.augmentation
        if settings is None:
            return self.part
        rows = self.train.batch_size if self.train.devices == 1 else None
        return behind_variation(self.part, draw(settings, [0], self.part.input_shape[1:3]), rows)


def stretches(
    cut: Boundary,
    phase: Phase,
    epoch: int = 0,
    batch_size: int = 32,
    class_weights: np.ndarray | None = None,
) -> list[Stretch]:
    """The stretches of a phase that are still to come: on smaller pictures, and at full size.

    Args:
        cut: the model at the phase's boundary.
        phase: how often an epoch goes through the pictures, and how many are of smaller ones.
        epoch: the one to begin at.
        batch_size: pictures a step.
        class_weights: one weight a class.
    """
    found, smaller = [], reduced_epochs(cut, phase)
    for until, sized in ((smaller, cut.resized), (phase.epochs, lambda: cut)):
        if epoch < until:
            here = sized()
            batches = phase_batches(here, phase, epoch, batch_size, class_weights)
            found.append(Stretch(until, here.transfer.trainable_part(here.first), *batches))
            epoch = until
    return found


def reduced_epochs(cut: Boundary, phase: Phase) -> int:
    """How many of a phase's epochs are on smaller pictures."""
    return int(phase.epochs * phase.reduced) if phase.reduced and cut.reducible else 0


def phase_batches(
    cut: Boundary,
    phase: Phase,
    epoch: int,
    batch_size: int,
    class_weights: np.ndarray | None = None,
) -> tuple[Batches, Batches]:
    """What a phase learns from, and what it is judged by.

    Args:
        cut: the model at the phase's boundary.
        phase: how often an epoch goes through the pictures.
        epoch: the one to begin at.
        batch_size: pictures a step.
        class_weights: one weight a class.
    """
    data, devices = cut.data, parallel.current()
    train, validation = data["train"], data["validation"]
    weights = None
    if class_weights is not None:
        weights = class_weights[data.task.kinds(train.labels)].astype("float32")
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
        augmentation=data.augmentation if cut.first == 0 else None,
        classes=data.task.units,
    )
    held_out = Batches(
        cut.inputs("validation"),
        validation.labels,
        views=cut.first > 0,
        batch_size=prediction_batch(cut.transfer.model),
    )
    return batches, held_out
