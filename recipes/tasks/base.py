"""What every task answers for."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.stats import binomtest

SEPARATOR = ";"


@dataclass(frozen=True)
class Task(ABC):
    """What is to be told of a picture.

    Targets are what a model learns from, one row a picture; outputs are what it gives, (n, units);
    probabilities are those of each class, (n, classes).

    Attributes:
        classes: the labels, in order.
    """

    classes: tuple[str, ...]

    name: ClassVar[str]
    activation: ClassVar[str]  # of the model's last layer

    def in_words(self) -> str:
        """What is told of a picture, for people."""
        return self.name

    @property
    @abstractmethod
    def units(self) -> int:
        """How many outputs a model has."""

    @abstractmethod
    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """Labels as targets.

        Args:
            labels: one text a picture; several labels are separated by semicolons.
        """

    @abstractmethod
    def counts(self, targets: np.ndarray) -> np.ndarray:
        """How many pictures each class has, (classes,)."""

    @abstractmethod
    def kinds(self, targets: np.ndarray) -> np.ndarray:
        """A number for each picture, the same for those whose labels are all the same, (n,)."""

    @abstractmethod
    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The probability of each class, (n, classes)."""

    @abstractmethod
    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """What the outputs say, as targets."""

    @abstractmethod
    def names_of(self, targets: np.ndarray) -> np.ndarray:
        """Targets as labels again: what `encode` takes, (n,)."""

    @abstractmethod
    def loss(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The mean log loss, in nats."""

    @abstractmethod
    def accuracy(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The share of decisions that are right, before thresholds are chosen."""

    @abstractmethod
    def temperatures(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """By what logits are to be divided, (1,) or (units,); 1 changes nothing."""

    @abstractmethod
    def loss_at(self, targets: np.ndarray, outputs: np.ndarray, temperatures: np.ndarray) -> float:
        """The mean log loss with logits divided by temperatures."""

    @abstractmethod
    def tempered(self, outputs: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
        """The outputs with logits divided by temperatures."""

    def calibrated_loss(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Log loss at the best temperature: it does not blame a model for being too sure.

        Returns:
            In nats; not a number where an output is not.
        """
        if not np.isfinite(outputs).all():
            return float("nan")
        return self.loss_at(targets, outputs, self.temperatures(targets, outputs))

    def tuned(self, targets: np.ndarray, outputs: np.ndarray) -> "Task":
        """The task with what is chosen on the validation part: thresholds, where it has any.

        Args:
            targets: of pictures that were not trained on.
            outputs: calibrated ones.
        """
        return self

    @abstractmethod
    def evaluate(self, targets: np.ndarray, outputs: np.ndarray) -> dict:
        """Metrics of pictures that were not trained on.

        Returns:
            `pictures`, `accuracy` and its `accuracy_interval` (95 %, Wilson), and more.
        """

    @abstractmethod
    def prediction_table(
        self, files: Sequence[str], targets: np.ndarray, outputs: np.ndarray
    ) -> pd.DataFrame:
        """One row a picture: `file`, `truth`, `prediction`, …, then one column a class."""

    @abstractmethod
    def answers(self, outputs: np.ndarray, top_k: int) -> pd.DataFrame:
        """What a user wants to know of new pictures: labels and their probabilities."""

    def to_dict(self) -> dict:
        """The task as values for a JSON file; `recipes.tasks.from_dict` reads it."""
        values = {k: v for k, v in asdict(self).items() if v is not None}
        return {
            "name": self.name,
            **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()},
        }

    def with_options(self, **options) -> Self:
        """The same task with other options."""
        return replace(self, **options)

    def _columns(self, outputs: np.ndarray) -> pd.DataFrame:
        """A column for each class' probability."""
        names = [f"probability of {name}" for name in self.classes]
        return pd.DataFrame(self.probabilities(outputs), columns=names)


def share_right(right: np.ndarray) -> dict[str, object]:
    """An accuracy and the interval in which it lies with 95 % confidence.

    Args:
        right: (n,), whether each decision was.

    Source:
        Wilson's score interval, by `scipy.stats.binomtest`.

    Example:
        >>> found = share_right(np.array([True] * 9 + [False]))
        >>> found["accuracy"], [round(end, 2) for end in found["accuracy_interval"]]
        (0.9, [0.6, 0.98])
    """
    right = np.asarray(right, dtype=bool)
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return {
        "pictures": len(right),
        "accuracy": float(right.mean()),
        "accuracy_interval": [float(interval.low), float(interval.high)],
    }


def plain(metrics: dict) -> dict:
    """Metrics as plain numbers for a JSON file."""
    return {
        name: value if isinstance(value, int | list) else float(value)
        for name, value in metrics.items()
    }
