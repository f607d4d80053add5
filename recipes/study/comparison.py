"""Which choice is better: every combination of a grid with several seeds, as one table."""

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from recipes.compiling import compile_classifier
from recipes.files import digest, replace
from recipes.ingredients.identifiers import called
from recipes.progress import track
from recipes.rules import COUNT, WHOLE


def compare(
    build: Callable[..., keras.Model],
    grid: Mapping[str, Sequence],
    train: tuple,
    validation: tuple,
    *,
    seeds: int | Sequence[int] = 3,
    epochs: int = 10,
    batch_size: int = 32,
    output: str | Path | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    """Train every combination of choices with several seeds.

    Args:
        build: makes a model from one value of each choice and a `seed`; a recipe with its other
            arguments bound serves. A model that is not compiled is compiled as a classifier.
        grid: choice to its values. "batch_size" and "epochs" are taken by the training, if given.
            An object stands in the table by its class and what it does not have by default.
        train: x and y.
        validation: x and y.
        seeds: how many, from 0, or which.
        epochs: of each run.
        batch_size: of each run.
        output: a CSV file that is written after each run; runs that it holds are not repeated.
        verbose: whether progress is shown.

    Returns:
        One row a run: the choices, `seed`, `loss`, `val_loss` and the other metrics of the last
        epoch, `best_val_loss`, `seconds`, `diverged`. A run that diverged or failed for a
        non-finite loss is a row like the others.

    Raises:
        ValueError: the grid is empty, two of its values have one name, or a seed is no whole number
            from 0 up.

    Example:
        >>> from functools import partial
        >>> from recipes import mlp
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.normal(size=(64, 4)), np.arange(64) % 2
        >>> table = compare(partial(mlp, 4, 2, units=(4,)), {"activation": ["relu", "tanh"]},
        ...                 (x, y), (x, y), seeds=2, epochs=1, verbose=False)
        >>> len(table)
        4
    """
    grid = {name: _choices(name, values) for name, values in grid.items()}
    if not grid:
        raise ValueError("grid: it holds no choices.")
    several = isinstance(seeds, Iterable)
    seeds = [WHOLE("seeds", one) for one in seeds] if several else range(COUNT("seeds", seeds))
    common = {"epochs": epochs, "batch_size": batch_size}
    data = digest({f"{i}": np.asarray(a) for i, a in enumerate((*train, *validation))})
    plan = [
        (dict(zip(grid, values, strict=True)), seed)
        for values in itertools.product(*grid.values())
        for seed in seeds
    ]
    keys = [_key({**common, **choices}, seed, data) for choices, seed in plan]
    done = _read(output)
    for (choices, seed), key in track(
        list(zip(plan, keys, strict=True)), "Comparing", len(plan), "runs", verbose
    ):
        if key not in done:
            settings = {**common, **choices}
            model = build(**{k: v for k, v in choices.items() if k not in common}, seed=seed)
            row = _run(model, train, validation, seed, **{k: settings[k] for k in common})
            shown = {name: called(value) for name, value in choices.items()}
            done[key] = {"key": key, **shown, "seed": seed, **row}
            if output is not None:
                table = pd.DataFrame(list(done.values()))
                replace(output, lambda path, table=table: table.to_csv(path, index=False))
            keras.backend.clear_session(free_memory=False)
    return pd.DataFrame([done[key] for key in keys]).drop(columns="key")


def summarize(table: pd.DataFrame, metric: str = "val_accuracy") -> pd.DataFrame:
    """Mean and deviation over the seeds, the best choice first.

    Args:
        table: what `compare` gave.
        metric: a column of it; for a loss less is better.

    Returns:
        Index: the choices; columns `mean`, `std`, `runs`, `diverged`, `seconds`.

    Example:
        >>> table = pd.DataFrame({"activation": ["a", "a", "b"], "seed": [0, 1, 0],
        ...     "val_accuracy": [0.5, 0.7, 0.9], "seconds": 1.0, "diverged": False})
        >>> summarize(table)["mean"].tolist()
        [0.9, 0.6]
    """
    choices = list(table.columns[: table.columns.get_loc("seed")])
    summary = table.groupby(choices, sort=False).agg(
        mean=(metric, "mean"),
        std=(metric, "std"),
        runs=(metric, "size"),
        diverged=("diverged", "sum"),
        seconds=("seconds", "mean"),
    )
    return summary.sort_values("mean", ascending=metric.endswith("loss"), na_position="last")


def plot_comparison(table: pd.DataFrame, metric: str = "val_accuracy", ax=None):
    """Draw the mean of each choice, its deviation, and every run as a point; return the axes."""
    summary = summarize(table, metric)[::-1]
    if ax is None:
        from matplotlib import pyplot

        size = (6, 1 + 0.35 * len(summary))
        ax = pyplot.figure(figsize=size, layout="constrained").gca()
    names = [" ".join(map(str, np.atleast_1d(np.array(i, object)))) for i in summary.index]
    place = dict(zip(summary.index, range(len(summary)), strict=True))
    choices = list(summary.index.names)
    runs = table.set_index(choices)[metric]
    ax.errorbar(summary["mean"], range(len(summary)), xerr=summary["std"], fmt="o")
    ax.plot(runs.to_numpy(), [place[i] for i in runs.index], ".", color="gray", alpha=0.5)
    ax.set(yticks=range(len(summary)), yticklabels=names, xlabel=metric)
    return ax


def _key(settings: Mapping, seed: int, data: str) -> str:
    shown = {name: called(value) for name, value in settings.items()}
    text = json.dumps([sorted(shown.items()), seed, data], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _choices(name: str, values) -> list:
    """The values of a choice, refused where there are none, or where two stand for one."""
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise ValueError(f"grid: {name} = {values!r} is no list of values.")
    values = list(values)
    if not values:
        raise ValueError(f"grid: {name} holds no choices.")
    shown = [json.dumps(called(value), default=str) for value in values]
    twice = next((one for place, one in enumerate(shown) if one in shown[:place]), None)
    if twice is not None:
        raise ValueError(
            f"grid: {name} has two values of the name {twice}; runs are known by their names."
        )
    return values


def _read(output: str | Path | None) -> dict[str, dict]:
    if output is None or not Path(output).exists():
        return {}
    table = pd.read_csv(output, keep_default_na=False, na_values=["nan", ""])
    return {row["key"]: row for row in table.to_dict("records")}


def _run(model, train, validation, seed, epochs, batch_size) -> dict:
    """One training, as a row."""
    if not model.compiled:
        compile_classifier(model)
    keras.utils.set_random_seed(seed)
    began = time.perf_counter()
    history = model.fit(
        *train,
        validation_data=validation,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN()],
    ).history
    last = {name: values[-1] for name, values in history.items()}
    losses = [*history["loss"], *history.get("val_loss", [np.nan])]
    return {
        **last,
        "best_val_loss": float(np.min(history.get("val_loss", [np.nan]))),
        "seconds": time.perf_counter() - began,
        "diverged": not np.isfinite(losses).all(),
    }
