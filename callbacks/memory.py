"""What a plateau has seen, kept in the files that Keras writes of a model with its optimizer.

Keras saves whatever can be saved among an object's attributes. The memory is one of the optimizer's
while a plateau leads it: no variable of the optimizer, so that the file loads everywhere, with or
without this library, and nothing that the model computes with.
"""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, final

import h5py
import keras
import numpy as np

from .optimizers import Target

WEIGHTS = "model.weights.h5"  # inside a .keras file


class Remembering(Protocol):
    """A callback that lets a scheme with watchers lead, as a memory sees it."""

    def leads(self) -> Any:
        """The scheme."""

    def unseen(self) -> dict[int, tuple[int, float, float]]:
        """What an epoch has measured that the watchers have not seen."""


PREFIX = "memory_of_"  # and the name of the number that is led


@final
class Memory(keras.layers.Layer):
    """Writes what a scheme's watchers know, and hands it back to the scheme."""

    def __init__(self, leading: Remembering, name: str):
        super().__init__(name=name)
        self.__dict__["_leading"] = leading  # past Keras' tracking

    def save_own_variables(self, store):
        """One array a watcher: what an epoch holds that it has not seen yet, and what it knows."""
        unseen = self._leading.unseen()
        for place, watcher in enumerate(self._leading.leads().watchers):
            known = [*unseen.get(place, (-1, 0.0, 0.0)), *watcher.memory()]
            store[str(place)] = np.array(known, "float64")

    def load_own_variables(self, store):
        """As it was saved; nothing where the file was written without a plateau."""
        found = {name: np.array(store[name]) for name in store.keys()}  # noqa: SIM118
        self._leading.leads().restored = found or None


def attach(target: Target, leading: Remembering) -> None:
    """Let the files of a target's optimizer hold what the scheme remembers."""
    name = f"{PREFIX}{target.name}"
    vars(target.optimizer)[name] = Memory(leading, name)


def memories_in(path: str | Path) -> dict[str, list[dict[str, np.ndarray]]]:
    """The memories in a `.keras` or `.weights.h5` file.

    Args:
        path: the file.

    Returns:
        By the name of the number that was led, such as "learning_rate", a memory for each
        optimizer; one array a watcher.

    Raises:
        ValueError: the file has none.
    """
    file: Any = Path(path)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            file = BytesIO(archive.read(WEIGHTS))
    found: dict[str, list] = {}

    def visit(place: str, group: Any) -> None:
        *_, holder, last = ["", *place.split("/")]
        if last == "vars" and holder.startswith(PREFIX) and len(group):
            memory = {key: np.array(group[key]) for key in group}
            found.setdefault(holder.removeprefix(PREFIX), []).append(memory)

    with h5py.File(file, "r") as weights:
        weights.visititems(visit)
    if not found:
        raise ValueError(f"path: {str(path)!r} holds no memory of a plateau.")
    return found
