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
    """A scheme with watchers, as a memory sees it."""

    @property
    def watchers(self) -> list:
        """Those that have something to remember."""

    def unseen(self) -> dict[int, tuple[int, float, float]]:
        """What an epoch has measured that they have not seen."""

    restored: dict[str, Any] | None


def _name_of(target: Target) -> str:
    return f"memory_of_{target.name}"


@final
class Memory(keras.layers.Layer):
    """Writes what a scheme's watchers know, and hands it back to the scheme."""

    def __init__(self, scheme: Remembering, name: str):
        super().__init__(name=name)
        self.__dict__["_scheme"] = scheme  # past Keras' tracking

    def save_own_variables(self, store):
        """One array a watcher: what an epoch holds that it has not seen yet, and what it knows."""
        unseen = self._scheme.unseen()
        for place, watcher in enumerate(self._scheme.watchers):
            known = [*unseen.get(place, (-1, 0.0, 0.0)), *watcher.memory()]
            store[str(place)] = np.array(known, "float64")

    def load_own_variables(self, store):
        """As it was saved; nothing where the file was written without a plateau."""
        found = {name: np.array(store[name]) for name in store.keys()}  # noqa: SIM118
        self._scheme.restored = found or None


def attach(target: Target, scheme: Remembering) -> None:
    """Let the files of a target's optimizer hold what the scheme remembers."""
    name = _name_of(target)
    vars(target.optimizer)[name] = Memory(scheme, name)


def memory_in(path: str | Path, name: str) -> dict[str, np.ndarray]:
    """The memory in a `.keras` or `.weights.h5` file.

    Args:
        path: the file.
        name: of the number that was led, such as "learning_rate".

    Raises:
        ValueError: the file has none.
    """
    file: Any = Path(path)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            file = BytesIO(archive.read(WEIGHTS))
    with h5py.File(file, "r") as weights:
        groups = [weights.get(f"{holder}/memory_of_{name}/vars") for holder in weights]
        group: Any = next((one for one in groups if one is not None), {})
        found = {key: np.array(group[key]) for key in group}
    if not found:
        raise ValueError(f"path: {str(path)!r} holds no memory of a plateau.")
    return found
