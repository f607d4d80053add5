"""The one road from a source to what training reads: listed, inspected, divided, decoded once."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from recipes import tasks
from recipes.files import read_json, write_json
from recipes.images.decode import Reading
from recipes.images.inspection import OK, SKIPPED, inspect, open_source, reading_of
from recipes.images.pipeline import stream
from recipes.images.sources import Source, natural_order
from recipes.images.split import PARTS, split, units
from recipes.images.summary import refuse_lost_classes, summary
from recipes.progress import bar
from recipes.rules import AUTO
from recipes.settings import DataSettings
from recipes.tasks import Task
from recipes.tasks.base import SEPARATOR


@dataclass(frozen=True)
class Part:
    """One part of the split, decoded.

    Attributes:
        pixels: uint8, (n, H, W, 3).
        labels: what the task makes of each picture's labels, (n, …).
        key: digest of the pictures' contents and the decoding, in order.
        units: a number for each picture, (n,): those with the same belong together. By default
            each stands alone.
        pieces: the parts that this one was joined from.
    """

    pixels: np.ndarray
    labels: np.ndarray
    key: str
    units: np.ndarray | None = None
    pieces: tuple["Part", ...] = ()

    def __len__(self):
        return len(self.labels)

    def joined(self, other: "Part", cache: "ArrayCache") -> "Part":
        """The pictures of both, this part's first."""
        pieces = (self, other)
        key = f"{self.key} and {other.key}"
        shape = (len(self) + len(other), *self.pixels.shape[1:])

        def fill(array):
            array[: len(self)], array[len(self) :] = self.pixels, other.pixels

        pixels = cache.get(f"pixels {key}", shape, "uint8", fill)
        own, others = (np.arange(len(p)) if p.units is None else p.units for p in pieces)
        units = np.concatenate([own, others + own.max(initial=-1) + 1])
        labels = np.concatenate([self.labels, other.labels])
        return Part(pixels, labels, key, units, pieces)

    def resized(self, image_size: tuple[int, int], cache: "ArrayCache") -> "Part":
        """The same pictures, smaller: (height, width) in pixels."""
        key = f"{self.key} at {image_size}"

        def fill(array):
            for row, picture in enumerate(self.pixels):
                smaller = Image.fromarray(picture).resize(
                    image_size[::-1], Image.Resampling.BICUBIC
                )
                array[row] = np.asarray(smaller)

        pixels = cache.get(f"pixels {key}", (len(self), *image_size, 3), "uint8", fill)
        return replace(self, pixels=pixels, key=key, pieces=())


@dataclass
class ArrayCache:
    """Arrays by key: in memory up to a limit in total, in files of a folder above it.

    Attributes:
        folder: where the files go; it is made when the first is written.
        memory_limit: bytes that all arrays in memory may take together.

    Example:
        >>> import tempfile
        >>> cache = ArrayCache(Path(tempfile.mkdtemp()))
        >>> def fill(array): array[:] = 7
        >>> cache.get("sevens", (2, 2), "float32", fill).sum()
        np.float32(28.0)
    """

    folder: Path
    memory_limit: int = 2 << 30
    _arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def get(
        self, key: str, shape: tuple[int, ...], dtype: str, fill: Callable[[np.ndarray], None]
    ) -> np.ndarray:
        """The array of `key`; made by `fill` where it is not there yet.

        An array that goes to a file and is float32 is kept as float16.
        """
        if key in self._arrays:
            return self._arrays[key]
        used = sum(a.nbytes for a in self._arrays.values() if not isinstance(a, np.memmap))
        if used + np.dtype(dtype).itemsize * int(np.prod(shape)) <= self.memory_limit:
            array = np.empty(shape, dtype)
            fill(array)
        else:
            array = self._file(key, shape, "float16" if dtype == "float32" else dtype, fill)
        self._arrays[key] = array
        return array

    def _file(self, key, shape, dtype, fill) -> np.ndarray:
        """A memory-mapped file, with a note beside it that says it is whole and of which key."""
        name = hashlib.sha256(key.encode()).hexdigest()[:24]
        path, note = self.folder / f"{name}.npy", self.folder / f"{name}.json"
        if not (note.exists() and read_json(note) == {"key": key, "shape": list(shape)}):
            self.folder.mkdir(parents=True, exist_ok=True)
            array = np.lib.format.open_memmap(path, "w+", dtype, shape)
            fill(array)
            array.flush()
            write_json(note, {"key": key, "shape": list(shape)})
        return np.load(path, mmap_mode="r")


