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

from recipes.augmentation import Augmentation
from recipes.images.augment import draw, mixed
from recipes.images.decode import AS_IT_IS, Reading
from recipes.images.folders import Files
from recipes.images.formats import UnreadableError
from recipes.images.sources import Source
from recipes.progress import bar

AHEAD = 4
BATCHES_AHEAD = 2


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

    Pass `shuffle=False` to `fit`: the order is this class's own. While a batch is trained on, a
    thread makes the next ones, across the ends of epochs too.

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
        augmentation: how each picture changes, by a seed (seed, pass, row) of its own. A batch's
            inputs are then a dictionary: "pictures", as they are, and by how much each changes,
            for a model with `recipes.images.varying.Vary`; targets and weights are mixed already.
        classes: of integer targets, where they are mixed.

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
        augmentation: Augmentation | None = None,
        classes: int = 0,
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
        self.augmentation = augmentation
        self.classes = classes
        self._thread = ThreadPoolExecutor(1)
        self._ahead: dict[tuple[int, int], Future] = {}
        self._ordered: tuple[int, np.ndarray] | None = None

    def __len__(self):
        return -(-len(self.targets) * self.passes // self.batch_size)

    def __getitem__(self, index):
        batch = self._begun(self.epoch, index)
        count = len(self) if self.shuffle else 0  # what is only read once is slices
        places = range(index + 1, index + 1 + min(BATCHES_AHEAD, count))
        following = [(self.epoch + place // count, place % count) for place in places]
        self._ahead = {place: self._begun(*place) for place in following}
        return batch.result()

    def _begun(self, epoch: int, index: int) -> Future:
        """A batch of an epoch that is made, or will be; one at a time."""
        known = self._ahead.get((epoch, index))
        return self._thread.submit(self._made, epoch, index) if known is None else known

    def _made(self, epoch: int, index: int) -> tuple:
        """A batch of an epoch."""
        count = len(self.targets)
        places = np.arange(
            index * self.batch_size, min((index + 1) * self.batch_size, count * self.passes)
        )
        real = len(places)
        if self.devices > 1:
            places = np.resize(places, -(-real // self.devices) * self.devices)
        own = self._own(len(places))
        rows = self._order(epoch)[places[own]]
        turns = epoch * self.passes + places[own] // count
        x = self.inputs[(turns + rows) % len(self.inputs), rows]
        x = x if x.dtype == "uint8" else x.astype("float32")
        y = self.targets[rows]
        weights = None if self.sample_weights is None else self.sample_weights[rows]
        if self.augmentation is not None:
            x, y, weights = self._varied(x, y, weights, turns, rows)
        if self.devices == 1:
            return (x, y) if weights is None else (x, y, weights)
        scale = np.where(np.arange(len(places)) < real, len(places) / real, 0).astype("float32")
        return x, y, scale[own] * (1 if weights is None else weights)

    def _varied(self, x, y, weights, turns: np.ndarray, rows: np.ndarray) -> tuple:
        """Pictures with what is drawn for each; a device mixes its own share among itself."""
        assert self.augmentation is not None
        places = zip(turns.tolist(), rows.tolist(), strict=True)
        keys = [(self.seed, turn, row) for turn, row in places]
        size, together = x.shape[1:3], len(x) * self.share[1] // self.devices
        drawn = draw(self.augmentation, keys, size, together)
        if self.augmentation.mixes:
            y, weights = mixed(y, drawn, size, self.classes, weights)
        return {"pictures": x, **drawn}, y, weights

    def _own(self, size: int) -> slice:
        """This process' share of a batch of so many rows."""
        part, parts = self.share
        return slice(size * part // parts, size * (part + 1) // parts)

    def _order(self, epoch: int) -> np.ndarray:
        """The rows in an epoch's order, kept for the next batch of it."""
        if self._ordered is None or self._ordered[0] != epoch:
            rows = np.arange(len(self.targets))
            if self.shuffle:
                rng = np.random.default_rng([self.seed, epoch])
                rows = np.concatenate([rng.permutation(rows) for _ in range(self.passes)])
            else:
                rows = np.tile(rows, self.passes)
            self._ordered = (epoch, rows)
        return self._ordered[1]

    def on_epoch_end(self):
        """Move on to the next epoch's order."""
        self.epoch += 1
