"""Pictures from files in order, and batches of arrays in a seeded order.

The pixels of a data set are decoded once and kept (as arrays, in memory or in a file), so batches
are slices of arrays: a `keras.utils.PyDataset`, which every backend reads alike.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

from recipes.images.decode import AS_IT_IS, Reading
from recipes.images.formats import UnreadableError
from recipes.images.sources import Files, Source
from recipes.progress import bar

AHEAD = 4


def stream(
    source: Source | str | Path,
    paths: Sequence[str | Path],
    image_size: tuple[int, int],
    batch_size: int = 32,
    *,
    reading: Reading = AS_IT_IS,
    hashes: Sequence[str] | None = None,
    workers: int | None = None,
    label: str = "Decoding pictures",
    verbose: bool = False,
) -> Iterator[tuple[np.ndarray, np.ndarray, dict[int, str]]]:
    """Decode pictures in parallel and yield them batch by batch, in order.

    A picture that cannot be read is named and left out; it ends nothing.

    Args:
        source: of the pictures, or the folder to which the paths are relative.
        paths: of the pictures.
        image_size: (height, width) in pixels.
        batch_size: files a batch.
        reading: how files become pixels.
        hashes: SHA-256 of each file's content when it was listed; one that has changed since is
            left out like one that cannot be read.
        workers: threads that decode; by default one a processor.
        label: what the progress bar says.
        verbose: whether it is shown.

    Yields:
        The positions in `paths` of the pictures that could be read, (k,); the pictures, uint8
        (k, height, width, 3); and the reason for each of the others, by position.

    Example:
        >>> rows, pictures, errors = next(stream(".", ["no/such.png"], (8, 8)))
        >>> pictures.shape, errors
        ((0, 8, 8, 3), {0: 'no such file'})
    """
    source = source if isinstance(source, Source) else Files(source)

    def read(row):
        content = source.content(paths[row])
        if hashes is not None and hashlib.sha256(content).hexdigest() != hashes[row]:
            raise UnreadableError("changed since it was listed")
        return source.decode(content, image_size, reading)

    options = {"workers": workers, "label": label, "verbose": verbose}
    return in_batches(read, len(paths), image_size, batch_size, **options)


def in_batches(
    read: Callable[[int], np.ndarray],
    count: int,
    image_size: tuple[int, int],
    batch_size: int = 32,
    *,
    workers: int | None = None,
    label: str = "Decoding pictures",
    verbose: bool = False,
) -> Iterator[tuple[np.ndarray, np.ndarray, dict[int, str]]]:
    """As `stream`, of pictures that come from anywhere.

    Args:
        read: a picture's pixels by its position, uint8 (*image_size, 3); an `UnreadableError`
            names it and leaves it out.
        count: how many there are.
        image_size: (height, width) in pixels.
        batch_size: pictures a batch.
        workers: threads that read; by default one a processor.
        label: what the progress bar says.
        verbose: whether it is shown.
    """

    def attempt(row):
        try:
            return read(row)
        except UnreadableError as error:
            return str(error)

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool, bar(verbose=verbose) as display:
        task = display.add_task(label, total=count)
        waiting: deque[tuple[int, list[Future]]] = deque()
        try:
            for start in range(0, count, batch_size):
                batch = range(start, min(start + batch_size, count))
                waiting.append((start, [pool.submit(attempt, row) for row in batch]))
                if len(waiting) > AHEAD:
                    yield _gather(*waiting[0], image_size)
                    display.advance(task, len(waiting.popleft()[1]))
            while waiting:
                yield _gather(*waiting[0], image_size)
                display.advance(task, len(waiting.popleft()[1]))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _gather(start: int, futures: list[Future], image_size: tuple[int, int]) -> tuple:
    results = {start + offset: future.result() for offset, future in enumerate(futures)}
    errors = {row: result for row, result in results.items() if isinstance(result, str)}
    rows = np.array([row for row in results if row not in errors], dtype="int64")
    pictures = np.empty((len(rows), *image_size, 3), dtype="uint8")
    for place, row in enumerate(rows):
        pictures[place] = results[row]
    return rows, pictures, errors


class Batches(keras.utils.PyDataset):
    """Batches of arrays; the order of each epoch follows from (seed, epoch) alone.

    Pass `shuffle=False` to `fit`: the order is this class's own.

    Args:
        inputs: (n, …); or with `views`, (views, n, …): each epoch reads another view of a row.
        targets: (n,).
        views: whether `inputs` has a leading axis of views.
        sample_weights: (n,), or None.
        batch_size: rows a batch; the last may be smaller.
        shuffle: whether each epoch has an order of its own.
        passes: how often an epoch goes through the rows, each time in another order.
        devices: a batch's rows are made a multiple of it, with rows that have no weight.
        share: (i, n): only the i-th of n equal shares of each batch is read.
        seed: of the order.
        epoch: the epoch to begin at, so that an interrupted training goes on in the same order.
        transform: what is done to a batch of inputs, given them and a (seed, pass, row) for each.

    Example:
        >>> batches = Batches(np.arange(4.0), np.arange(4), batch_size=3)
        >>> len(batches), batches[1]
        (2, (array([3.], dtype=float32), array([3])))
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        *,
        views: bool = False,
        sample_weights: np.ndarray | None = None,
        batch_size: int = 32,
        shuffle: bool = False,
        passes: int = 1,
        devices: int = 1,
        share: tuple[int, int] = (0, 1),
        seed: int = 0,
        epoch: int = 0,
        transform: Callable[[np.ndarray, list], np.ndarray] | None = None,
    ):
        super().__init__()
        self.inputs = inputs if views else inputs[None]
        self.targets = targets
        self.sample_weights = sample_weights
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.passes = passes
        self.devices = devices
        self.share = share
        self.seed = seed
        self.epoch = epoch
        self.transform = transform

    def __len__(self):
        return -(-len(self.targets) * self.passes // self.batch_size)

    def __getitem__(self, index):
        count = len(self.targets)
        places = np.arange(count * self.passes)
        places = places[index * self.batch_size : (index + 1) * self.batch_size]
        real = len(places)
        if self.devices > 1:
            places = np.resize(places, -(-real // self.devices) * self.devices)
        own = self._own(len(places))
        rows = self._order()[places[own]]
        turns = self.epoch * self.passes + places[own] // count
        x = self.inputs[(turns + rows) % len(self.inputs), rows]
        if self.transform is not None:
            keys = zip(turns.tolist(), rows.tolist(), strict=True)
            x = self.transform(x, [(self.seed, turn, row) for turn, row in keys])
        x = x if x.dtype == "uint8" else x.astype("float32")
        if self.devices == 1:
            weights = () if self.sample_weights is None else (self.sample_weights[rows],)
            return (x, self.targets[rows], *weights)
        scale = np.where(np.arange(len(places)) < real, len(places) / real, 0).astype("float32")
        given = 1 if self.sample_weights is None else self.sample_weights[rows]
        return x, self.targets[rows], scale[own] * given

    def _own(self, size: int) -> slice:
        """This process' share of a batch of so many rows."""
        part, parts = self.share
        return slice(size * part // parts, size * (part + 1) // parts)

    def _order(self) -> np.ndarray:
        rows = np.arange(len(self.targets))
        if not self.shuffle:
            return np.tile(rows, self.passes)
        rng = np.random.default_rng([self.seed, self.epoch])
        return np.concatenate([rng.permutation(rows) for _ in range(self.passes)])

    def on_epoch_end(self):
        """Move on to the next epoch's order."""
        self.epoch += 1
