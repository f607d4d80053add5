"""Near copies: pictures that were resized, compressed, cropped, mirrored, lit or turned anew.

Candidates come from the coarsest structure of all pictures, compared in all eight orientations and
block by block; `recipes.images.alignment` then decides about each. The cost of the first grows with
the square of their number, at 10,000 pictures it is seconds.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dct
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from threadpoolctl import threadpool_limits

from recipes.images.alignment import fits, is_judged
from recipes.progress import track

SIDE = 48
COPY_GROUP = "copy_group"  # the column of a table of pictures
LARGE = 50  # members from which a group is looked at once more
_REACH = 8  # links from the centre of a large group to its edge
_WAVES = 8  # a side, of which a picture's coarsest structure is made
_ZOOMS = (1.0, 0.9)
_NEIGHBOURS, _NEAR = 4, 0.5
_BLOCK = 1 << 23  # numbers in memory at a time
_ROUND, _PAIRS = 1024, 128  # pairs between two looks at what is connected, and in a block


def thumbnail(picture: Image.Image) -> np.ndarray:
    """A picture as it is compared: gray, squashed, uint8 (48, 48).

    Example:
        >>> thumbnail(Image.new("RGB", (200, 100), "white")).shape
        (48, 48)
    """
    gray = picture.convert("L")
    return np.asarray(gray.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0))


def gray_of(values: np.ndarray) -> Image.Image:
    """A picture with more than 8 bits, (H, W) or (H, W, channels), scaled by its own extremes.

    Example:
        >>> np.asarray(gray_of(np.array([[0, 500], [1000, 1000]]))).tolist()
        [[0, 127], [255, 255]]
    """
    values = np.nan_to_num(values.astype("float32"), nan=0.0, posinf=0.0, neginf=0.0)
    gray = values[..., :3].mean(axis=2) if values.ndim == 3 else values
    low, high = float(gray.min()), float(gray.max())
    return Image.fromarray(((gray - low) * (255 / max(high - low, 1e-12))).astype("uint8"))


def copy_groups(
    hashes: Sequence[str],
    thumbnails: Sequence[np.ndarray | None],
    *,
    workers: int | None = None,
    verbose: bool = False,
) -> list[str]:
    """The name of each picture's group of near copies, "" where it stands alone.

    Args:
        hashes: of the contents; of exact copies one is compared.
        thumbnails: of `thumbnail`, or None for what could not be read.
        workers: as for `near_copies`.
        verbose: whether progress is shown.
    """
    known = {hash_: small for hash_, small in zip(hashes, thumbnails, strict=True) if hash_}
    known = {hash_: small for hash_, small in known.items() if small is not None}
    if not known:
        return [""] * len(hashes)
    numbers = near_copies(np.stack(list(known.values())), workers=workers, verbose=verbose)
    names = {hash_: str(n + 1) for hash_, n in zip(known, numbers, strict=True) if n >= 0}
    return [names.get(hash_, "") for hash_ in hashes]


def copies_in_words(frame: pd.DataFrame) -> list[str]:
    """What is to be said about near copies: none, or one line.

    Args:
        frame: of the pictures that can be used, with `copy_group`, `class` and `part`.

    Example:
        >>> copies_in_words(pd.DataFrame({"copy_group": ["1", "1", ""], "class": ["a", "b", "a"],
        ...     "part": ""}))
        ['1 picture is a near copy of another (resized, mirrored, turned …); they stay in one part,
        also 2 with different labels.']
    """
    copies = frame[frame[COPY_GROUP] != ""]
    if copies.empty:
        return []
    groups = copies.groupby(COPY_GROUP)
    count = len(copies) - groups.ngroups
    text = f"{count:,} pictures are near copies of others" if count > 1 else "1 picture is a near"
    text += "" if count > 1 else " copy of another"
    text += " (resized, mirrored, turned …); they stay in one part"
    mixed = int((groups["class"].transform("nunique") > 1).sum())
    if mixed:
        text += f", also {mixed:,} with different labels"
    across = int((groups["part"].transform("nunique") > 1).sum())
    if across:
        text += f"; {across:,} are spread over ready-made parts, of which the last keeps its own"
    return [f"{text}."]


def near_copies(
    thumbnails: np.ndarray, *, workers: int | None = None, verbose: bool = False
) -> np.ndarray:
    """Find the pictures that are near copies of each other.

    A picture is a near copy of another if it shows at least four fifths of it a side, in any of
    the eight orientations, turned by about ten degrees or less, larger, smaller, lighter, darker
    or worse. Plain and blurred pictures are not judged; of drawings with few lines only close
    copies are found.

    Args:
        thumbnails: of `thumbnail`, uint8 (n, 48, 48).
        workers: threads; by default one a processor.
        verbose: whether progress is shown.

    Returns:
        The number of each picture's group, from 0 up, and -1 for one that stands alone, (n,).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> pictures = rng.integers(0, 256, (5, 12, 12), "uint8")
        >>> small = [thumbnail(Image.fromarray(picture)) for picture in pictures]
        >>> near_copies(np.stack([*small, small[2][:, ::-1]])).tolist()
        [-1, -1, 0, -1, -1, 0]
    """
    found = np.full(len(thumbnails), -1)
    blocks = range(0, len(thumbnails), _BLOCK // SIDE**2)
    texture = [is_judged(thumbnails[start : start + blocks.step]) for start in blocks]
    judged = np.flatnonzero(np.concatenate([*texture, np.empty(0, bool)]))
    if len(judged) < 2:
        return found
    thumbnails = thumbnails[judged]
    first, second, query = _candidates(thumbnails)

    def score(pairs: np.ndarray) -> np.ndarray:
        zooms, turns = np.divmod(query[pairs], 8)
        turned = _turned(thumbnails[first[pairs]], turns)
        return fits(turned, thumbnails[second[pairs]], np.array(_ZOOMS)[zooms]) >= 0

    links = np.zeros(0, int)
    steps = range(0, len(first), _ROUND)
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for start in track(steps, "Comparing", len(steps), "rounds", verbose):
            labels = _connected(first[links], second[links], len(judged))[1]
            pairs = np.arange(start, min(start + _ROUND, len(first)))
            pairs = pairs[labels[first[pairs]] != labels[second[pairs]]]  # the others are known
            if len(pairs):
                blocks = np.array_split(pairs, -(-len(pairs) // _PAIRS))
                links = np.append(links, pairs[np.concatenate([*pool.map(score, blocks)])])
    found[judged] = _groups(first[links], second[links], len(judged))
    return found


def _connected(first: np.ndarray, second: np.ndarray, count: int):
    """The graph of the links, and the number of each picture's connected part."""
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count)).tocsr()
    graph = graph + graph.T
    return graph, connected_components(graph, directed=False)[1]


