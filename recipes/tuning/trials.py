"""The trying of settings: a keras-tuner Tuner, made alike in one process and in each of several."""

import contextlib
import io
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import grpc
import keras
import keras_tuner

from recipes.files import read_json, write_json
from recipes.tuning.oracles import GeneticOracle, GridOracle, ManualOracle, safe

ALGORITHMS = {
    "manual": ManualOracle,
    "grid": GridOracle,
    "random": keras_tuner.oracles.RandomSearchOracle,
    "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    "hyperband": keras_tuner.oracles.HyperbandOracle,
    "genetic": GeneticOracle,
}
PROJECT, CURVES = "trials", "curves"
IDLE_SECONDS = 0.05
MEDIAN_FROM = 5


@dataclass
class Trials:
    """All that trying settings needs; what a worker process is given.

    Attributes:
        algorithm: a name of `ALGORITHMS`.
        model: a `keras_tuner.HyperModel`.
        folder: of the search.
        train: what `fit` learns from, as its positional arguments.
        held_out: what decides.
        settings: of "manual".
        max_trials: settings to try.
        max_epochs: of a trial.
        objective: the metric that decides.
        direction: "min" where less of it is better, or "max".
        patience: epochs without a better one before a trial ends.
        prune: whether a trial ends that is worse than the median of the others at its epoch.
        seed: of the algorithm and of each trial.
        callbacks: of the user's own; keras-tuner gives each trial a copy.
        verbose: whether keras-tuner prints its progress.
    """

    algorithm: str
    model: keras_tuner.HyperModel
    folder: Path
    train: tuple = field(repr=False)
    held_out: tuple = field(repr=False)
    settings: list[dict] | None = None
    max_trials: int = 20
    max_epochs: int = 20
    objective: str = "val_loss"
    direction: str = "min"
    patience: int = 5
    prune: bool = True
    seed: int = 0
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    verbose: bool = True

    def tuner(self) -> keras_tuner.Tuner:
        """The Tuner, with what its folder holds of an earlier process."""
        options = {
            "objective": keras_tuner.Objective(self.objective, self.direction),
            "seed": self.seed + 1,
        }
        if self.algorithm == "manual":
            options = {"objective": options["objective"], "settings": self.settings}
        elif self.algorithm == "hyperband":
            options["max_epochs"] = self.max_epochs
        else:
            options["max_trials"] = self.max_trials
        # keras-tuner's own three random trials a parameter may be all that there are.
        start = max(3, self.max_trials // 4)
        if self.algorithm == "bayesian":
            options["num_initial_points"] = start
        if self.algorithm == "genetic":
            options["population_size"] = min(start, 10)
        kind = _HyperbandTuner if self.algorithm == "hyperband" else _Tuner
        with contextlib.redirect_stdout(io.StringIO()):  # "Reloading Tuner from …" at each start
            tuner = kind(
                seed=self.seed,
                oracle=safe(ALGORITHMS[self.algorithm], **options),
                hypermodel=self.model,
                directory=str(self.folder),
                project_name=PROJECT,
            )
            tuner.go_on()
        return tuner

    def run(self) -> None:
        """Try settings until the algorithm has enough, in this process or as a chief's worker."""
        prune = self.prune and self.algorithm != "hyperband"  # which has a way of its own
        stopping = keras.callbacks.EarlyStopping(
            self.objective, patience=self.patience, mode=self.direction
        )
        self.tuner().search(
            *self.train,
            validation_data=self.held_out,
            epochs=self.max_epochs,
            verbose=1 if self.verbose else 0,
            callbacks=[
                stopping,
                TrialCurve(
                    self.folder / CURVES, self.objective, direction=self.direction, prune=prune
                ),
                *self.callbacks,
            ],
        )


class _Tuner(keras_tuner.Tuner):
    """keras-tuner's Tuner with a seed a trial, whichever process runs it and when."""

    def __init__(self, seed: int, **options):
        self.seed = seed
        super().__init__(**options)

    def go_on(self) -> None:
        """Read the oracle's state where this process' own file is missing.

        keras-tuner looks at its file alone, and begins from nothing without it.
        """
        state = Path(self.project_dir) / "oracle.json"
        if not self._is_worker() and state.exists() and not self.oracle.start_order:
            self.oracle.reload()

    def pre_create_trial(self):
        """Wait a little: a worker asks again at once when there is nothing to do yet."""
        if self._is_worker():
            time.sleep(IDLE_SECONDS)

    def run_trial(self, trial, *args, **options):
        """One trial, from its own seed."""
        keras.utils.set_random_seed((1_000_003 * self.seed + int(trial.trial_id)) % 2**32)
        for callback in options.get("callbacks", []):
            if isinstance(callback, TrialCurve):
                callback.trial = trial.trial_id
        return super().run_trial(trial, *args, **options)

    def _run_and_update_trial(self, trial, *args, **options):
        try:
            super()._run_and_update_trial(trial, *args, **options)
        except grpc.RpcError as error:  # is no failure of the trial
            raise keras_tuner.errors.FatalError(f"The chief was lost: {error.code()}.") from None


class _HyperbandTuner(_Tuner, keras_tuner.Hyperband):
    """keras-tuner's Hyperband, whose rounds go on from weights before, with a safe oracle."""

    def __init__(self, seed: int, oracle, **options):
        self.seed = seed
        keras_tuner.Tuner.__init__(self, oracle=oracle, **options)

    def _build_hypermodel(self, hp):
        if getattr(self.hypermodel, "warm_start", True):
            return super()._build_hypermodel(hp)
        return keras_tuner.Tuner._build_hypermodel(self, hp)


class TrialCurve(keras.callbacks.Callback):
    """Keeps a trial's objective by epoch, and may end a trial that is behind the others.

    It ends where its best value so far is worse than the median of the others at that epoch. The
    curves lie in files, one a trial, so that those of other processes and of earlier ones count.

    Args:
        folder: of the curves; it is made.
        objective: the metric.
        direction: "min" where less of it is better, or "max".
        prune: whether trials are ended.
        from_epoch: no trial is ended before it has had so many epochs.

    Source:
        The median stopping rule of D. Golovin et al., Google Vizier, KDD 2017, section 3.2.1.
    """

    def __init__(
        self,
        folder: Path,
        objective: str,
        *,
        direction: str = "min",
        prune: bool,
        from_epoch: int = 3,
    ):
        super().__init__()
        self.folder = folder
        self.objective = objective
        self.direction = direction
        self.prune = prune
        self.from_epoch = from_epoch
        self.trial = ""

    def on_train_begin(self, logs=None):
        """Forget the curve of another trial."""
        self.curve: list[float] = []
        self.others = None

    def on_epoch_end(self, epoch, logs=None):
        """Note the epoch's value, and compare the best so far."""
        self.curve.append(float((logs or {}).get(self.objective, float("nan"))))
        seen = len(self.curve)
        if not self.prune or seen < self.from_epoch:
            return
        if self.others is None:
            self.others = read_curves(self.folder, but=self.trial)
        best = min if self.direction == "min" else max
        theirs = [best(curve[:seen]) for curve in self.others.values() if len(curve) >= seen]
        if len(theirs) >= MEDIAN_FROM:
            middle, own = median(theirs), best(self.curve)
            self.model.stop_training |= own > middle if best is min else own < middle

    def on_train_end(self, logs=None):
        """Keep the curve."""
        self.keep(self.curve)

    def keep(self, curve: list[float]) -> None:
        """Write a curve, for the trials to come and for the table."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / f"{self.trial}.json", {"values": curve})


def read_curves(folder: Path, but: str = "") -> dict[str, list[float]]:
    """The curves of all trials, or of all but one, by the trial's id."""
    curves = {}
    for path in sorted(folder.glob("*.json")):
        if path.stem != but:
            with contextlib.suppress(FileNotFoundError):
                curves[path.stem] = read_json(path)["values"]
    return curves


def alone() -> bool:
    """Whether this process searches alone: no chief is named in the environment.

    Example:
        >>> alone()
        True
    """
    return "KERASTUNER_ORACLE_IP" not in os.environ


@contextlib.contextmanager
def without_chief():
    """Take the chief out of the environment, for a search that has none."""
    names = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
