"""Any number of labels a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import pandas as pd
from sklearn import metrics

from recipes.tasks.base import SEPARATOR, Task, plain, share_right
from recipes.tasks.calibration import (
    best_temperature,
    label_calibration_error,
    sigmoid_loss,
    tempered_sigmoid,
)
from recipes.tasks.thresholds import best_threshold, f1


@final
@dataclass(frozen=True)
class Multilabel(Task):
    """Any number of labels a picture, none too: a sigmoid a label.

    Targets are 0 or 1, float32 (n, labels).

    Attributes:
        thresholds: one probability a label, from which it counts; 0.5 where none are given.

    Example:
        >>> task = Multilabel(("beach", "boat", "dog"))
        >>> task.encode(["beach;dog", ""]).tolist()
        [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """

    thresholds: tuple[float, ...] | None = None

    name: ClassVar[str] = "multilabel"
    activation: ClassVar[str] = "sigmoid"

    def __post_init__(self):
        if self.thresholds is not None and len(self.thresholds) != len(self.classes):
            raise ValueError(
                f"thresholds: {len(self.thresholds)} of them for {len(self.classes)} labels."
            )

    @property
    def units(self) -> int:
        """One a label."""
        return len(self.classes)

    def in_words(self) -> str:
        """The task and its labels."""
        return f"{self.name}: any of {', '.join(self.classes)}"

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """Which labels each picture has, (n, labels)."""
        place = {name: index for index, name in enumerate(self.classes)}
        targets = np.zeros((len(labels), len(self.classes)), "float32")
        for row, text in enumerate(labels):
            targets[row, [place[name] for name in text.split(SEPARATOR) if name]] = 1
        return targets

    def counts(self, targets: np.ndarray) -> np.ndarray:
        """How many pictures have each label."""
        return targets.sum(axis=0).astype("int64")

    def kinds(self, targets: np.ndarray) -> np.ndarray:
        """A number for each set of labels."""
        return np.unique(targets, axis=0, return_inverse=True)[1].reshape(-1)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The outputs themselves."""
        return outputs

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Which labels reach their thresholds."""
        limits = 0.5 if self.thresholds is None else np.array(self.thresholds, "float32")
        return (outputs >= limits).astype("float32")

    def names_of(self, targets: np.ndarray) -> np.ndarray:
        """The labels of each picture, separated by semicolons."""
        names = np.array(self.classes, dtype=object)
        return np.array([SEPARATOR.join(names[row > 0]) for row in targets], dtype=object)

    def loss(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The mean log loss over pictures and labels, in nats."""
        return sigmoid_loss(targets, outputs, 0.0)

    def accuracy(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """The share of labels, over all pictures, that are on the right side of 0.5."""
        return float(((outputs > 0.5) == targets).mean())

    def temperatures(self, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """One temperature a label."""
        return np.array(
            [
                best_temperature(lambda log, t=t, p=p: sigmoid_loss(t, p, log), len(t))
                for t, p in zip(targets.T, outputs.T, strict=True)
            ]
        )

    def loss_at(self, targets: np.ndarray, outputs: np.ndarray, temperatures: np.ndarray) -> float:
        """The mean log loss with each label's logit divided by its temperature."""
        losses = [
            sigmoid_loss(targets[:, k], outputs[:, k], float(np.log(temperature)))
            for k, temperature in enumerate(temperatures)
        ]
        return float(np.mean(losses))

    def tempered(self, outputs: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
        """The probabilities with each label's logit divided by its temperature."""
        return tempered_sigmoid(outputs, temperatures)

    def tuned(self, targets: np.ndarray, outputs: np.ndarray) -> "Multilabel":
        """With each label's threshold of the best F1, unless they were given."""
        if self.thresholds is not None:
            return self
        pairs = zip(targets.T, outputs.T, strict=True)
        return self.with_options(thresholds=tuple(best_threshold(t, p, f1) for t, p in pairs))

    def evaluate(self, targets: np.ndarray, outputs: np.ndarray) -> dict:
        """Metrics of pictures that were not trained on, at the thresholds where they matter.

        Returns:
            `pictures`; `accuracy`, the share of pictures whose labels are all right and no other
            was said, and its `accuracy_interval`; `label_accuracy`, the share of all labels;
            `mean_average_precision` (over the labels that some picture has),
            `micro_average_precision`, `macro_f1`, `micro_f1`, `log_loss` (nats, the mean over
            pictures and labels) and `calibration_error` (the mean over the labels). `by_label` has
            the figures of each label.

        Example:
            >>> task, truth = Multilabel(("a", "b")), np.array([[1.0, 0.0], [1.0, 1.0]])
            >>> found = task.evaluate(truth, np.array([[0.9, 0.2], [0.8, 0.4]]))
            >>> found["accuracy"], found["mean_average_precision"]
            (0.5, 1.0)
        """
        said = self.decide(outputs)
        table = self.by_label(targets, outputs)
        found = {
            **share_right((said == targets).all(axis=1)),
            "label_accuracy": (said == targets).mean(),
            "macro_f1": table["f1"].mean(),
            "micro_f1": metrics.f1_score(targets, said, average="micro", zero_division=0),
            "log_loss": self.loss(targets, outputs),
            "calibration_error": table["calibration_error"].mean(),
        }
        if targets.any():
            found["mean_average_precision"] = table["average_precision"].mean()
            found["micro_average_precision"] = metrics.average_precision_score(
                targets, outputs, average="micro"
            )
        rows = table.astype(object).where(table.notna(), None).set_index("class")
        return {**plain(found), "by_label": rows.to_dict("index")}

    def by_label(self, targets: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
        """One row a label: `class`, `pictures` that have it, `threshold`, `average_precision`,
        `precision`, `recall`, `f1`, `calibration_error`."""
        said = self.decide(outputs)
        limits = self.thresholds or (0.5,) * len(self.classes)
        rows = []
        for k, name in enumerate(self.classes):
            truth, chances = targets[:, k], outputs[:, k]
            precision, recall, f1_score, _ = metrics.precision_recall_fscore_support(
                truth, said[:, k], average="binary", zero_division=0
            )
            rows.append(
                {
                    "class": name,
                    "pictures": int(truth.sum()),
                    "threshold": limits[k],
                    "average_precision": metrics.average_precision_score(truth, chances)
                    if truth.any()
                    else np.nan,
                    "precision": precision,
                    "recall": recall,
                    "f1": f1_score,
                    "calibration_error": label_calibration_error(truth, chances),
                }
            )
        return pd.DataFrame(rows)

    def prediction_table(
        self, files: Sequence[str], targets: np.ndarray, outputs: np.ndarray
    ) -> pd.DataFrame:
        """One row a picture: `file`, `truth` and `prediction` (separated by semicolons), then one
        column a label."""
        table = pd.DataFrame({"file": list(files), "truth": self.names_of(targets)})
        table["prediction"] = self.names_of(self.decide(outputs))
        return pd.concat([table, self._columns(outputs)], axis=1)

    def answers(self, outputs: np.ndarray, top_k: int) -> pd.DataFrame:
        """`labels`, separated by semicolons, and the probability of each."""
        table = pd.DataFrame({"labels": self.names_of(self.decide(outputs))})
        return pd.concat([table, self._columns(outputs)], axis=1)
