"""Pictures decoded once, and activations at a frozen boundary computed once.

Everything that training reads again and again is an array of one of two kinds: the pixels of a
part, or what the frozen layers make of them. Each has a key that names all it depends on, lies in
memory while it is small and in a file above a limit, and is computed again only when its key
changes.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from recipes.files import digest, read_json, write_json
from recipes.images.augment import Augmentation
from recipes.images.augment import batch as vary
from recipes.progress import track
from recipes.transfer.model import TransferModel, forward


@dataclass(frozen=True)
class Part:
    """One part of the split, decoded.

    Attributes:
        pixels: uint8, (n, H, W, 3).
        labels: int, (n,), the class of each picture.
        key: digest of the pictures' contents and the decoding, in order.
    """

    pixels: np.ndarray
    labels: np.ndarray
    key: str

    def __len__(self):
        return len(self.labels)


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


def features(
    frozen: keras.Model,
    part: Part,
    cache: ArrayCache,
    *,
    views: int = 1,
    augmentation: Augmentation | None = None,
    batch_size: int = 32,
    seed: int = 0,
    label: str = "Computing features",
    verbose: bool = True,
) -> np.ndarray:
    """What the frozen part makes of a part's pictures.

    Args:
        frozen: pictures to boundary. An identity (no layer with weights before the boundary)
            is not computed: call this only behind a real boundary.
        part: the pictures.
        cache: where the array is kept.
        views: how many versions of each picture; the first is the picture as it is, the others
            are augmented.
        augmentation: how the further views differ.
        batch_size: pictures in one forward pass; the training's may differ.
        seed: of the augmentation.
        label: what the progress bar says.
        verbose: whether it is shown.

    Returns:
        float32, or float16 from a file: (views, n, *boundary shape).
    """
    weights = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(frozen.weights)}
    key = json.dumps(
        {
            "weights": digest(weights),
            "boundary": list(frozen.output.shape),
            "part": part.key,
            "views": views,
            "augmentation": str(augmentation) if views > 1 else None,
            "seed": seed if views > 1 else None,
            "batch_size": batch_size,
        }
    )

    def fill(array):
        starts = [(view, i) for i in range(0, len(part), batch_size) for view in range(views)]
        for view, start in track(starts, label, len(starts), unit="batches", verbose=verbose):
            rows = np.arange(start, min(start + batch_size, len(part)))
            pixels = part.pixels[rows]
            if view:
                pixels = vary(pixels, [(seed, view, row) for row in rows], augmentation)
            array[view, rows] = forward(frozen, pixels, batch_size)

    return cache.get(key, (views, len(part), *frozen.output.shape[1:]), "float32", fill)


@dataclass(frozen=True)
class Boundary:
    """A model cut where a phase's frozen layers end; what lies before is computed once.

    Attributes:
        transfer: the model.
        first: the first stage behind the cut; 0 where nothing is frozen.
        data: the parts by name.
        cache: of what the frozen layers give.
        views: versions of each picture of the training part.
        augmentation: of the views after the first.
        seed: of the augmentation.
        verbose: whether progress is shown.
    """

    transfer: TransferModel
    first: int
    data: Mapping[str, Part]
    cache: ArrayCache
    views: int = 1
    augmentation: Augmentation | None = None
    seed: int = 0
    verbose: bool = True

    @cached_property
    def _frozen(self) -> keras.Model:
        return self.transfer.frozen_part(self.first)  # one for all parts: it is compiled once

    def inputs(self, name: str) -> np.ndarray:
        """A part's pixels, (n, H, W, 3); behind frozen layers its features, (views, n, …)."""
        if self.first == 0:
            return self.data[name].pixels
        return features(
            self._frozen,
            self.data[name],
            self.cache,
            views=self.views if name == "train" else 1,
            augmentation=self.augmentation,
            seed=self.seed,
            label=f"Features, {name} part",
            verbose=self.verbose,
        )

    def outputs(
        self, name: str, tensor, label: str, rows: np.ndarray | None = None, batch_size: int = 32
    ) -> np.ndarray:
        """What the model makes of a part at a tensor behind the cut, (n, …)."""
        inputs = self.inputs(name) if self.first == 0 else self.inputs(name)[0]
        start = self.transfer.boundary(self.first)
        if tensor is start:
            return (inputs if rows is None else inputs[rows]).astype("float32")
        tail = keras.Model(start, tensor)
        options = {"label": label, "verbose": self.verbose, "batch_size": batch_size}
        return outputs_of(tail, inputs, rows, **options)


def outputs_of(
    model: keras.Model,
    inputs: np.ndarray,
    rows: np.ndarray | None = None,
    *,
    batch_size: int = 32,
    label: str,
    verbose: bool = True,
) -> np.ndarray:
    """A model's outputs for the rows of an array, all of them by default, (n, …)."""
    rows = np.arange(len(inputs)) if rows is None else rows
    starts = range(0, len(rows), batch_size)
    chunks = [
        forward(model, np.asarray(inputs[rows[start : start + batch_size]]), batch_size)
        for start in track(starts, label, len(starts), "batches", verbose)
    ]
    return np.concatenate(chunks)
