"""How many pictures a step: what a size costs, measured, and the rate that goes with it."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recipes.lookup import find

SCALINGS = {"linear": lambda ratio: ratio, "sqrt": lambda ratio: ratio**0.5, "none": lambda _: 1.0}
ENOUGH = 0.9  # of the highest throughput
RESERVE = 0.8  # of the free memory may be asked for
_NO_MEMORY = re.compile("out of memory|RESOURCE_EXHAUSTED|ResourceExhausted|OOM", re.IGNORECASE)


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


def advise(
    step: Callable[[int], object],
    *,
    smallest: int = 8,
    largest: int = 1024,
    repeats: int = 5,
    memory_limit: int | None = None,
    to_the_end: bool = True,
) -> BatchSizeAdvice:
    """Measure a step at doubling batch sizes, and say which to take.

    Args:
        step: trains on as many samples as it is told.
        smallest: the first size.
        largest: the last, at the most.
        repeats: timed steps a size, of which the median counts.
        memory_limit: bytes that the process may take; by default what the machine has free. A
            size that would need more, judged by the one before, is not tried; one for which the
            device has no memory ends the measurement.
        to_the_end: whether larger sizes are measured when one has brought next to nothing.

    Raises:
        ValueError: the sizes are not positive and ascending.

    Example:
        >>> advise(lambda size: None, smallest=8, largest=16).table["batch_size"].tolist()
        [8, 16]
    """
    if not 0 < smallest <= largest:
        raise ValueError(f"smallest, largest: {smallest} and {largest} are not ascending from 1.")
    rows, size, ended = [], smallest, f"the largest size of {largest:,} was reached"
    before = _peak_memory()
    limit = memory_limit or before + int(RESERVE * _free_memory())
    while size <= largest:
        if rows and (2 * rows[-1]["memory"] - before) > limit:
            ended = f"{size:,} would not fit into {limit / 2**30:.1f} GiB"
            break
        try:
            speed = size / _seconds(step, size, repeats)
        except Exception as error:  # each backend has a class of its own for it
            if not rows or not _NO_MEMORY.search(f"{type(error).__name__} {error}"):
                raise
            ended = f"{size:,} would not fit into the device's memory"
            break
        rows.append({"batch_size": size, "samples_per_second": speed, "memory": _peak_memory()})
        if not to_the_end and len(rows) > 1 and speed * ENOUGH < rows[-2]["samples_per_second"]:
            ended = f"{size:,} brought next to nothing"
            break
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


def _seconds(step: Callable[[int], object], size: int, repeats: int) -> float:
    """The median of several steps, after one that sets things up."""
    step(size)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        step(size)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _peak_memory() -> int:
    """Bytes that the process had taken at its peak."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _free_memory() -> int:
    """Bytes that the machine has available."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
