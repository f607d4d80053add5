"""An unfinished run: what a training keeps on its way, and goes on from.

A run is prepared in `<output>.partial` and renamed to `<output>` when it is whole, so a folder
that looks finished is finished.
"""

import contextlib
import hashlib
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np

from recipes.files import (
    DamagedFileError,
    checked_path,
    read_arrays,
    read_json,
    sync_folder,
    write_arrays,
    write_json,
)

try:
    import fcntl
except ImportError:  # Windows: two processes are then not told apart
    fcntl = None

_STATE, _PREVIOUS = "state.safetensors", "state.previous.safetensors"
_OF, _BEGUN = "settings", "begun"
_SETTINGS, _LOCK = "settings.json", "lock"
DECISION, RACE, PLAN, CLOCK = "decision.json", "race.json", "plan.json", "clock.json"
BATCH_SIZE = "batch_size.json"
_NOTES = (DECISION, RACE, PLAN, CLOCK, BATCH_SIZE)


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
            note = work.folder / _SETTINGS
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
            if path.is_file() and path.name != _LOCK:
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
        for name in (*_NOTES, _BEGUN, _STATE, _PREVIOUS, _SETTINGS, _LOCK):
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
        self._lock_file = (self.folder / _LOCK).open("w")
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
        if path.name != _LOCK:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