def _groups(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Connected pictures; a large group is cut where it is a chain, as of a view that moves on.

    It is then what a few links lead to from the picture that has most of them, and so is the rest.
    """
    graph, labels = _connected(first, second, count)
    for label in np.flatnonzero(np.bincount(labels) > LARGE):
        left = np.flatnonzero(labels == label)
        while len(left):
            inner = graph[left][:, left]
            centre = int(np.diff(inner.indptr).argmax())
            steps = dijkstra(inner, unweighted=True, indices=centre, limit=_REACH)
            near = np.isfinite(steps)
            labels[left[near]] = labels.max() + 1
            left = left[~near]
    alone = np.bincount(labels)[labels] == 1
    numbers = np.full(count, -1)
    numbers[~alone] = np.unique(labels[~alone], return_inverse=True)[1]
    return numbers


def _candidates(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs whose coarsest structure is alike, the most alike first, and how to see their first.

    The last is `8 * zoom + orientation`.
    """
    count = len(thumbnails)
    waves = _structure(thumbnails, 1.0)
    used = waves.any(axis=0)  # the others are weighed with nothing
    whole = waves[:, used]
    queries = [
        np.ascontiguousarray(turned[:, used])
        for zoom in _ZOOMS
        for turned in _orientations(waves if zoom == 1 else _structure(thumbnails, zoom))
    ]
    table = np.ascontiguousarray(whole.T)
    nearest = min(_NEIGHBOURS, count - 1)
    found = []
    step = max(_BLOCK // count, 1)
    for start in range(0, count, step):
        rows = slice(start, start + step)
        sizes = len(whole[rows])
        best = np.full((sizes, count), -1, "float32")
        for query in queries:
            np.maximum(best, query[rows] @ table, out=best)
        best[np.arange(sizes), np.arange(start, start + sizes)] = -1
        other = np.argpartition(best, count - nearest, axis=1)[:, count - nearest :]
        near = np.take_along_axis(best, other, axis=1)
        row, column = np.nonzero(near >= _NEAR)
        found.append((row + start, other[row, column], near[row, column]))
    first, second, near = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-near, kind="stable")
    pairs = np.minimum(first, second) * count + np.maximum(first, second)
    once = order[np.sort(np.unique(pairs[order], return_index=True)[1])]
    ends = np.stack([first[once], second[once]])
    seen = np.array(
        [
            [np.einsum("ij,ij->i", query[a], whole[b]) for query in queries]
            for a, b in (ends, ends[::-1])
        ]
    )
    way = seen.max(axis=1).argmax(axis=0)  # whether the second shows a part of the first, or so
    pairs = np.arange(ends.shape[1])
    return ends[way, pairs], ends[1 - way, pairs], seen[way, :, pairs].argmax(axis=1)


def _structure(thumbnails: np.ndarray, zoom: float) -> np.ndarray:
    """The lowest waves of the middle of each picture, float32 (n, 8, 8), of length 1.

    Without the constant, so that light does not count; higher waves count more, since all pictures
    have strong low ones.
    """
    centres = (0.5 + zoom * ((np.arange(SIDE) + 0.5) / SIDE - 0.5)) * SIDE - 0.5
    left = np.clip(np.floor(centres).astype(int), 0, SIDE - 2)
    share, rows = np.clip(centres - left, 0, 1), np.arange(SIDE)
    cut = np.zeros((SIDE, SIDE))
    cut[rows, left], cut[rows, left + 1] = 1 - share, share
    basis = (dct(np.eye(SIDE), axis=0, norm="ortho")[:_WAVES] @ cut).astype("float32")
    frequency = np.hypot(*np.indices((_WAVES, _WAVES)))
    weights = np.sqrt(frequency) * (frequency < _WAVES - 0.5)
    waves = np.empty((len(thumbnails), _WAVES, _WAVES), "float32")
    for start in range(0, len(thumbnails), 4096):
        part = slice(start, start + 4096)
        waves[part] = (basis @ thumbnails[part].astype("float32") @ basis.T) * weights
    return waves / (np.linalg.norm(waves, axis=(1, 2), keepdims=True) + 1e-6)


def _orientations(waves: np.ndarray) -> list[np.ndarray]:
    """The waves of the pictures in all eight orientations, in the order of `_turned`."""
    odd = ((-1.0) ** np.arange(_WAVES)).astype("float32")
    return [
        seen * (odd[:, None] if upside_down else 1) * (odd if mirrored else 1)
        for seen in (waves, waves.swapaxes(1, 2))
        for upside_down in (False, True)
        for mirrored in (False, True)
    ]


def _turned(pictures: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Each picture in an orientation from 0 to 7: 4 * transposed + 2 * upside down + mirrored."""
    pictures = pictures.copy()
    for bit, axes in ((4, None), (2, 1), (1, 2)):
        chosen = (turns & bit) > 0
        these = pictures[chosen]
        pictures[chosen] = these.swapaxes(1, 2) if axes is None else np.flip(these, axes)
    return pictures
