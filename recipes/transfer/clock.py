"""The time that a run has used, and has left."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

from recipes.files import read_json, write_json
from recipes.work_folder import CLOCK


@dataclass
class Clock:
    """The time that a run has used, over all the processes that worked on it.

    Attributes:
        limit: seconds that it may use; None for any.
        before: seconds that earlier processes used.
        note: the file that says so to a later process.
        reserve: seconds that are needed when training has ended.
    """

    limit: float | None = None
    before: float = 0.0
    note: Path | None = None
    reserve: float = 0.0

    def __post_init__(self):
        self._began = time.perf_counter()

    @classmethod
    def open(cls, folder: Path, limit: float | None, began: float) -> "Clock":
        """The clock of a run's folder, which goes on from what was used.

        Args:
            folder: of the unfinished run.
            limit: seconds.
            began: what `time.perf_counter` said when this process began with the run.
        """
        note = folder / CLOCK
        clock = cls(limit, read_json(note)["used"] if note.exists() else 0.0, note)
        clock._began = began
        clock.keep()
        return clock

    @property
    def used(self) -> float:
        """Seconds."""
        return self.before + time.perf_counter() - self._began

    @property
    def left(self) -> float:
        """Seconds until training has to end; infinite where there is no limit."""
        return math.inf if self.limit is None else self.limit - self.used - self.reserve

    def keep(self) -> None:
        """Write down what was used, where it counts."""
        if self.note is not None and self.limit is not None:
            write_json(self.note, {"used": self.used})
