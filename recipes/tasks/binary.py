"""Two classes, told apart by the probability of one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import pandas as pd
from sklearn import metrics

from recipes.tasks.base import Task, plain, share_right
from recipes.tasks.calibration import (
    best_temperature,
    label_calibration_error,
    sigmoid_loss,
    tempered_sigmoid,
)
from recipes.tasks.thresholds import balanced_accuracy, best_threshold


@final
@dataclass(frozen=True)
class Binary(Task):
    """Two classes: one sigmoid, the probability of the second, which is the positive one.

    Targets are 0 or 1, float32 (n, 1).

    Attributes:
        thresholds: one probability, from which the positive class is said; 0.5 where none is given.

    Example:
        >>> task = Binary(("healthy", "ill"), thresholds=(0.2,))
        >>> task.names_of(task.decide(np.array([[0.3]]))).tolist()
        ['ill']
    """

    thresholds: tuple[float, ...] | None = None

    name: ClassVar[str] = "binary"
    activation: ClassVar[str] = "sigmoid"

    def __post_init__(self):
        if len(self.classes) != 2:
            shown = ", ".join(map(repr, self.classes[:5]))
            raise ValueError(
                f"task: binary takes two classes; there are {len(self.classes)}: {shown}."
            )
        if self.thresholds is not None and len(self.thresholds) != 1:
            raise ValueError(f"thresholds: binary takes one; there are {len(self.thresholds)}.")

    @property
    def units(self) -> int:
        """One."""
        return 1

    @property
    def threshold(self) -> float:
        """The probability from which the positive class is said."""
        return 0.5 if self.thresholds is None else self.thresholds[0]

    @property
    def positive(self) -> str:
        """The class that the probability is of."""
        return self.classes[1]

    def in_words(self) -> str:
        """The task and the class that its probability is of."""
        return f"{self.name}: {self.positive} or {self.classes[0]}"

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """Whether each is the positive class, (n, 1)."""
        place = {name: index for index, name in enumerate(self.classes)}
        return np.array([[place[label]] for label in labels], "float32").reshape(-1, 1)

    def counts(self, targets: np.ndarray) -> np.ndarray:
        """How many pictures each class has."""
        return np.bincount(self.kinds(targets), minlength=2)

    def kinds(self, targets: np.ndarray) -> np.ndarray:
        """The class of each picture as an integer."""
        return targets[:, 0].astype("int64")

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Of both classes."""
        return np.concatenate([1 - outputs, outputs], axis=1)

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Whether the probability reaches the threshold."""
        return (outputs >= self.threshold).astype("float32")

    def names_of(self, targets: np.ndarray) -> np.ndarray:
        """The classes' names."""
        return np.array(self.classes, dtype=object)[self.kinds(targets)]

    def loss(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The mean log loss, in nats."""
        return sigmoid_loss(targets, outputs, 0.0)

    def accuracy(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The share of pictures that are on the right side of 0.5."""
        return float(((outputs > 0.5) == targets).mean())

    def temperatures(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """One temperature."""
        best = best_temperature(lambda log: sigmoid_loss(targets, outputs, log), len(targets))
        return np.array([best])

    def loss_at(self, targets: np.ndarray, outputs: np.ndarray, temperatures: np.ndarray) -> float:
        """The mean log loss with the logit divided by a temperature."""
        return sigmoid_loss(targets, outputs, float(np.log(temperatures[0])))

    def tempered(self, outputs: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
        """The probabilities with the logit divided by a temperature."""
        return tempered_sigmoid(outputs, temperatures)

    def tuned(self, targets: np.ndarray, outputs: np.ndarray) -> "Binary":
        """With the threshold of the best balanced accuracy, unless one was given."""
        if self.thresholds is not None:
            return self
        best = best_threshold(targets[:, 0], outputs[:, 0], balanced_accuracy)
        return self.with_options(thresholds=(best,))

    def evaluate(self, targets: np.ndarray, outputs: np.ndarray) -> dict:
        """Metrics of pictures that were not trained on, at the threshold where one matters.

        Returns:
            `pictures`, `accuracy`, `accuracy_interval`, `balanced_accuracy`, `precision`, `recall`
            and `f1` of the positive class, `macro_f1`, `roc_auc`, `average_precision`, `log_loss`
            (nats), `calibration_error`, `threshold`. The two areas are missing where there is one
            class only.

        Example:
            >>> task = Binary(("no", "yes"))
            >>> task.evaluate(np.array([[0.0], [1.0]]), np.array([[0.1], [0.4]]))["roc_auc"]
            1.0
        """
        truth, chances = self.kinds(targets), outputs[:, 0]
        said = self.kinds(self.decide(outputs))
        found = {
            **share_right(said == truth),
            "balanced_accuracy": metrics.recall_score(
                truth, said, labels=np.unique(truth), average="macro", zero_division=0
            ),
            "precision": metrics.precision_score(truth, said, zero_division=0),
            "recall": metrics.recall_score(truth, said, zero_division=0),
            "f1": metrics.f1_score(truth, said, zero_division=0),
            "macro_f1": metrics.f1_score(
                truth, said, labels=[0, 1], average="macro", zero_division=0
            ),
            "log_loss": metrics.log_loss(truth, chances, labels=[0, 1]),
            "calibration_error": label_calibration_error(truth, chances),
            "threshold": self.threshold,
        }
        if len(np.unique(truth)) == 2:
            found["roc_auc"] = metrics.roc_auc_score(truth, chances)
            found["average_precision"] = metrics.average_precision_score(truth, chances)
        return plain(found)

    def prediction_table(
        self, files: Sequence[str], targets: np.ndarray, outputs: np.ndarray
    ) -> pd.DataFrame:
        """One row a picture: `file`, `truth`, `prediction`, its `probability`, and both."""
        table = pd.DataFrame({"file": list(files), "truth": self.names_of(targets)})
        table["prediction"] = self.names_of(self.decide(outputs))
        table["probability"] = self._of_decision(outputs)
        return pd.concat([table, self._columns(outputs)], axis=1)

    def answers(self, outputs: np.ndarray, top_k: int) -> pd.DataFrame:
        """`label`, its `probability`, and that of the positive class."""
        return pd.DataFrame(
            {
                "label": self.names_of(self.decide(outputs)),
                "probability": self._of_decision(outputs),
                f"probability of {self.positive}": outputs[:, 0],
            }
        )

    def _of_decision(self, outputs: np.ndarray) -> np.ndarray:
        said = self.kinds(self.decide(outputs))
        return self.probabilities(outputs)[np.arange(len(said)), said]
