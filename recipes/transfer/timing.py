"""How long a training will take, said before it begins."""

import time

import keras

from recipes.strategies import FineTuneStrategy
from recipes.transfer.features import TrainingData
from recipes.transfer.model import TransferModel

BACKWARD = 2.0  # the gradient's cost in forward passes
STEP = 0.004  # seconds that a step of any model takes besides
COMPILING = 6.0  # seconds until the first step of a phase that trains stages of the backbone
SAMPLE = 8


def seconds_a_picture(transfer: TransferModel, data: TrainingData) -> float:
    """The time of one picture's forward pass, measured on a few.

    Args:
        transfer: the model.
        data: whose training part gives the pictures.
    """
    pixels = keras.ops.convert_to_tensor(data["train"].pixels[:SAMPLE])
    transfer.model(pixels, training=False)  # the first call sets things up
    began = time.perf_counter()
    keras.ops.convert_to_numpy(transfer.model(pixels, training=False))
    return (time.perf_counter() - began) / len(pixels)


def estimate(
    transfer: TransferModel,
    plan: FineTuneStrategy,
    data: TrainingData,
    batch_size: int,
    picture: float,
) -> float:
    """The most seconds that a plan takes: all its epochs, none of which need be trained.

    Args:
        transfer: the model.
        plan: the strategy.
        data: the parts.
        batch_size: pictures a step.
        picture: seconds of one picture's forward pass.
    """
    train, held_out = len(data["train"]), len(data["validation"])
    stages, known, total = transfer.num_stages, set(), len(data["test"]) * picture
    for phase in plan.phases:
        first = phase.first_trainable(stages)
        frozen = first / stages
        if first and first not in known:  # the features, once
            total += (train * data.views + held_out) * picture * frozen
            known.add(first)
        rows = train * phase.passes(train, batch_size)
        trained = (rows * (1 + BACKWARD) + held_out) * picture * (1 - frozen)
        total += phase.epochs * (trained + STEP * -(-rows // batch_size))
        total += COMPILING * (first < stages)
    return total


def in_words(seconds: float) -> str:
    """A time for people, to about a quarter.

    Example:
        >>> [in_words(value) for value in (3, 47, 100, 4_000, 100_000)]
        ['5 seconds', '50 seconds', '2 minutes', '70 minutes', '28 hours']
    """
    if seconds < 60:
        return f"{max(5, -(-seconds // 5) * 5):.0f} seconds"
    minutes = seconds / 60
    if minutes < 20:
        return f"{-(-minutes // 1):.0f} minutes"
    if minutes < 120:
        return f"{-(-minutes // 10) * 10:.0f} minutes"
    return f"{-(-minutes // 60):.0f} hours"
