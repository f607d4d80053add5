"""How unlike everything that a training knew a picture is, by its distance to the features."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recipes.files import DamagedFileError, read_arrays, write_arrays
from recipes.transfer.features import Boundary

FILE = "novelty.safetensors"
NEIGHBOURS = 5
MOST_ROWS = 4_096
ROWS_AT_ONCE = 512
UNLIKE_FROM = 0.99


def fit(
    train: np.ndarray, validation: np.ndarray, held_out: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Keep what `score` needs.

    Args:
        train: features of the training part, (n, channels).
        validation: of further pictures that are known, (m, channels).
        held_out: the distances of pictures that were not trained on; by default those of
            `validation` to `train`.

    Returns:
        `features` of both parts, float16, (n + m, channels), each of length 1; `distances`,
        float32, (n + m,), of each of them to the others; and `held_out`. The distances are in
        order.

    Source:
        Out-of-distribution detection with deep nearest neighbors, arXiv 2204.06507.
    """
    seen, new = (_unit(part).astype("float16") for part in (train, validation))
    held_out = _distances(new, seen) if held_out is None else held_out
    features = np.concatenate([seen, new])
    distances = _distances(features, features, apart=True)
    return {"features": features, "distances": np.sort(distances), "held_out": np.sort(held_out)}


def score(features: np.ndarray, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """The share of the known pictures that lie nearer to the others, (n,).

    Like pictures have scores spread evenly from 0 to 1; from 0.99 on a picture is unlike anything
    that was known in training, whatever its probabilities. The picture itself counts among the
    known ones, so that 0.99 takes a hundred of them: of few pictures nobody can tell which others
    there are. It has to lie far from the validation part, too, since a network that was trained
    draws its training pictures together. With five known pictures or fewer there is no score: NaN.

    Args:
        features: (n, channels).
        known: what `fit` gave.

    Source:
        The rank of a conformal test: Bates et al., arXiv 2104.08279.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> known = fit(rng.random((150, 8)), rng.random((49, 8)))
        >>> score(-np.ones((1, 8)), known).tolist()
        [0.995]
    """
    distances = _distances(features, known["features"])
    nearer = np.searchsorted(known["distances"], distances)
    if "held_out" not in known:  # a run of an earlier version, which has its own scores
        return nearer / len(known["distances"])
    count, held_out = len(known["distances"]), known["held_out"]
    if count <= NEIGHBOURS:
        return np.full(len(features), np.nan)
    new = (np.searchsorted(held_out, distances) + 1) / (len(held_out) + 1)
    return np.minimum(nearer / (count + 1), new)


def held_out(cut: Boundary) -> np.ndarray:
    """The distances of the validation part's pictures to those of the training part, (m,).

    Args:
        cut: a model that was trained on the training part.
    """
    known = fit(_pooled(cut, "train"), _pooled(cut, "validation"))
    return known["held_out"]


def keep(folder: Path, cut: Boundary, distances: np.ndarray | None = None) -> None:
    """Write what `score` needs into a run's folder.

    Args:
        folder: the run's.
        cut: the trained model; of a part with more than 4,096 pictures as many are drawn.
        distances: what `held_out` gave before the model learned from the validation part too.
    """
    train = _pooled(cut, "train")
    joined = bool(cut.data["train"].pieces)  # the validation part is in it already
    features = (train, train[:0] if joined else _pooled(cut, "validation"))
    write_arrays(folder / FILE, fit(*features, distances))


def _pooled(cut: Boundary, name: str) -> np.ndarray:
    """The features of a part's pictures, or of 4,096 of them."""
    drawn = np.random.default_rng(cut.data.seed).permutation(len(cut.data[name]))[:MOST_ROWS]
    pooled = cut.transfer.boundary(cut.transfer.num_stages)
    return cut.outputs(name, pooled, f"Novelty, {name}", np.sort(drawn))


def read(folder: str | Path) -> dict[str, np.ndarray] | None:
    """What `keep` wrote, or None where there is none.

    Raises:
        DamagedFileError: the file is not what was written.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    known, _ = read_arrays(path)
    if set(known) - {"held_out"} != {"features", "distances"} or known["features"].ndim != 2:
        raise DamagedFileError(f"{path} is damaged: it holds {sorted(known)}.")
    return known


def _distances(features: np.ndarray, kept: np.ndarray, *, apart: bool = False) -> np.ndarray:
    """One minus the cosine to the fifth-nearest row; `apart` where no row is its own neighbour."""
    kept, place = kept.astype("float32").T, min(NEIGHBOURS, kept.shape[0]) - 1
    found = []
    for start in range(0, len(features), ROWS_AT_ONCE):
        unlike = -(_unit(features[start : start + ROWS_AT_ONCE]) @ kept)
        if apart:
            rows = np.arange(len(unlike))
            unlike[rows, start + rows] = np.inf
        unlike.partition(place, axis=1)
        found.append(1 + unlike[:, place])
    return np.concatenate(found).astype("float32")


def _unit(features: np.ndarray) -> np.ndarray:
    features = features.astype("float32")
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
