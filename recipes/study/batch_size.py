"""What a batch size costs and brings, and which to take."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import pandas as pd

from recipes.batches import BatchSizeAdvice, advise, scale_learning_rate
from recipes.compiling import compile_classifier
from recipes.study.comparison import compare
from recipes.study.statistics import compiled_copy


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """The iterations that one epoch takes; the last batch may be smaller.

    Example:
        >>> steps_per_epoch(1000, 32)
        32
    """
    if samples < 1 or batch_size < 1:
        raise ValueError(f"samples, batch_size: {samples} and {batch_size} are not both positive.")
    return -(-samples // batch_size)


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
    copy = compiled_copy(model)
    x, y = np.asarray(x), np.asarray(y)

    def step(size: int) -> None:
        chosen = np.arange(size) % len(x)
        copy.train_on_batch(x[chosen], y[chosen])

    sizes = {"smallest": smallest, "largest": largest}
    return advise(step, **sizes, repeats=repeats, memory_limit=memory_limit)
