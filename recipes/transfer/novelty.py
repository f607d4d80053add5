"""How unlike everything in the training part a picture is, by its distance to the features."""

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


def fit(train: np.ndarray, validation: np.ndarray) -> dict[str, np.ndarray]:
    """Keep what `score` needs.

    Args:
        train: features of the training part, (n, channels).
        validation: of pictures like them that were not trained on, (m, channels).

    Returns:
        `features`, float16, (rows, channels), each of length 1; and `distances`, float32, (m,),
        those of the validation part, in order.

    Source:
        Out-of-distribution detection with deep nearest neighbors, arXiv 2204.06507.
    """
    kept = _unit(train).astype("float16")
    return {"features": kept, "distances": np.sort(_distances(validation, kept))}


def score(features: np.ndarray, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """The share of the validation part that lies nearer to the training part, (n,).

    Like pictures have scores spread evenly from 0 to 1; from 0.99 on a picture is unlike anything
    that was seen in training, whatever its probabilities.

    Args:
        features: (n, channels).
        known: what `fit` gave.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> known = fit(rng.random((50, 8)), rng.random((20, 8)))
        >>> score(-np.ones((1, 8)), known).tolist()
        [1.0]
    """
    nearer = np.searchsorted(known["distances"], _distances(features, known["features"]))
    return nearer / len(known["distances"])


def keep(folder: Path, cut: Boundary) -> None:
    """Write what `score` needs into a run's folder.

    Args:
        folder: the run's.
        cut: the trained model; of a part with more than 4,096 pictures as many are drawn.
    """
    pooled = cut.transfer.boundary(cut.transfer.num_stages)
    features = []
    for name in ("train", "validation"):
        drawn = np.random.default_rng(cut.data.seed).permutation(len(cut.data[name]))[:MOST_ROWS]
        features.append(cut.outputs(name, pooled, f"Novelty, {name}", np.sort(drawn)))
    write_arrays(folder / FILE, fit(*features))


def read(folder: str | Path) -> dict[str, np.ndarray] | None:
    """What `keep` wrote, or None where there is none.

    Raises:
        DamagedFileError: the file is not what was written.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    known, _ = read_arrays(path)
    if set(known) != {"features", "distances"} or known["features"].ndim != 2:
        raise DamagedFileError(f"{path} is damaged: it holds {sorted(known)}.")
    return known


def _distances(features: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """One minus the cosine to the fifth-nearest row."""
    kept, place = kept.astype("float32").T, min(NEIGHBOURS, kept.shape[0]) - 1
    found = []
    for start in range(0, len(features), ROWS_AT_ONCE):
        unlike = -(_unit(features[start : start + ROWS_AT_ONCE]) @ kept)
        unlike.partition(place, axis=1)
        found.append(1 + unlike[:, place])
    return np.concatenate(found).astype("float32")


def _unit(features: np.ndarray) -> np.ndarray:
    features = features.astype("float32")
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
