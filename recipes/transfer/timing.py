"""How long a training will take, said before it begins, and what of it fits into a time."""

import math
import time
from dataclasses import dataclass, replace

import keras

from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer.features import REDUCED, TrainingData
from recipes.transfer.model import TransferModel
from recipes.transfer.refine import BLENDS

BACKWARD = 2.2  # the gradient's cost in forward passes
STEP = 0.004  # seconds that a step of any model takes besides
COMPILING = 7.0  # seconds until the first step of what trains stages of the backbone
SOLVING = 3.0  # seconds for the classifier: 1.5 of 40 pictures, 8 of 3,000
WRITING = 8.0  # seconds for the report and the files
SAMPLE = 8


@dataclass(frozen=True)
class Pace:
    """What a training's seconds follow from.

    Attributes:
        transfer: the model.
        data: the parts.
        batch_size: pictures a step.
        picture: seconds of one picture's forward pass.
    """

    transfer: TransferModel
    data: TrainingData
    batch_size: int
    picture: float

    @classmethod
    def measured(cls, transfer: TransferModel, data: TrainingData, batch_size: int) -> "Pace":
        """Time the forward pass on a few pictures of the training part."""
        pixels = keras.ops.convert_to_tensor(data["train"].pixels[:SAMPLE])
        transfer.model.predict_on_batch(pixels)  # the first call sets things up
        began = time.perf_counter()
        transfer.model.predict_on_batch(pixels)
        return cls(transfer, data, batch_size, (time.perf_counter() - began) / len(pixels))

    def features(self) -> float:
        """Seconds to compute the features of the classifier and to solve it."""
        train, held_out = len(self.data["train"]), len(self.data["validation"])
        return (train * self.data.views + held_out) * self.picture + SOLVING

    def finishing(self, plan: FineTuneStrategy) -> float:
        """Seconds from the last step to the run's folder."""
        known = len(self.data["train"]) + len(self.data["validation"])
        first = self._first(plan)
        seconds = len(self.data["test"]) * self.picture + WRITING
        return seconds + known * self.picture * self._behind(first)

    def of_phase(self, phase: Phase, rows: int, held_out: int) -> float:
        """Seconds of a phase: all its epochs, none of which need be trained.

        Args:
            phase: what is trained.
            rows: pictures to learn from.
            held_out: pictures that judge each epoch.
        """
        if phase.solved:
            return 0.0
        phase = phase.planned(rows, self.batch_size)
        first = phase.first_trainable(self.transfer.num_stages)
        behind = self._behind(first)
        smaller = int(phase.epochs * phase.reduced)
        seconds = 0.0
        for epochs, size in ((smaller, REDUCED**2), (phase.epochs - smaller, 1.0)):
            if epochs and first < self.transfer.num_stages:
                seconds += COMPILING + (rows + held_out) * self.picture * size * (1 - behind)
            learned = rows * phase.passes(rows, self.batch_size)
            pictures = (learned * (1 + BACKWARD) + held_out) * self.picture * behind * size
            seconds += epochs * (pictures + STEP * -(-learned // self.batch_size))
        judged = len(BLENDS) if phase.blended and held_out else 1
        return seconds + judged * held_out * self.picture * behind

    def of(self, plan: FineTuneStrategy, refit: bool = False) -> float:
        """The most seconds that a strategy takes, features and evaluation included."""
        train, held_out = len(self.data["train"]), len(self.data["validation"])
        seconds = self.features() + self.finishing(plan)
        seconds += sum(self.of_phase(phase, train, held_out) for phase in plan.phases)
        return seconds + (self.of_refit(plan) if refit else 0.0)

    def of_refit(self, plan: FineTuneStrategy) -> float:
        """The seconds of a second training on the training and the validation part."""
        rows = len(self.data["train"]) + len(self.data["validation"])
        return sum(self.of_phase(phase, rows, 0) for phase in plan.continued().phases)

    def fitted(
        self, plan: FineTuneStrategy, refit: bool, left: float
    ) -> tuple[FineTuneStrategy, bool]:
        """What of a strategy fits into a time: first the refit is given up, then epochs, phases.

        Args:
            plan: the strategy.
            refit: whether there would be a second training.
            left: seconds.

        Returns:
            A strategy of as many phases or fewer, and whether there is a second training. Phases
            that cannot have a quarter of their epochs are left out, but for the first.
        """
        if not plan.phases or self.of(plan, refit) <= left:
            return plan, refit
        if refit and self.of(plan) <= left:
            return plan, False
        for share in (0.75, 0.5, 0.25):
            shorter = plan.scaled(share)
            if self.of(shorter) <= left:
                return shorter, False
        if len(plan.phases) > 1:
            return self.fitted(replace(plan, phases=plan.phases[:-1]), refit, left)
        return (plan, refit) if plan.phases[0].solved else (plan.scaled(0.25), False)

    def _first(self, plan: FineTuneStrategy) -> int:
        stages = self.transfer.num_stages
        return min((phase.first_trainable(stages) for phase in plan.phases), default=0)

    def _behind(self, first: int) -> float:
        """The share of the forward pass that lies behind a boundary, by the values it computes."""
        stage_of = self.transfer.stage_of()
        sizes = [0] * (self.transfer.num_stages + 1)
        for layer in self.transfer.model.layers:
            values = math.prod(side or 1 for side in layer.output.shape[1:])
            sizes[stage_of[layer.name]] += values
        return sum(sizes[first:]) / sum(sizes)


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
