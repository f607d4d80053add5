"""A progress bar for each long step: how much is done, how fast, how long it will still take."""

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

console = Console(stderr=True)


class _SpeedColumn(ProgressColumn):
    """Items a second, by the name of the item."""

    def __init__(self, unit: str):
        super().__init__()
        self.unit = unit

    def render(self, task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self.unit}/s" if speed else "", style="cyan")


def bar(unit: str = "pictures", verbose: bool = True) -> Progress:
    """A rich progress display on standard error, to be used as a context manager.

    Args:
        unit: what is counted, in the plural.
        verbose: False shows nothing.
    """
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        _SpeedColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not verbose,
    )


def say(text: str, verbose: bool = True) -> None:
    """A line on standard error: what was found or decided, before it costs time."""
    if verbose:
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def say_all(lines: Mapping[str, str], verbose: bool = True) -> None:
    """A line for each of several things: its name, and what there is to say of it."""
    for name, text in lines.items():
        say(f"{name:12}{text}", verbose)


def track(
    items: Iterable, label: str, total: int, unit: str = "pictures", verbose: bool = True
) -> Iterator:
    """Yield the items and show how many are done.

    Example:
        >>> list(track(range(3), "Counting", total=3, unit="numbers", verbose=False))
        [0, 1, 2]
    """
    with bar(unit, verbose) as progress:
        yield from progress.track(items, total=total, description=label)
