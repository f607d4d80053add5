"""What a search found, as tables and plots."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import OrdinalEncoder

from recipes.run import Run
from recipes.tuning.objective import direction_of


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        trials: one row a trial: `trial`, `status`, `score` (the objective), `best_epoch`, `epochs`
            (that it was trained), and the hyperparameters; those that did not apply are missing.
        best: the best setting, by name.
        test_metrics: of the best setting, trained again on train and validation, on the test
            part, which was used this once.
        objective: the metric that decided, on the validation part.
        folder: where the search lies: `trials.csv`, `report.html`, and the final model,
            `model.keras`, or `run` for transfer learning.
        load: builds the final model; see `model`.
        direction: "min" where less of the objective is better, or "max"; by its name where none is
            given.
    """

    trials: pd.DataFrame
    best: dict
    test_metrics: dict
    objective: str
    folder: Path
    load: Callable[[Path, Mapping], keras.Model] = field(repr=False)
    direction: str | None = None

    @property
    def model(self) -> keras.Model:
        """The best setting's model, trained on train and validation.

        It is built anew by the recipe, and only its weights are read from the folder.
        """
        return self.load(self.folder, self.best)

    @property
    def run(self) -> Run:
        """The run of the best setting, for a search with "transfer"."""
        return Run.load(self.folder / "run")

    @property
    def minimized(self) -> bool:
        """Whether less of the objective is better."""
        return (self.direction or direction_of(self.objective)) == "min"

    def importance(self) -> pd.Series:
        """How much of the score each hyperparameter explains, by a random forest; they sum to 1.

        Source:
            `sklearn.ensemble.RandomForestRegressor.feature_importances_`.
        """
        done = self.trials[np.isfinite(self.trials["score"].astype("float64"))]
        parameters = done[_parameters(done)]
        if parameters.empty:
            return pd.Series(dtype="float64")
        texts = parameters.select_dtypes(exclude="number").columns
        encoded = parameters.copy()
        if len(texts):
            encoded[texts] = OrdinalEncoder().fit_transform(parameters[texts].astype(str))
        forest = RandomForestRegressor(200, random_state=0)
        forest.fit(encoded.fillna(-1), done["score"])
        importance = pd.Series(forest.feature_importances_, parameters.columns)
        return importance.sort_values(ascending=False)

    def plot(self, figure=None):
        """Draw the progress, the importance, and a slice along each of the seven weightiest.

        Args:
            figure: a matplotlib figure; a new one by default.

        Returns:
            The figure.
        """
        if figure is None:
            from matplotlib import pyplot

            figure = pyplot.figure(figsize=(11, 8), layout="constrained")
        importance = self.importance()
        shown = importance.index[:7]
        axes = figure.subplots(-(-(2 + len(shown)) // 3), 3, squeeze=False).ravel()
        scores = self.trials["score"].astype("float64")
        best = scores.cummin() if self.minimized else scores.cummax()
        axes[0].plot(scores, ".", color="gray")
        axes[0].plot(best.ffill(), drawstyle="steps-post")
        axes[0].set(xlabel="trial", ylabel=self.objective, title="progress")
        axes[1].barh(importance.index[:8][::-1], importance[:8][::-1])
        axes[1].set(title="importance")
        for ax, name in itertools.zip_longest(axes[2:], shown):
            if name is None:
                ax.set_axis_off()
                continue
            values = self.trials[name]
            number = pd.api.types.is_numeric_dtype(values)
            known = values.notna() & scores.notna()
            ax.plot(values[known] if number else values[known].astype(str), scores[known], ".")
            if number and values.min() > 0 and values.max() > 100 * values.min():
                ax.set_xscale("log")
            ax.tick_params("x", rotation=0 if number else 45)
            ax.set(title=name)
        return figure


def _parameters(trials: pd.DataFrame) -> list[str]:
    """The columns of hyperparameters that were varied."""
    known = ("trial", "status", "score", "best_epoch", "epochs")
    return [n for n in trials if n not in known and trials[n].nunique(dropna=False) > 1]


def trial_table(oracle: keras_tuner.Oracle, curves: Mapping[str, Sequence]) -> pd.DataFrame:
    """One row a trial: number, status, score, best epoch, epochs trained, and what was set."""
    rows = []
    for trial_id in sorted(oracle.trials):
        trial = oracle.trials[trial_id]
        rows.append(
            {
                "trial": int(trial_id),
                "status": trial.status.lower(),
                "score": np.nan if trial.score is None else trial.score,
                "best_epoch": None if trial.best_step is None else trial.best_step + 1,
                "epochs": len(curves.get(trial_id, ())),
                **setting_of(trial),
            }
        )
    return pd.DataFrame(rows)


def setting_of(trial) -> dict:
    """A trial's hyperparameters, without those of keras-tuner's own."""
    return {k: v for k, v in trial.hyperparameters.values.items() if "/" not in k}
