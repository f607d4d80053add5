"""One call from data to the best setting, tested once on rows that the search never saw."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import keras_tuner
import pandas as pd

from recipes.classifiers import registry
from recipes.files import checked_path, read_json, replace, write_json
from recipes.ingredients.identifiers import called
from recipes.lookup import find
from recipes.rules import COUNT, POSITIVE, SHARE, TRUTH, WHOLE
from recipes.tuning import report
from recipes.tuning.objective import checked as checked_objective
from recipes.tuning.oracles import completed
from recipes.tuning.problem import DataProblem, Problem
from recipes.tuning.protocol import open_folder
from recipes.tuning.result import SearchResult, setting_of, trial_table
from recipes.tuning.space import checked, decoded, encoded, plain
from recipes.tuning.transfer import TRANSFER, TransferProblem
from recipes.tuning.trials import ALGORITHMS, CURVES, Trials, alone, read_curves, without_chief
from recipes.tuning.workers import supervise, take_part


def search(
    recipe: Callable | str,
    data: tuple | pd.DataFrame | str | Path,
    space: Mapping | Sequence[Mapping] | pd.DataFrame | None = None,
    *,
    directory: str | Path,
    algorithm: str = "bayesian",
    target: str | None = None,
    max_trials: int = 20,
    max_epochs: int = 20,
    objective: str | keras_tuner.Objective = "val_loss",
    patience: int = 5,
    prune: bool = True,
    validation: float = 0.2,
    test: float = 0.2,
    workers: int | None = None,
    trial_timeout: float | None = None,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    overwrite: bool = False,
    verbose: bool = True,
    **fixed,
) -> SearchResult | None:
    """Search the hyperparameters of a recipe, or of transfer learning on a folder of pictures.

    Train, validation and test are split once and stored. The search sees train and validation;
    the best setting is trained again on both, for the epochs that were best, and tested once.
    With "transfer" the best setting becomes a run folder (`fit`), whose validation part
    decides when to stop. Interrupted or killed, the same call goes on; no finished trial is run
    again, and none counts twice.

    Args:
        recipe: a recipe such as `recipes.resnet`, or its name; a function `build(hp)` that returns
            a compiled model; or "transfer", for `fit` on pictures, whose frozen features are
            computed once for all trials.
        data: (x, y) arrays, where y has classes, one-hot rows or rows of any number of labels; a
            `tf.data.Dataset` of pairs, which is read once; a DataFrame of numbers, True and False
            with a `target` column; or a folder with one subfolder of pictures a class (decoded at
            `image_size`, a side or (height, width), 64 by default). With "transfer" all that
            `recipes.fit` takes.
        space: changes of the recipe's default space, see `HyperModel`; for "manual" a list of
            settings, or a DataFrame of them.
        directory: of the search; a finished one there is read and not repeated.
        algorithm: "manual", "grid", "random", "bayesian", "hyperband" or "genetic".
        target: the column of a DataFrame that holds the classes.
        max_trials: settings to try. "manual" has as many as were given; "grid" refuses if there
            are more; "hyperband" follows from `max_epochs`.
        max_epochs: of a trial; with "transfer" of each of its phases.
        objective: the name of a metric that a trial reports, such as "val_accuracy" or "val_mae";
            whether less or more is better follows from the name. Where it does not, it is refused:
            give a `keras_tuner.Objective`, which says so.
        patience: epochs without a better objective before a trial ends.
        prune: whether a trial ends early that is worse than the median of the others at the same
            epoch, once five have ended. Not for "hyperband" and "transfer".
        validation: share of the data.
        test: share of the data.
        workers: processes on this machine that try settings side by side, watched over; one by
            default. Where the environment names a chief (`KERASTUNER_ORACLE_IP`), this process
            plays the part that it gives.
        trial_timeout: seconds after which a trial counts as lost and goes to another worker;
            never by default.
        seed: of the split, the algorithm and the models.
        callbacks: Keras callbacks of your own; each training has a copy of them.
        overwrite: replace another search in `directory`.
        verbose: whether keras-tuner prints its progress.
        **fixed: arguments of the recipe and the training that are not searched; of `fit_folder`
            with "transfer".

    Returns:
        The trials, the best setting, its metrics on the test part. None in a process that is a
        worker by its environment: the chief has the result.

    Raises:
        ValueError: an unknown name or metric, an argument out of its range, data with missing
            values, an unusable space, a grid that is too large; before the first trial.
        FileExistsError: `directory` holds another search.
        RuntimeError: worker processes die again and again.

    Example:
        >>> result = search(recipes.mlp, (x, y), algorithm="genetic", max_trials=30,
        ...                 directory="searches/a")  # doctest: +SKIP
        >>> result.best, result.test_metrics  # doctest: +SKIP
    """
    find(algorithm, ALGORITHMS, what="algorithm")
    max_trials, max_epochs = COUNT("max_trials", max_trials), COUNT("max_epochs", max_epochs)
    patience, seed = WHOLE("patience", patience), WHOLE("seed", seed)
    validation, test = SHARE("validation", validation), SHARE("test", test)
    workers = None if workers is None else COUNT("workers", workers)
    trial_timeout = None if trial_timeout is None else POSITIVE("trial_timeout", trial_timeout)
    for name, truth in (("prune", prune), ("overwrite", overwrite), ("verbose", verbose)):
        TRUTH(name, truth)
    goal = checked_objective(objective)
    folder = checked_path("directory", directory)
    fixed = {name: plain(value) for name, value in fixed.items()}
    settings, space = _settings_of(algorithm, space)
    shares = {"validation": validation, "test": test}
    options: dict = {**shares, "max_epochs": max_epochs, "seed": seed, "callbacks": callbacks}
    if recipe == TRANSFER:
        problem = TransferProblem(data, space, fixed, verbose=verbose, **options)
    else:
        problem = DataProblem(_callable(recipe), data, space, fixed, target=target, **options)
    if algorithm == "manual":  # what no setting names keeps the recipe's default
        problem.model.space = {name: problem.model.space[name] for name in space or ()}
    if algorithm == "grid":
        max_trials = _grid_size(problem.model.space, max_trials)
    problem.check(goal.name)
    note = {
        "recipe": getattr(recipe, "__name__", str(recipe)),
        "space": _as_json(getattr(problem.model, "space", {})),
        "fixed": _as_json(fixed),
        "settings": _as_json(settings),
        "algorithm": algorithm,
        "max_trials": max_trials,
        "max_epochs": max_epochs,
        "objective": goal.name,
        "direction": goal.direction,
        "patience": patience,
        "prune": prune,
        "shares": [validation, test],
        "seed": seed,
        "data": problem.key,
    }
    open_folder(folder, note, overwrite)
    final = folder / "result.json"
    parts = ((), ()) if final.exists() else problem.open(folder)
    trials = Trials(
        algorithm,
        problem.model,
        folder.absolute(),
        *parts,
        settings=settings,
        max_trials=max_trials,
        max_epochs=max_epochs,
        objective=goal.name,
        direction=goal.direction,
        patience=patience,
        prune=prune,
        seed=seed,
        callbacks=() if recipe == TRANSFER else tuple(callbacks),
        verbose=verbose,
    )
    if not final.exists() and not _tried(trials, workers, trial_timeout):
        return None
    oracle = trials.tuner().oracle
    table = trial_table(oracle, read_curves(folder / CURVES))
    replace(folder / "trials.csv", lambda path: table.to_csv(path, index=False))
    if not final.exists():
        _finish(folder, oracle, problem)
    found = read_json(final)
    best = decoded(getattr(problem.model, "space", {}), found["best"])
    metrics, loader = found["test_metrics"], problem.loader()
    result = SearchResult(table, best, metrics, goal.name, folder, loader, goal.direction)
    report.write(result, note)
    return result


def _tried(trials: Trials, workers: int | None, timeout: float | None) -> bool:
    """Try settings until there are enough; whether this process is the one to go on from there."""
    if workers is None and not alone():
        return take_part(trials, timeout)
    # A search of this machine's own has no other chief, whatever the environment says.
    with without_chief():
        if workers is None or workers == 1:
            trials.run()
        else:
            supervise(trials, workers, timeout)
    return True


def _callable(recipe) -> Callable:
    if callable(recipe):
        return recipe
    find(str(recipe), dict.fromkeys((*registry.names(), TRANSFER)), what="recipe")
    return registry.get(recipe).function


def _as_json(value):
    return json.loads(json.dumps(value, default=called))


def _settings_of(algorithm: str, space) -> tuple[list[dict] | None, Mapping | None]:
    """For "manual" the list of settings, and a space that holds their values."""
    if algorithm != "manual":
        if space is not None and not isinstance(space, Mapping):
            raise ValueError('space: a list of settings is for algorithm="manual".')
        return None, space
    if isinstance(space, pd.DataFrame):
        rows = space.astype(object).to_dict("records")
        space = [{k: v for k, v in row.items() if not pd.api.types.is_scalar(v) or pd.notna(v)}
                 for row in rows]  # fmt: skip
    fits = isinstance(space, Sequence) and all(isinstance(setting, Mapping) for setting in space)
    if not fits or not space:
        raise ValueError('space: algorithm="manual" takes a list of settings, or a DataFrame.')
    names = dict.fromkeys(name for setting in space for name in setting)
    values = {name: [s[name] for s in space if name in s] for name in names}
    values = {name: checked(name, choices) for name, choices in values.items()}
    return [encoded(values, {k: plain(v) for k, v in s.items()}) for s in space], values


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


def _finish(folder: Path, oracle: keras_tuner.Oracle, problem: Problem) -> None:
    """Train the best setting again, use the test part, and note both."""
    best = completed(oracle, 1)
    if not best:
        reasons = {(trial.message or "").strip()[-300:] for trial in oracle.trials.values()}
        raise ValueError(f"space: no trial could be finished. {' '.join(sorted(reasons))}")
    tested = problem.finish(folder, best[0])
    write_json(
        folder / "result.json",
        {
            "best": setting_of(best[0]),
            "test_metrics": {name: float(value) for name, value in tested.items()},
        },
    )
