"""The folder that a training leaves: read, and compared with another.

Reading a run reads numbers and text; it never runs code from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from recipes import tasks
from recipes.files import DamagedFileError, check_size, checked_path, read_arrays, read_json
from recipes.images.decode import Reading
from recipes.tasks import Multiclass, Task

FORMAT = 1
MAX_TABLE_BYTES = 1 << 30
WEIGHTS = "weights.safetensors"
_FILES = ("run.json", "model.keras", WEIGHTS, "history.csv", "dataset.csv", "predictions.csv")
LABEL_ISSUES = "label_issues.csv"


@dataclass(frozen=True)
class Decision:
    """A strategy, what was measured, and the reason in words.

    Attributes:
        strategy: name of the strategy.
        measurements: name to value: pictures, pictures a class, divergence and its parts.
        reason: a sentence for people.
        runner_up: the strategy with the next largest gain to be expected, where there is one.
    """

    strategy: str
    measurements: dict
    reason: str
    runner_up: str | None = None

    def to_dict(self) -> dict:
        """The decision as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder.

    Attributes:
        folder: where it lies.
        info: the content of `run.json`.

    Example:
        >>> Run.load("no/such/folder")
        Traceback (most recent call last):
        FileNotFoundError: no/such/folder: there is no run folder here.
    """

    folder: Path
    info: dict = field(repr=False)

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Read a run folder.

        Raises:
            FileNotFoundError: there is no such folder, or it holds no run.
            ValueError: the run is incomplete, damaged, or of a newer format.
        """
        folder = checked_path("run", folder)
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: there is no run folder here.")
        if not (folder / "run.json").is_file():
            raise FileNotFoundError(f"{folder} is not a run folder: it holds no run.json.")
        info = read_json(folder / "run.json")
        if info.get("format") != FORMAT:
            raise ValueError(
                f"{folder}: its format is {info.get('format')!r}; this version reads {FORMAT}."
            )
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise ValueError(f"{folder} is incomplete: {', '.join(missing)} missing.")
        for name in ("classes", "model", "decision", "metrics", "config"):
            if name not in info:
                raise DamagedFileError(f"{folder / 'run.json'} is damaged: {name!r} is missing.")
        return cls(folder, info)

    @property
    def classes(self) -> list[str]:
        """The class names in the order of the model's outputs."""
        return self.info["classes"]

    @cached_property
    def task(self) -> Task:
        """What the model tells of a picture."""
        return tasks.from_dict(self.info.get("task") or _task_before(self.info))

    @property
    def metrics(self) -> dict:
        """What was measured on the test part, once; `part` says where there was none."""
        return self.info["metrics"]

    @property
    def scan(self) -> dict[str, str]:
        """What was found among the pictures and decided about them before the training, in words:
        layout, classes, what was skipped and why, groups, copies, …
        """
        return self.info.get("scan", {})

    @property
    def reading(self) -> Reading:
        """How files become pixels."""
        return Reading.from_dict(self.info.get("reading", {}))

    @property
    def decision(self) -> Decision:
        """The strategy, what was measured for it, and the reason."""
        return Decision(**self.info["decision"])

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch: phase, epoch, losses, accuracies, learning rate, seconds.

        What a row has none of is not a number: a classifier that was solved has no rate, and one
        that was trained was not cross-validated.
        """
        return read_table(self.folder / "history.csv", numbers=True)

    @cached_property
    def dataset(self) -> pd.DataFrame:
        """One row a file: part, class, size, format, status and reason."""
        return read_table(self.folder / "dataset.csv")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row a test picture: file, truth, prediction, probability of each class.

        Of the validation part where there is no test part.
        """
        return read_table(self.folder / "predictions.csv")

    def weights(self) -> dict[str, np.ndarray]:
        """The model's weights, with their checksum verified.

        Raises:
            DamagedFileError: the file is not the one that the run wrote.
        """
        arrays, _ = read_arrays(self.folder / WEIGHTS)
        return arrays


def _task_before(info: Mapping) -> dict:
    """The task of a run that was written when there was one only."""
    return {"name": Multiclass.name, "classes": info["classes"]}


@dataclass(frozen=True)
class Comparison:
    """A run beside an earlier one.

    Attributes:
        run: the later run.
        same: whether all weights are the same, bit for bit.
        largest_difference: between two weights; infinite where their shapes differ.
        conditions: what differs of the versions, the set-up of Keras (the policy of types, the
            data format), the machine and the pictures, by name: (before, now).
    """

    run: Run
    same: bool
    largest_difference: float
    conditions: dict[str, tuple]


def compare_runs(before: Run, now: Run) -> Comparison:
    """Compare two runs' weights, and the conditions under which they came about."""
    # By their places: of some networks Keras numbers the names anew each time one is built.
    old, new = ([one for _, one in sorted(run.weights().items())] for run in (before, now))
    alike = [one.shape for one in old] == [one.shape for one in new]
    pairs = list(zip(old, new, strict=True)) if alike else []
    largest = max(float(np.abs(a - b).max(initial=0)) for a, b in pairs) if alike else np.inf
    same = alike and all(a.tobytes() == b.tobytes() for a, b in pairs)
    conditions = {}
    for section in ("versions", "keras", "machine"):
        if section not in before.info:  # a run of a version that did not write it
            continue
        first, second = before.info[section], now.info.get(section, {})
        for name in {**first, **second}:
            if first.get(name) != second.get(name):
                conditions[name] = (first.get(name), second.get(name))
    pictures = [run.dataset[["path", "hash", "part"]].to_csv() for run in (before, now)]
    if pictures[0] != pictures[1]:
        conditions["pictures"] = ("as they were", "others, or in other parts")
    return Comparison(now, same, largest, conditions)


def read_table(path: Path, *, numbers: bool = False) -> pd.DataFrame:
    """A table in which names stay texts: a class may be called "7" or "NA".

    Args:
        path: of the CSV file.
        numbers: whether all columns but those of texts are of numbers, and may have gaps.
    """
    check_size(path, MAX_TABLE_BYTES)
    texts = ("path", "part", "class", "group", "copy_group", "hash", "file", "truth", "prediction")
    texts += ("label", "suggested", "issue", "reason", "phase")
    columns = pd.read_csv(path, nrows=0).columns if numbers else []
    gaps = {name: [""] for name in columns if name not in texts}
    options = {"keep_default_na": False, "dtype": dict.fromkeys(texts, str)}
    return pd.read_csv(path, **options, na_values=gaps)
