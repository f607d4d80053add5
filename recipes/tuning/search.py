"""One call from data to the best setting, tested once on rows that the search never saw."""

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pandas as pd

from callbacks.lookup import find
from recipes.files import digest, read_json, replace, write_json
from recipes.tuning.oracles import GeneticOracle, ManualOracle, completed, safe
from recipes.tuning.protocol import as_arrays, open_folder, split_rows
from recipes.tuning.result import SearchResult, less_is_better
from recipes.tuning.space import HyperModel

ALGORITHMS = {
    "manual": ManualOracle,
    "grid": keras_tuner.oracles.GridSearchOracle,
    "random": keras_tuner.oracles.RandomSearchOracle,
    "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    "hyperband": keras_tuner.oracles.HyperbandOracle,
    "genetic": GeneticOracle,
}
PROJECT = "trials"


def search(
    recipe: Callable,
    data: tuple | pd.DataFrame,
    space: Mapping | Sequence[Mapping] | pd.DataFrame | None = None,
    *,
    directory: str | Path,
    algorithm: str = "bayesian",
    target: str | None = None,
    max_trials: int = 20,
    max_epochs: int = 20,
    objective: str = "val_loss",
    patience: int = 5,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    overwrite: bool = False,
    verbose: bool = True,
    **fixed,
) -> SearchResult:
    """Search the hyperparameters of a recipe.

    Train, validation and test are split once and stored. The search sees train and validation;
    the best setting is trained again on both, for the epochs that were best, and tested once.
    Interrupted or killed, the same call goes on; no finished trial is run again.

    Args:
        recipe: `recipes.mlp`, `cnn`, `resnet`, `mobilenet`, or a function `build(hp)` that returns
            a compiled model.
        data: (x, y) arrays, or a DataFrame of numbers with a `target` column.
        space: changes of the recipe's default space, see `HyperModel`; for "manual" a list of
            settings, or a DataFrame of them.
        directory: of the search; a finished one there is read and not repeated.
        algorithm: "manual", "grid", "random", "bayesian", "hyperband" or "genetic".
        target: the column of a DataFrame that holds the classes.
        max_trials: settings to try. "manual" has as many as were given; "grid" refuses if there
            are more.
        max_epochs: of a trial.
        objective: a metric; a loss is minimized, anything else maximized.
        patience: epochs without a better objective before a trial ends.
        validation: share of the data.
        test: share of the data.
        seed: of the split, the algorithm and the models.
        overwrite: replace another search in `directory`.
        verbose: whether keras-tuner prints its progress.
        **fixed: arguments of the recipe and the training that are not searched.

    Returns:
        The trials, the best setting, its metrics on the test part.

    Raises:
        ValueError: an unknown name, an unusable space, a grid that is too large.
        FileExistsError: `directory` holds another search.

    Example:
        >>> result = search(recipes.mlp, (x, y), algorithm="genetic", max_trials=30,
        ...                 directory="searches/a")  # doctest: +SKIP
        >>> result.best, result.test_metrics  # doctest: +SKIP
    """
    find(algorithm, ALGORITHMS, what="algorithm")
    for name, value in (("max_trials", max_trials), ("max_epochs", max_epochs)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: {value!r} is not a whole number from 1 up.")
    x, labels, classes = as_arrays(data, target)
    settings, space = _settings_of(algorithm, space)
    model = _hyper_model(recipe, space, fixed, x, len(classes), seed)
    if algorithm == "manual":  # what no setting names keeps the recipe's default
        model.space = {name: model.space[name] for name in space}
    if algorithm == "grid":
        max_trials = _grid_size(model.space, max_trials)
    folder = Path(directory)
    note = {
        "recipe": getattr(recipe, "__name__", str(recipe)),
        "space": json.loads(json.dumps(model.space, default=str)),
        "fixed": json.loads(json.dumps(fixed, default=str)),
        "settings": json.loads(json.dumps(settings, default=str)),
        "algorithm": algorithm,
        "max_trials": max_trials,
        "max_epochs": max_epochs,
        "objective": objective,
        "patience": patience,
        "shares": [validation, test],
        "seed": seed,
        "data": digest({"x": x, "y": labels}),
    }
    open_folder(folder, note, overwrite)
    parts = split_rows(folder, labels, validation, test, seed)
    tuner = _tuner(algorithm, model, folder, settings, max_trials, max_epochs, objective, seed)
    train, held_out = ((x[parts[name]], labels[parts[name]]) for name in ("train", "validation"))
    direction = "min" if less_is_better(objective) else "max"
    keras.utils.set_random_seed(seed)
    tuner.search(
        *train,
        validation_data=held_out,
        epochs=max_epochs,
        verbose=1 if verbose else 0,
        callbacks=[keras.callbacks.EarlyStopping(objective, patience=patience, mode=direction)],
    )
    trials = _table(tuner.oracle, objective)
    replace(folder / "trials.csv", lambda path: trials.to_csv(path, index=False))
    final = folder / "result.json"
    if not final.exists():
        _finish(folder, tuner, model, x, labels, parts, max_epochs, seed)
    found = read_json(final)
    return SearchResult(trials, found["best"], found["test_metrics"], objective, folder)


def _settings_of(algorithm: str, space) -> tuple[list[dict] | None, Mapping | None]:
    """For "manual" the list of settings, and a space that holds their values."""
    if algorithm != "manual":
        if space is not None and not isinstance(space, Mapping):
            raise ValueError('space: a list of settings is for algorithm="manual".')
        return None, space
    if isinstance(space, pd.DataFrame):
        rows = space.astype(object).to_dict("records")
        space = [{k: v for k, v in row.items() if not pd.isna(v)} for row in rows]
    if not isinstance(space, Sequence) or not space:
        raise ValueError('space: algorithm="manual" takes a list of settings, or a DataFrame.')
    names = {name for setting in space for name in setting}
    values = {
        name: list(dict.fromkeys(setting[name] for setting in space if name in setting))
        for name in names
    }
    return [dict(setting) for setting in space], values


def _hyper_model(recipe, space, fixed, x, num_classes, seed) -> HyperModel:
    own = HyperModel(recipe, **fixed) if space is None else None
    if own is not None and own.own:
        return own
    shape = int(x.shape[1]) if x.ndim == 2 else tuple(map(int, x.shape[1:]))
    given = {"input_shape": shape, "num_classes": num_classes, "seed": seed, **fixed}
    return HyperModel(recipe, space, **given)


def _grid_size(space: Mapping, max_trials: int) -> int:
    """The number of combinations, conditions not counted; refused where it is too large."""
    ranges = [name for name, values in space.items() if isinstance(values, tuple)]
    if ranges:
        raise ValueError(
            f"space: a grid needs lists of values; {', '.join(ranges)} "
            f"{'is a range' if len(ranges) == 1 else 'are ranges'}. Fix or list them."
        )
    size = math.prod(len(values) for values in space.values() if isinstance(values, list))
    if size > max_trials:
        raise ValueError(f"max_trials: the grid has up to {size:,} settings, {max_trials} allowed.")
    return max_trials


def _tuner(algorithm, model, folder, settings, max_trials, max_epochs, objective, seed):
    direction = "min" if less_is_better(objective) else "max"
    options = {"objective": keras_tuner.Objective(objective, direction), "seed": seed + 1}
    if algorithm == "manual":
        del options["seed"]
        options["settings"] = settings
    elif algorithm == "hyperband":
        options["max_epochs"] = max_epochs
    else:
        options["max_trials"] = max_trials
    oracle = safe(ALGORITHMS[algorithm], **options)
    kind = _Hyperband if algorithm == "hyperband" else keras_tuner.Tuner
    # A search in one process has no chief, whatever the environment says.
    os.environ.pop("KERASTUNER_ORACLE_IP", None)
    return kind(
        oracle=oracle,
        hypermodel=model,
        directory=str(folder),
        project_name=PROJECT,
        overwrite=False,
    )


class _Hyperband(keras_tuner.Hyperband):
    """keras-tuner's Hyperband, whose rounds go on from weights before, with a safe oracle."""

    def __init__(self, oracle, **options):
        keras_tuner.Tuner.__init__(self, oracle=oracle, **options)


def _table(oracle, objective: str) -> pd.DataFrame:
    rows = []
    for trial_id in sorted(oracle.trials):
        trial = oracle.trials[trial_id]
        rows.append(
            {
                "trial": int(trial_id),
                "status": trial.status.lower(),
                "score": np.nan if trial.score is None else trial.score,
                "best_epoch": None if trial.best_step is None else trial.best_step + 1,
                **{k: v for k, v in trial.hyperparameters.values.items() if "/" not in k},
            }
        )
    return pd.DataFrame(rows)


def _finish(folder, tuner, model, x, labels, parts, max_epochs, seed) -> None:
    """Train the best setting on train and validation, and use the test part."""
    best = completed(tuner.oracle, 1)
    if not best:
        reasons = {(trial.message or "").strip()[-300:] for trial in tuner.oracle.trials.values()}
        raise ValueError(f"space: no trial could be finished. {' '.join(sorted(reasons))}")
    trial = best[0]
    rows = np.concatenate([parts["train"], parts["validation"]])
    keras.utils.set_random_seed(seed)
    final = model.build(trial.hyperparameters)
    model.fit(
        trial.hyperparameters,
        final,
        x[rows],
        labels[rows],
        epochs=min((trial.best_step or 0) + 1, max_epochs),
        verbose=0,
    )
    tested = final.evaluate(x[parts["test"]], labels[parts["test"]], verbose=0, return_dict=True)
    replace(folder / "model.keras", lambda path: final.save(path))
    values = {k: v for k, v in trial.hyperparameters.values.items() if "/" not in k}
    write_json(
        folder / "result.json",
        {"best": values, "test_metrics": {name: float(v) for name, v in tested.items()}},
    )
