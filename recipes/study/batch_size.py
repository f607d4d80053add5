"""What a batch size costs and brings, and which to take."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from recipes.heads import compile_classifier
from recipes.lookup import find
from recipes.study.comparison import compare
from recipes.study.statistics import compiled_copy

SCALINGS = {"linear": lambda ratio: ratio, "sqrt": lambda ratio: ratio**0.5, "none": lambda _: 1.0}
ENOUGH = 0.9  # of the highest throughput
RESERVE = 0.8  # of the free memory may be asked for


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """The iterations that one epoch takes; the last batch may be smaller.

    Example:
        >>> steps_per_epoch(1000, 32)
        32
    """
    if samples < 1 or batch_size < 1:
        raise ValueError(f"samples, batch_size: {samples} and {batch_size} are not both positive.")
    return -(-samples // batch_size)


def scale_learning_rate(
    learning_rate: float, batch_size: int, new_batch_size: int, rule: str = "linear"
) -> float:
    """The rate for another batch size.

    Args:
        learning_rate: the one that is known to work.
        batch_size: with this one.
        new_batch_size: to scale to.
        rule: "linear" (arXiv 1706.02677, for SGD), "sqrt" (arXiv 1404.5997, for Adam), "none".

    Example:
        >>> scale_learning_rate(0.1, 32, 128), scale_learning_rate(0.1, 32, 128, "sqrt")
        (0.4, 0.2)
    """
    return learning_rate * find(rule, SCALINGS, what="rule")(new_batch_size / batch_size)


def batch_size_study(
    build: Callable[..., keras.Model],
    batch_sizes: Sequence[int],
    train: tuple,
    validation: tuple,
    *,
    learning_rate: float = 1e-3,
    rule: str = "none",
    optimizer: str = "adam",
    **options,
) -> pd.DataFrame:
    """Time and accuracy by batch size, with the learning rate scaled along.

    Args:
        build: makes a model that is not compiled, from a `seed`.
        batch_sizes: the first is the one that the learning rate is meant for.
        train: x and y.
        validation: x and y.
        learning_rate: for the first batch size.
        rule: see `scale_learning_rate`.
        optimizer: its name.
        **options: of `compare`: `seeds`, `epochs`, `verbose`.

    Returns:
        As `compare`, with `learning_rate`, and `steps` an epoch.

    Example:
        >>> from functools import partial
        >>> from recipes import mlp
        >>> x, y = np.random.default_rng(0).normal(size=(64, 4)), np.arange(64) % 2
        >>> table = batch_size_study(partial(mlp, 4, 2), [16, 32], (x, y), (x, y), rule="linear",
        ...                          seeds=1, epochs=1, verbose=False)
        >>> table["learning_rate"].tolist(), table["steps"].tolist()
        ([0.001, 0.002], [4, 2])
    """
    tables = []
    for size in batch_sizes:
        rate = scale_learning_rate(learning_rate, batch_sizes[0], size, rule)

        def compiled(seed, rate=rate):
            return compile_classifier(build(seed=seed), optimizer=optimizer, learning_rate=rate)

        table = compare(compiled, {"batch_size": [size]}, train, validation, **options)
        table.insert(1, "learning_rate", rate)
        table.insert(2, "steps", steps_per_epoch(len(train[0]), size))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class BatchSizeAdvice:
    """A batch size, what was measured, and why.

    Attributes:
        batch_size: the smallest with nine tenths of the highest throughput.
        table: a row a size: `batch_size`, `samples_per_second`, `memory` (bytes that the process
            had taken at its peak).
        reason: a sentence.
    """

    batch_size: int
    table: pd.DataFrame
    reason: str


def suggest_batch_size(
    model: keras.Model,
    x,
    y,
    *,
    smallest: int = 8,
    largest: int = 1024,
    repeats: int = 5,
    memory_limit: int | None = None,
) -> BatchSizeAdvice:
    """Measure training steps at doubling batch sizes, and say which to take.

    Args:
        model: what is to be trained; a copy of it is measured.
        x: samples; they are repeated where a batch needs more.
        y: their targets.
        smallest: the first size.
        largest: the last, at the most.
        repeats: timed steps a size, of which the median counts.
        memory_limit: bytes that the process may take; by default what the machine has free. A
            size that would need more, judged by the one before, is not tried.

    Raises:
        ValueError: the sizes are not positive and ascending.

    Example:
        >>> from recipes import mlp
        >>> advice = suggest_batch_size(mlp(4, 2), np.ones((64, 4)), np.ones(64), largest=16)
        >>> advice.batch_size in (8, 16)
        True
    """
    if not 0 < smallest <= largest:
        raise ValueError(f"smallest, largest: {smallest} and {largest} are not ascending from 1.")
    copy = compiled_copy(model)
    x, y = np.asarray(x), np.asarray(y)
    rows, size, ended = [], smallest, f"the largest size of {largest:,} was reached"
    before = _peak_memory()
    limit = memory_limit or before + int(RESERVE * _free_memory())
    while size <= largest:
        if rows and (2 * rows[-1]["memory"] - before) > limit:
            ended = f"{size:,} would not fit into {limit / 2**30:.1f} GiB"
            break
        chosen = np.arange(size) % len(x)
        seconds = _step_seconds(copy, x[chosen], y[chosen], repeats)
        rows.append(
            {
                "batch_size": size,
                "samples_per_second": size / seconds,
                "memory": _peak_memory(),
            }
        )
        size *= 2
    table = pd.DataFrame(rows)
    speed = table["samples_per_second"]
    best = table[speed >= ENOUGH * speed.max()].iloc[0]
    reason = (
        f"{best.batch_size:.0f} is the smallest size with at least {ENOUGH:.0%} of the highest "
        f"throughput ({best.samples_per_second:,.0f} of {speed.max():,.0f} samples a second); "
        f"{ended}."
    )
    return BatchSizeAdvice(int(best.batch_size), table, reason)


def _step_seconds(model: keras.Model, x, y, repeats: int) -> float:
    model.train_on_batch(x, y)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _peak_memory() -> int:
    """Bytes that the process had taken at its peak."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _free_memory() -> int:
    """Bytes that the machine has available."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
