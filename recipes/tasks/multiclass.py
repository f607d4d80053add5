"""One label a picture, out of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn import metrics

from recipes.tasks.base import Task, plain, share_right
from recipes.tasks.calibration import best_temperature, calibration_error, softmax_loss


@final
@dataclass(frozen=True)
class Multiclass(Task):
    """One label a picture, out of two or more: a softmax over the classes.

    Targets are integers, (n,).

    Example:
        >>> task = Multiclass(("ash", "oak"))
        >>> task.names_of(task.decide(np.array([[0.2, 0.8]]))).tolist()
        ['oak']
    """

    name: ClassVar[str] = "multiclass"
    activation: ClassVar[str] = "softmax"

    @property
    def units(self) -> int:
        """One a class."""
        return len(self.classes)

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """The index of each label, int64 (n,)."""
        place = {name: index for index, name in enumerate(self.classes)}
        return np.array([place[label] for label in labels], dtype="int64")

    def counts(self, targets: np.ndarray) -> np.ndarray:
        """How many pictures each class has."""
        return np.bincount(targets, minlength=len(self.classes))

    def kinds(self, targets: np.ndarray) -> np.ndarray:
        """The classes themselves."""
        return targets

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The outputs themselves."""
        return outputs

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """The likeliest class."""
        return outputs.argmax(axis=1)

    def names_of(self, targets: np.ndarray) -> np.ndarray:
        """The classes' names."""
        return np.array(self.classes, dtype=object)[targets]

    def loss(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The mean log loss, in nats."""
        likelihood = np.maximum(outputs[np.arange(len(targets)), targets], np.float32(1e-30))
        return float(-np.log(likelihood).mean())

    def accuracy(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The share of pictures whose likeliest class is right."""
        return float((outputs.argmax(axis=1) == targets).mean())

    def temperatures(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """One temperature for all classes.

        Example:
            >>> sure, labels = np.array([[0.99, 0.01]] * 400), np.array([0, 0, 0, 1] * 100)
            >>> task = Multiclass(("a", "b"))  # right in 3 of 4: log 99 / log 3 = 4.18
            >>> task.temperatures(labels, sure).round().tolist()
            [4.0]
        """
        best = best_temperature(lambda log: softmax_loss(targets, outputs, log), len(targets))
        return np.array([best])

    def loss_at(self, targets: np.ndarray, outputs: np.ndarray, temperatures: np.ndarray) -> float:
        """The mean log loss with logits divided by a temperature."""
        return softmax_loss(targets, outputs, float(np.log(temperatures[0])))

    def tempered(self, outputs: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
        """The probabilities with logits divided by a temperature."""
        return softmax(np.log(np.maximum(outputs, 1e-30)) / temperatures, axis=1)

    def evaluate(self, targets: np.ndarray, outputs: np.ndarray) -> dict:
        """Metrics of pictures that were not trained on.

        Returns:
            `pictures`, `accuracy`, `accuracy_interval`, `balanced_accuracy` (the mean recall),
            `macro_f1`, `log_loss` (nats), `calibration_error` (expected, 15 bins), and
            `top_3_accuracy` where there are more than three classes.

        Example:
            >>> task, outputs = Multiclass(("a", "b")), np.array([[0.9, 0.1], [0.2, 0.8]])
            >>> task.evaluate(np.array([0, 1]), outputs)["accuracy"]
            1.0
        """
        classes = np.arange(len(self.classes))
        predicted = outputs.argmax(axis=1)
        found = {
            **share_right(predicted == targets),
            "balanced_accuracy": metrics.recall_score(
                targets, predicted, labels=np.unique(targets), average="macro", zero_division=0
            ),
            "macro_f1": metrics.f1_score(
                targets, predicted, labels=classes, average="macro", zero_division=0
            ),
            "log_loss": metrics.log_loss(targets, outputs, labels=classes),
            "calibration_error": calibration_error(targets, outputs),
        }
        if len(classes) > 3:
            found["top_3_accuracy"] = metrics.top_k_accuracy_score(
                targets, outputs, k=3, labels=classes
            )
        return plain(found)

    def prediction_table(
        self, files: Sequence[str], targets: np.ndarray, outputs: np.ndarray
    ) -> pd.DataFrame:
        """One row a picture: `file`, `truth`, `prediction`, `probability`, then one column a class.

        Example:
            >>> task = Multiclass(("x", "y"))
            >>> table = task.prediction_table(["a.png"], np.array([1]), np.array([[0.2, 0.8]]))
            >>> table.loc[0, ["truth", "prediction", "probability of y"]].astype(str).tolist()
            ['y', 'y', '0.8']
        """
        table = pd.DataFrame(
            {
                "file": list(files),
                "truth": self.names_of(targets),
                "prediction": self.names_of(self.decide(outputs)),
                "probability": outputs.max(axis=1),
            }
        )
        return pd.concat([table, self._columns(outputs)], axis=1)

    def answers(self, outputs: np.ndarray, top_k: int) -> pd.DataFrame:
        """`label` and `probability`, `label_2` and `probability_2`, …, the likeliest first."""
        best = np.argsort(-outputs, axis=1, kind="stable")[:, : min(top_k, len(self.classes))]
        chances = np.take_along_axis(outputs, best, axis=1)
        columns = {}
        for k in range(best.shape[1]):
            suffix = "" if k == 0 else f"_{k + 1}"
            columns[f"label{suffix}"] = self.names_of(best[:, k])
            columns[f"probability{suffix}"] = chances[:, k]
        return pd.DataFrame(columns)
