"""The folder that a training leaves, and the unfinished one from which it goes on.

A run is prepared in `<output>.partial` and renamed to `<output>` when it is whole, so a folder
that looks finished is finished. Reading a run reads numbers and text; it never runs code from it.
"""

import contextlib
import hashlib
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from recipes import tasks
from recipes.files import (
    DamagedFileError,
    check_size,
    checked_path,
    read_arrays,
    read_json,
    sync_folder,
    write_arrays,
    write_json,
)
from recipes.images.decode import Reading
from recipes.tasks import Multiclass, Task

try:
    import fcntl
except ImportError:  # Windows: two processes are then not told apart
    fcntl = None

FORMAT = 1
MAX_TABLE_BYTES = 1 << 30
WEIGHTS = "weights.safetensors"
_FILES = ("run.json", "model.keras", WEIGHTS, "history.csv", "dataset.csv", "predictions.csv")
_STATE, _PREVIOUS = "state.safetensors", "state.previous.safetensors"
_OF, _BEGUN = "settings", "begun"
DECISION, RACE, PLAN, CLOCK = "decision.json", "race.json", "plan.json", "clock.json"
BATCH_SIZE = "batch_size.json"
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


@dataclass
class WorkFolder:
    """A run on its way, in `<output>.partial`: a context manager that keeps other processes out.

    Attributes:
        output: the folder that will stand when the run is finished.
        overwrite: whether a finished run there may be replaced.

    Example:
        >>> import tempfile
        >>> output = Path(tempfile.mkdtemp()) / "run"
        >>> with WorkFolder.open(output, {"seed": 0}) as work:
        ...     _ = (work.folder / "run.json").write_text("{}")
        ...     _ = work.finish()
        >>> output.is_dir(), work.folder.exists()
        (True, False)
    """

    output: Path
    overwrite: bool = False
    _lock_file: TextIO | None = field(default=None, repr=False)
    _settings: str = field(default="", repr=False)

    @classmethod
    def open(
        cls, output: str | Path, settings: Mapping, *, overwrite: bool = False
    ) -> "WorkFolder":
        """Begin a run, or go on with the unfinished one of the same settings.

        Args:
            output: the run's folder; its parents are made.
            settings: all that decides the run's result, as JSON-able values.
            overwrite: replace a finished run, and forget an unfinished one of other settings.

        Raises:
            FileExistsError: there is a finished run, or another folder, or an unfinished run of
                other settings; nothing was changed.
            BlockingIOError: another process is at work on it.
        """
        output = Path(output)
        work = cls(output, overwrite)
        check_output(output, overwrite)
        work.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(work.close)
            work._lock()
            for torn in work.folder.glob(".*"):  # what a killed process was writing
                torn.unlink()
            note = work.folder / "settings.json"
            if note.exists() and work._has_state():
                _check_same(work, read_json(note), settings, overwrite)
            if not (note.exists() and work._has_state()):
                if note.exists() and read_json(note) != dict(settings):
                    work._clear()
                write_json(note, settings)
            work._settings = hashlib.sha256(note.read_bytes()).hexdigest()
            on_failure.pop_all()
        return work

    def __enter__(self) -> "WorkFolder":
        return self

    def __exit__(self, *exception) -> None:
        if self.folder.exists() and not self._has_state() and not (self.folder / "cache").exists():
            shutil.rmtree(self.folder)  # nothing was reached that is worth keeping
        self.close()

    @property
    def folder(self) -> Path:
        """Where the unfinished run lies."""
        return self.output.with_name(self.output.name + ".partial")

    def _has_state(self) -> bool:
        return any((self.folder / n).exists() for n in (_STATE, _PREVIOUS, _BEGUN, DECISION, RACE))

    def _clear(self) -> None:
        """Drop what a run of other settings left that came to no state, but for the cache."""
        for path in self.folder.iterdir():
            if path.is_file() and path.name != "lock":
                path.unlink()

    def save_state(self, arrays: Mapping[str, np.ndarray], info: Mapping) -> None:
        """Keep a state to go on from; the one before it is kept beside it."""
        state = self.folder / _STATE
        if state.exists():
            state.replace(self.folder / _PREVIOUS)
        write_arrays(state, arrays, {**info, _OF: self._settings})
        (self.folder / _BEGUN).touch()

    def load_state(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """The newest whole state, or None where none was saved yet.

        Raises:
            DamagedFileError: states were saved and none of them can be read.
        """
        errors = []
        for name in (_STATE, _PREVIOUS):
            try:
                arrays, info = read_arrays(self.folder / name)
                if info.pop(_OF, None) != self._settings:
                    raise DamagedFileError(f"{self.folder / name} is of a run with other settings.")
            except FileNotFoundError:
                continue
            except DamagedFileError as error:
                errors.append(error)
                continue
            if errors:
                warnings.warn(f"{errors[0]} The state before it is used.", stacklevel=2)
            return arrays, info
        if not errors and (self.folder / _BEGUN).exists():
            errors.append(DamagedFileError(f"{self.folder / _STATE} is missing."))
        if errors:
            raise DamagedFileError(
                f"{errors[0]} No other state is whole: begin anew with overwrite, or remove "
                f"{self.folder}."
            )
        return None

    def finish(self) -> Path:
        """Give the folder its name, and drop what only an unfinished run needs.

        The state goes last: until the folder has its name, it can be gone on from.
        """
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        replaced = self.output.with_name(self.output.name + ".replaced")
        if self.output.exists():
            check_output(self.output, self.overwrite)
            shutil.rmtree(replaced, ignore_errors=True)
            self.output.rename(replaced)
        self.folder.rename(self.output)
        sync_folder(self.output.parent)
        for name in (
            DECISION,
            RACE,
            PLAN,
            CLOCK,
            BATCH_SIZE,
            _BEGUN,
            _STATE,
            _PREVIOUS,
            "settings.json",
            "lock",
        ):
            (self.output / name).unlink(missing_ok=True)
        shutil.rmtree(replaced, ignore_errors=True)
        return self.output

    def close(self) -> None:
        """Let other processes at the folder; what it holds stays."""
        if self._lock_file is not None:
            self._lock_file.close()

    def _lock(self) -> None:
        if fcntl is None:
            return
        self._lock_file = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BlockingIOError(f"{self.folder}: another process is at work on it.") from None


def check_output(output: str | Path, overwrite: bool = False) -> None:
    """Only a run is ever replaced, and only when asked for; an empty folder counts as none.

    Raises:
        FileExistsError: `output` exists and is not a run, or a run that may not be replaced.
    """
    output = checked_path("output", output)
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / "run.json").is_file():
        raise FileExistsError(f"output: {output} exists and is not a run folder; choose another.")
    if not overwrite:
        raise FileExistsError(
            f"output: {output} holds a finished run; choose another, or allow it with overwrite."
        )


def _check_same(work: WorkFolder, old: dict, new: Mapping, overwrite: bool) -> None:
    """An unfinished run goes on only with its own settings."""
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not changed:
        return
    if not overwrite:
        differences = ", ".join(f"{n}: {old.get(n)!r}, now {new.get(n)!r}" for n in changed)
        raise FileExistsError(
            f"output: {work.folder} holds an unfinished run with other settings ({differences}). "
            "Repeat them to go on with it, or begin anew with overwrite."
        )
    for path in work.folder.iterdir():
        if path.name != "lock":
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