@dataclass(frozen=True)
class Collection:
    """Pictures with their labels, divided into parts and not yet decoded.

    Attributes:
        source: where they come from.
        frame: what `recipes.scan` gives, with the parts.
        task: what is to be told of each.
        reading: how files become pixels.
    """

    source: Source
    frame: pd.DataFrame
    task: Task
    reading: Reading

    @classmethod
    def open(
        cls, data: Any, settings: DataSettings, *, seed: int = 0, verbose: bool = True
    ) -> "Collection":
        """List, inspect and divide.

        Args:
            data: as for `recipes.scan`.
            settings: what the labels are, and the shares of the parts.
            seed: of the draw.
            verbose: whether progress is shown.

        Raises:
            FileNotFoundError: there is no such folder or file.
            ValueError: the data are not usable; the text says why.
        """
        source = open_source(data, settings)
        frame = inspect(source, settings, verbose=verbose)
        refuse_lost_classes(frame, settings.allow_empty_classes)
        name = settings.task
        if name == AUTO:
            name = "multilabel" if frame.attrs["several_labels"] else "multiclass"
        several = name == "multilabel"
        if several:
            frame = joined_copies(frame)
        frame = split(
            frame,
            validation=settings.validation,
            test=settings.test,
            seed=seed,
            several_labels=several,
        )
        refuse_lost_classes(frame, settings.allow_empty_classes)
        reading = reading_of(settings, frame.attrs["levels"])
        return cls(source, frame, _task(name, frame, settings), reading)

    def summary(self) -> dict[str, str]:
        """What was found and decided about the data, in words."""
        return summary(self.frame, self.task.in_words())

    def key(self, **more) -> str:
        """Digest of the pictures' contents, labels and parts, and of further settings."""
        return content_key(self.frame, task=self.task.name, **more)

    def decoded(
        self, image_size: tuple[int, int], cache: ArrayCache, *, verbose: bool = True
    ) -> tuple[dict[str, Part], pd.DataFrame]:
        """Decode each part, once.

        Args:
            image_size: (height, width) in pixels.
            cache: where the pixels are kept.
            verbose: whether progress is shown.

        Returns:
            The parts by name, and the table again, in which a picture that could no longer be read
            has become "skipped" with the reason.
        """
        frame = self.frame.copy()
        parts = {}
        with bar("pictures", verbose) as display:
            task = display.add_task("Decoding pictures", total=int((frame["part"] != "").sum()))
            for name in PARTS:
                rows = frame.index[(frame["part"] == name) & (frame["status"] == OK)]
                how = {"image_size": image_size, "reading": self.reading}
                key = content_key(frame.loc[rows], **how)
                errors: dict[int, str] = {}

                def fill(array, rows=rows, errors=errors):
                    paths, hashes = (list(frame.loc[rows, name]) for name in ("path", "hash"))
                    options = {"hashes": hashes, "reading": self.reading}
                    found = stream(self.source, paths, image_size, **options)
                    for done, pictures, failed in found:
                        array[done] = pictures
                        errors.update(failed)
                        display.advance(task, len(done) + len(failed))

                pixels = cache.get(f"pixels {key}", (len(rows), *image_size, 3), "uint8", fill)
                display.update(task)
                parts[name] = self._without(errors, pixels, rows, frame, key)
        return parts, frame

    def _without(self, errors: Mapping[int, str], pixels, rows, frame, key: str) -> Part:
        """The part without the pictures that could not be read after all."""
        if errors:
            lost = rows[list(errors)]
            frame.loc[lost, "status"] = SKIPPED
            frame.loc[lost, "reason"] = list(errors.values())
            frame.loc[lost, "part"] = ""
            kept = np.setdiff1d(np.arange(len(rows)), list(errors))
            pixels, rows = pixels[kept], rows[kept]
            key = f"{key} without {sorted(errors)}"
        labels = self.task.encode(list(frame.loc[rows, "class"]))
        return Part(pixels, labels, key, units(frame.loc[rows]))


def content_key(frame: pd.DataFrame, **more) -> str:
    """Digest of the pictures' contents, labels and parts, in order, and of further settings.

    Example:
        >>> frame = pd.DataFrame({"hash": ["ab"], "class": ["cat"], "part": ["train"]})
        >>> content_key(frame) == content_key(frame) != content_key(frame, image_size=96)
        True
    """
    rows = frame[["hash", "class", "part"]].itertuples(index=False, name=None)
    text = repr((list(rows), sorted(more.items())))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def joined_copies(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for a picture that lies in several class folders, with all its labels.

    Args:
        frame: what `recipes.scan` gave.

    Returns:
        The table, in which the first of each picture's rows has the labels of all, and the others
        are skipped.
    """
    frame = frame.copy()
    good = frame[frame["status"] == OK]
    keys = ["hash", "part"]
    for _, rows in good[good.duplicated(keys, keep=False)].groupby(keys):
        labels = sorted({label for text in rows["class"] for label in text.split(SEPARATOR)})
        if rows["class"].nunique() > 1:
            first, *others = rows.index
            frame.loc[first, "class"] = SEPARATOR.join(filter(None, labels))
            reason = f"the same picture as {rows['path'].iloc[0]}, which has its labels"
            frame.loc[others, ["status", "reason", "part"]] = [SKIPPED, reason, ""]
    return frame


def _task(name: str, frame: pd.DataFrame, settings: DataSettings) -> Task:
    """The task, with the labels that the good pictures have."""
    texts = frame.loc[frame["status"] == OK, "class"].unique()
    if name == "multilabel":
        texts = {label for text in texts for label in text.split(SEPARATOR)} - {""}
    classes = natural_order(list(texts))
    if name == "multiclass":
        _refuse(settings, "positive", "threshold")
        return tasks.get(name, classes)
    if name == "multilabel":
        _refuse(settings, "positive")
    thresholds = None
    if settings.threshold is not None:
        thresholds = (settings.threshold,) * (1 if name == "binary" else len(classes))
    if settings.positive is not None:
        if settings.positive not in classes:
            raise ValueError(
                f"positive: {settings.positive!r} is no class; there are {', '.join(classes)}."
            )
        classes.sort(key=lambda label: label == settings.positive)
    return tasks.get(name, classes, thresholds=thresholds)


def _refuse(settings: DataSettings, *names: str) -> None:
    """Options that this task has no use for."""
    for name in names:
        if getattr(settings, name) is not None:
            what = "binary" if name == "positive" else "binary or multilabel"
            raise ValueError(f'{name}: it is for task="{what}".'.replace(" or ", '" or "'))
