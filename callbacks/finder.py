"""The learning-rate range test: raise the rate from step to step and watch the loss."""

import math
from typing import Any, final

import keras
import numpy as np
import pandas as pd

from .leading import optimizer_of, optimizers_of
from .rules import Positive, Several, rule_of

WARM_UP = 10  # steps after which the running mean holds enough losses to have a slope


@final
class LearningRateFinder(keras.callbacks.Callback):
    """Raise the rate geometrically while training, then put the model back as it was.

    Pass it to one `fit` call; training ends by itself when the rates are through or the loss
    explodes. Weights, optimizer state and rate are then those from before. Steps a model with
    batch normalization and dropout takes are real ones; nothing of them stays.

    Args:
        min_learning_rate: the first rate.
        max_learning_rate: the last rate.
        num_steps: steps from the first to the last.
        smoothing: share of the running mean that each step keeps.
        stop_factor: end where the smoothed loss exceeds its least so many times.
        optimizer: the one whose rate is raised, where a model has several: itself, or its name as
            an attribute of the model. The one that the model was compiled with by default.

    Source:
        arXiv 1506.01186; the suggestion at the steepest descent as in fastai.

    Example:
        >>> finder = LearningRateFinder(num_steps=50)
        >>> model.fit(x, y, epochs=10, callbacks=[finder])  # doctest: +SKIP
        >>> finder.suggestion  # doctest: +SKIP
        0.012
    """

    def __init__(
        self,
        min_learning_rate: Positive = 1e-6,
        max_learning_rate: Positive = 1.0,
        num_steps: Several = 100,
        smoothing: float = 0.9,
        stop_factor: float = 4.0,
        optimizer: Any = None,
    ):
        super().__init__()
        self.min_learning_rate = min_learning_rate
        self.max_learning_rate = max_learning_rate
        self.num_steps = num_steps
        self.smoothing = smoothing
        self.stop_factor = stop_factor
        self.optimizer = optimizer
        for name, annotation in type(self).__init__.__annotations__.items():
            rule, value = rule_of(annotation), getattr(self, name)
            if rule is not None and not rule.fits(value):
                raise ValueError(f"{name}: {value!r} is not {rule.text}.")
        if not min_learning_rate < max_learning_rate:
            raise ValueError(
                f"max_learning_rate: {max_learning_rate!r} is not above min_learning_rate."
            )
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing: {smoothing!r} is not a number from 0 to below 1.")
        self._rates, self._losses = [], []

    def rate(self, step: int) -> float:
        """The rate of a step."""
        ratio = self.max_learning_rate / self.min_learning_rate
        return self.min_learning_rate * ratio ** (step / (self.num_steps - 1))

    def to_frame(self) -> pd.DataFrame:
        """One row a step: `learning_rate`, `loss`, `smoothed_loss` (without the start's bias)."""
        running, smoothed = 0.0, []
        for count, loss in enumerate(self._losses, start=1):
            running = self.smoothing * running + (1 - self.smoothing) * loss
            smoothed.append(running / (1 - self.smoothing**count))
        return pd.DataFrame(
            {
                "learning_rate": self._rates[: len(smoothed)],
                "loss": self._losses,
                "smoothed_loss": smoothed,
            }
        )

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls most steeply in the logarithm of the rate.

        Raises:
            ValueError: the test has not run, or was too short to tell.
        """
        table = self.to_frame()
        table = table[np.isfinite(table["smoothed_loss"])]
        if len(table) < 2 * WARM_UP:
            raise ValueError(
                f"The range test has fewer than {2 * WARM_UP} steps; run fit with it first."
            )
        table = table.loc[WARM_UP : table["smoothed_loss"].idxmin()]
        if len(table) < 3:
            raise ValueError("The loss never fell; begin with a smaller min_learning_rate.")
        slopes = np.gradient(table["smoothed_loss"], np.log(table["learning_rate"]))
        return float(table["learning_rate"].iloc[int(slopes.argmin())])

    def plot(self, ax=None):
        """Draw loss and smoothed loss against the rate, with the suggestion; return the axes."""
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.figure(figsize=(6, 3), layout="constrained").gca()
        table = self.to_frame()
        ax.semilogx(table["learning_rate"], table["loss"], alpha=0.3, label="loss")
        ax.semilogx(table["learning_rate"], table["smoothed_loss"], label="smoothed")
        ax.axvline(self.suggestion, color="black", linestyle=":", label="suggestion")
        ax.set(xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax

    def on_train_begin(self, logs=None):
        """Keep the state to return to."""
        self._rates, self._losses = [], []
        self._led = optimizer_of(self, self.model)
        optimizers = {id(one): one for one in (self._led, *optimizers_of(self.model).values())}
        states = [variable for one in optimizers.values() for variable in one.variables]
        self._before = [
            (variable, np.array(keras.ops.convert_to_numpy(variable)))
            for variable in [*self.model.variables, *states]
        ]

    def on_train_batch_begin(self, batch, logs=None):
        """Set the step's rate, and begin the loss anew."""
        self._sync()
        self._rates.append(self.rate(len(self._losses)))
        self._led.learning_rate = self._rates[-1]
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs: Any = None):
        """Note the loss; end where there is nothing more to learn."""
        self._losses.append(float(logs["loss"]))
        smoothed = self.to_frame()["smoothed_loss"]
        last, least = smoothed.iloc[-1], smoothed.min()
        exploded = not math.isfinite(last) or last > self.stop_factor * least > 0
        if exploded or len(self._losses) >= self.num_steps:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        """Put everything back."""
        self._sync()
        for variable, value in self._before:
            variable.assign(value)

    def _sync(self) -> None:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
