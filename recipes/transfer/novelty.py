"""How unlike everything in the training part a picture is, by its distance to the features."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recipes.files import DamagedFileError, read_arrays, write_arrays
from recipes.transfer.features import Part, outputs_of
from recipes.transfer.model import TransferModel

FILE = "novelty.safetensors"
NEIGHBOURS = 5
MOST_ROWS = 4_096
UNLIKE_FROM = 0.99


def fit(train: np.ndarray, validation: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Keep what `score` needs.

    Args:
        train: features of the training part, (n, channels).
        validation: of pictures like them that were not trained on, (m, channels).
        seed: of the draw where there are more than 4,096 of the former.

    Returns:
        `features`, float16, (rows, channels), each of length 1; and `distances`, float32, (m,),
        those of the validation part, in order.

    Source:
        Out-of-distribution detection with deep nearest neighbors, arXiv 2204.06507.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:MOST_ROWS])
    kept = _unit(train[rows]).astype("float16")
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


def keep(
    folder: Path,
    transfer: TransferModel,
    data: Mapping[str, Part],
    *,
    seed: int = 0,
    verbose: bool = True,
) -> None:
    """Write what `score` needs into a run's folder."""
    pooled = transfer.frozen_part(transfer.num_stages)
    features = {
        name: outputs_of(pooled, data[name], label=f"Features, {name}", verbose=verbose)
        for name in ("train", "validation")
    }
    write_arrays(folder / FILE, fit(features["train"], features["validation"], seed))


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
    similarity = _unit(features) @ kept.astype("float32").T
    place = min(NEIGHBOURS, len(kept)) - 1
    return (1 - -np.partition(-similarity, place, axis=1)[:, place]).astype("float32")


def _unit(features: np.ndarray) -> np.ndarray:
    features = features.astype("float32")
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
