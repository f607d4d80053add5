"""What a format of exported files has to say of itself."""

import inspect
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import keras

from recipes.export import script
from recipes.images import decode, formats


class ExportError(ValueError):
    """The exported file does not do what the model does; it was not kept."""


class Format(ABC):
    """A format of exported files.

    Attributes:
        name: by which it is asked for.
        file: the file's name in a run folder; without a suffix for a folder.
        backends: those of Keras whose exporter writes it.
    """

    name: ClassVar[str]
    file: ClassVar[str]
    backends: ClassVar[tuple[str, ...]]

    @property
    def suffix(self) -> str:
        """Of the file's name, with the dot."""
        return Path(self.file).suffix

    @abstractmethod
    def write(self, model: keras.Model, path: Path, labels: dict) -> None:
        """Write a model, and inside it what its outputs mean.

        Args:
            model: pictures of 0 to 255 to probabilities; it was called before.
            path: of the file, which does not exist.
            labels: JSON-able: "task"; "classes", the names; "thresholds", where it has any; and
                "reading": how files become pixels.
        """

    @staticmethod
    @abstractmethod
    def load(path: Path) -> tuple[Callable, dict]:
        """Read a file back in a runtime that is not Keras.

        Its source is a part of the script, so it imports all that it needs itself.

        Returns:
            A function from pictures, float32, to probabilities; and the labels.

        Raises:
            ValueError: the file has other inputs than one.
        """

    def script(self, file: str, size: tuple[int, int]) -> str:
        """A program that predicts with a file beside it and needs nothing of this library.

        Args:
            file: its name.
            size: (width, height) of the model's pictures.
        """
        load = textwrap.dedent(inspect.getsource(self.load)).removeprefix("@staticmethod\n")
        last = f'if __name__ == "__main__":\n    main(load, {file!r}, {size})\n'
        return "\n\n".join([*map(_alone, (script, formats, decode)), load, last])


def _alone(module) -> str:
    """A module's source without what it imports of this library, which the script has too."""
    lines = inspect.getsource(module).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("from recipes."))
