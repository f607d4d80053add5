"""The learning-rate range test: raise the rate from step to step and watch the loss."""

import math
from typing import Annotated, Any, final

import keras
import numpy as np
import pandas as pd

from .lookup import unknown
from .optimizers import Rate, inner, optimizers_of
from .rules import Positive, number, rule_of, whole
from .suggestions import OF_FASTAI, descent, of_fastai, table_of

Steps = Annotated[int, whole("from 2 up", lambda v: v >= 2)]
Kept = Annotated[float, number("from 0 to below 1", lambda v: 0 <= v < 1)]
AboveOne = Annotated[float, number("above 1", lambda v: v > 1)]


@final
class LearningRateFinder(keras.callbacks.Callback):
    """Raise the rate geometrically while training, then put the model back as it was.

    `run(model, x, y)` does the test; or pass it to one `fit` call that is long enough. Training
    ends by itself when the rates are through or the loss explodes. Weights, optimizer state and
    rate are then those from before, after `run` also where it was interrupted. Steps a model with
    batch normalization and dropout takes are real ones; nothing of them stays.

    Args:
        min_learning_rate: the first rate.
        max_learning_rate: the last rate.
        num_steps: steps from the first to the last, from 2 up; a suggestion needs 20.
        smoothing: share of the running mean that each step keeps, from 0 to below 1.
        stop_factor: end where the smoothed loss exceeds its least so many times; above 1.
        optimizer: the one whose rate is raised, where a model has several: itself, or its name as
            an attribute of the model. The one that the model was compiled with by default. Those in
            a `keras.optimizers.MultiOptimizer` keep the proportions of their rates. One that was
            made with a schedule has that back afterwards.

    Raises:
        ValueError: a parameter is out of its range, at construction; or fit is shorter than the
            test, or its optimizer cannot be led, when training begins.

    Source:
        arXiv 1506.01186; the suggestions as in fastai.

    Example:
        >>> finder = LearningRateFinder(num_steps=50).run(model, x, y)  # doctest: +SKIP
        >>> finder.suggestion, finder.suggestions["valley"]  # doctest: +SKIP
        (0.012, 0.0079)
    """

    def __init__(
        self,
        min_learning_rate: Positive = 1e-6,
        max_learning_rate: Positive = 1.0,
        num_steps: Steps = 100,
        smoothing: Kept = 0.9,
        stop_factor: AboveOne = 4.0,
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
        self._forget()

    def _forget(self) -> None:
        self._rates, self._losses, self._through = [], [], False
        self._running, self._least = 0.0, math.inf  # of the smoothed loss
        self._before: list = []
        self._schedule: Any = None

    def rate(self, step: int) -> float:
        """The rate of a step."""
        ratio = self.max_learning_rate / self.min_learning_rate
        return self.min_learning_rate * ratio ** (step / (self.num_steps - 1))

    def run(self, model: keras.Model, x, y=None, **options):
        """Do the test: go through the data as often as its steps need, and put the model back.

        Args:
            model: compiled.
            x: as for `model.fit`.
            y: the same.
            **options: the same, such as `batch_size`.

        Returns:
            The finder.
        """
        more = [*options.pop("callbacks", []), self]
        options = {"verbose": 0, **options, "epochs": self.num_steps, "callbacks": more}
        try:
            model.fit(x, y, **options)
        finally:
            self._put_back()
        return self

    def to_frame(self) -> pd.DataFrame:
        """One row a step: `learning_rate`, `loss`, `smoothed_loss` (without the start's bias)."""
        return table_of(self._rates, self._losses, self.smoothing)

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls most steeply in the logarithm of the rate.

        Raises:
            ValueError: the test has not run, did not get through, or gives no signal.
        """
        return self.suggest("descent")

    @property
    def suggestions(self) -> dict[str, float]:
        """What each way suggests: "descent", which is ours, and fastai's "minimum" (a tenth of the
        rate of the least loss), "steep", "valley" and "slide". NaN where one has nothing to say.
        """
        found = {}
        for way in ("descent", *OF_FASTAI):
            try:
                found[way] = self.suggest(way)
            except ValueError:
                found[way] = math.nan
        return found

    def suggest(self, way: str) -> float:
        """What one way suggests.

        Args:
            way: "descent", "minimum", "steep", "valley" or "slide".

        Raises:
            ValueError: as for `suggestion`; or there is no such way.
        """
        ways = ("descent", *OF_FASTAI)
        if way not in ways:
            raise unknown("suggestion", way, ways)
        if self._losses and not self._through:
            raise ValueError(
                f"The range test ended after {len(self._losses)} of its {self.num_steps} steps, at "
                f"the rate {self._rates[-1]:.2g}; finder.run(model, x, y) goes on through the data."
            )
        rates, losses = np.array(self._rates), np.array(self._losses)
        if way == "descent":
            return descent(rates, losses, self.smoothing)
        return of_fastai(way, rates, losses)

    def plot(self, ax=None):
        """Draw loss and smoothed loss against the rate, with each suggestion; return the axes."""
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.figure(figsize=(6, 3), layout="constrained").gca()
        table = self.to_frame()
        ax.semilogx(table["learning_rate"], table["loss"], alpha=0.3, label="loss")
        ax.semilogx(table["learning_rate"], table["smoothed_loss"], label="smoothed")
        for index, (way, rate) in enumerate(self.suggestions.items()):
            if math.isfinite(rate):
                style = {"color": "black"} if way == "descent" else {"color": f"C{index + 1}"}
                ax.axvline(rate, linestyle=":", label=f"{way} {rate:.2g}", **style)
        ax.set(xlabel="learning rate", ylabel="loss")
        ax.legend(fontsize="small")
        return ax

    def on_train_begin(self, logs=None):
        """Keep the state to return to."""
        self._forget()
        self._check_length()
        self._led = Rate(self, self.model)
        optimizers = {
            id(one): one for one in (self._led.optimizer, *optimizers_of(self.model).values())
        }
        states = [variable for one in optimizers.values() for variable in one.variables]
        self._before = [
            (variable, np.array(keras.ops.convert_to_numpy(variable)))
            for variable in [*self.model.variables, *states]
        ]
        self._schedule = schedule_of(self._led.optimizer)
        if self._schedule is None:
            self._led.check(drives_momentum=False)
        else:
            self._replace_schedule()

    def _check_length(self) -> None:
        epochs, steps = (self.params or {}).get("epochs"), (self.params or {}).get("steps")
        if epochs is not None and steps is not None and epochs * steps < self.num_steps:
            raise ValueError(
                f"num_steps: the range test has {self.num_steps} steps and this fit "
                f"{epochs * steps}; finder.run(model, x, y) goes on through the data."
            )

    def _replace_schedule(self) -> None:
        """Put a variable in a schedule's place, and let the steps be compiled anew."""
        if keras.backend.backend() == "jax":
            raise ValueError(
                "optimizer: on JAX the range test needs one with a number as its learning_rate, "
                "not a schedule."
            )
        rate = keras.Variable(self.min_learning_rate, trainable=False, name="range_test")
        self._variable = rate
        inner(self._led.optimizer).learning_rate = lambda: rate
        self.model.make_train_function(force=True)

    def on_train_batch_begin(self, batch, logs=None):
        """Set the step's rate, and begin the loss anew."""
        self._rates.append(self.rate(len(self._losses)))
        if self._schedule is None:
            self._led.write(self._rates[-1])
        else:
            self._variable.assign(self._rates[-1])
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs: Any = None):
        """Note the loss; end where there is nothing more to learn."""
        self._losses.append(float(logs["loss"]))
        self._running = self.smoothing * self._running + (1 - self.smoothing) * self._losses[-1]
        last = self._running / (1 - self.smoothing ** len(self._losses))
        self._least = min(self._least, last)
        exploded = not math.isfinite(last) or last > self.stop_factor * self._least > 0
        if exploded or len(self._losses) >= self.num_steps:
            self.model.stop_training = self._through = True

    def on_train_end(self, logs=None):
        """Put everything back."""
        self._put_back()

    def _put_back(self) -> None:
        """Put back what there is to put back; nothing the second time."""
        if not self._before:
            return
        optimizer = self._led.optimizer
        for variable, value in self._before:
            variable.assign(value)
        if self._schedule is not None:
            inner(optimizer).learning_rate = self._schedule
            self.model.make_train_function(force=True)
        self._before = []


def schedule_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """The schedule that an optimizer was made with, or None."""
    kind = keras.optimizers.schedules.LearningRateSchedule
    optimizer = inner(optimizer)
    held = None if isinstance(optimizer, keras.optimizers.MultiOptimizer) else optimizer
    found = getattr(held, "_learning_rate", None)
    return found if isinstance(found, kind) else None
