"""What a model's frozen layers make of the pictures, computed once and kept.

Everything that training reads again and again is an array of one of two kinds: the pixels of a
part, or activations at a frozen boundary. Each has a key that names all it depends on, lies in
memory while it is small and in a file above a limit, and is computed again only when its key
changes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import keras
import numpy as np

from recipes.dtypes import policy_of
from recipes.files import digest
from recipes.images.augment import Augmentation, batch as vary
from recipes.images.parts import ArrayCache, Part
from recipes.keras_setup import prediction_batch
from recipes.progress import track
from recipes.settings import FLOAT32
from recipes.tasks import Task
from recipes.transfer.forward import forward_all
from recipes.transfer.model import TransferModel
from recipes.transfer.solve import Solution, solve

REDUCED = 5 / 7  # of a side, for the epochs on smaller pictures
LEAST_SIDE, SIDE_STEP = 64, 32


def features(
    frozen: keras.Model,
    part: Part,
    cache: ArrayCache,
    *,
    views: int = 1,
    augmentation: Augmentation | None = None,
    batch_size: int | None = None,
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
        batch_size: pictures in one forward pass, by default what suits the device; the training's
            may differ.
        seed: of the augmentation.
        label: what the progress bar says.
        verbose: whether it is shown.

    Returns:
        float32, or float16 from a file: (views, n, *boundary shape).

    Raises:
        ValueError: an activation is not finite.
    """
    batch_size = batch_size or prediction_batch(frozen)
    weights = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(frozen.weights)}
    key = json.dumps(
        {
            "weights": digest(weights),
            "boundary": list(frozen.output.shape),
            "policy": policy_of(frozen),
            "part": part.key,
            "views": views,
            "augmentation": str(augmentation and augmentation.alone()) if views > 1 else None,
            "seed": seed if views > 1 else None,
            "batch_size": batch_size,
        }
    )

    def fill(array):
        place = 0
        for piece in part.pieces:  # what is known of them is not computed again
            array[:, place : place + len(piece)] = features(
                frozen,
                piece,
                cache,
                views=views,
                augmentation=augmentation,
                batch_size=batch_size,
                seed=seed,
                label=label,
                verbose=verbose,
            )
            place += len(piece)
        if not part.pieces:
            compute(array)

    def pixels_of(view, rows):
        if not view:
            return part.pixels[rows]
        return vary(part.pixels[rows], [(seed, view, row) for row in rows], augmentation)

    def compute(array):
        places = [
            (view, np.arange(start, min(start + batch_size, len(part))))
            for start in range(0, len(part), batch_size)
            for view in range(views)
        ]
        batches = (pixels_of(view, rows) for view, rows in places)
        found = track(
            forward_all(frozen, batches, batch_size), label, len(places), "batches", verbose
        )
        for (view, rows), one in zip(places, found, strict=True):
            with np.errstate(over="ignore"):  # what a file cannot hold is refused below
                array[view, rows] = one
            if not np.isfinite(array[view, rows]).all():
                half = "a file" if policy_of(frozen) == FLOAT32 else policy_of(frozen)
                raise ValueError(
                    f"precision: what the network makes of some pictures is beyond what {half} "
                    "holds; take another precision, or a larger cache_limit."
                )

    return cache.get(key, (views, len(part), *frozen.output.shape[1:]), "float32", fill)


@dataclass(frozen=True)
class TrainingData:
    """The decoded parts, where what is computed from them is kept, and how they are varied.

    Attributes:
        parts: by name: "train", "validation", and "test" where it is needed.
        task: what is to be told of each picture.
        cache: of what frozen layers make of the pictures.
        views: versions of each picture of the training part in the cache.
        augmentation: of the views after the first, and of every picture in each epoch where nothing
            is frozen.
        seed: of the order, the augmentation and the dropout.
        verbose: whether progress is shown.
        solutions: classifiers on frozen features that were solved already, by what they are of.
    """

    parts: Mapping[str, Part]
    task: Task
    cache: ArrayCache
    views: int = 1
    augmentation: Augmentation | None = None
    seed: int = 0
    verbose: bool = True
    solutions: dict[str, Solution] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Part:
        """A part by name."""
        return self.parts[name]

    def joined(self) -> "TrainingData":
        """The same with the validation part's pictures among those of the training part."""
        train = self["train"].joined(self["validation"], self.cache)
        return replace(self, parts={**self.parts, "train": train})

    def resized(self, image_size: tuple[int, int]) -> "TrainingData":
        """The same with smaller pictures in the parts that training reads."""
        smaller = {
            name: self[name].resized(image_size, self.cache) for name in ("train", "validation")
        }
        return replace(self, parts={**self.parts, **smaller})

    def cut(self, transfer: TransferModel, first: int) -> "Boundary":
        """A model cut at a stage, with these pictures before the cut."""
        return Boundary(transfer, first, self)


@dataclass(frozen=True)
class Boundary:
    """A model cut where a phase's frozen layers end; what lies before is computed once.

    Attributes:
        transfer: the model.
        first: the first stage behind the cut; 0 where nothing is frozen.
        data: the pictures.
    """

    transfer: TransferModel
    first: int
    data: TrainingData

    @cached_property
    def _frozen(self) -> keras.Model:
        return self.transfer.frozen_part(self.first)  # one for all parts: it is compiled once

    @cached_property
    def _tails(self) -> dict[int, keras.Model]:
        return {}  # by what they end with: each is compiled once

    @cached_property
    def reducible(self) -> bool:
        """Whether there is a smaller size of pictures that the model takes and that is not tiny."""
        smaller, own = _reduced(self.transfer.backbone.image_size), self.transfer.model.input_shape
        if min(smaller) < LEAST_SIDE or smaller == tuple(own[1:3]):
            return False
        try:
            self.transfer.resized(smaller)
        except ValueError:
            return False
        return True

    def resized(self) -> "Boundary":
        """The same cut for smaller pictures, of 5/7 of the side."""
        smaller = _reduced(self.transfer.backbone.image_size)
        return Boundary(self.transfer.resized(smaller), self.first, self.data.resized(smaller))

    def solved(
        self, class_weights: np.ndarray | None = None, penalty: float | None = None
    ) -> Solution:
        """The classifier on the frozen features of the training part, solved once.

        Args:
            class_weights: one weight a class.
            penalty: where it is known.
        """
        part, known = self.data["train"], self.data.solutions
        weights = None if class_weights is None else class_weights.tolist()
        own = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(self._frozen.weights)}
        key = f"{part.key} {digest(own)} {weights} {penalty}"
        if key not in known:
            known[key] = solve(
                self.inputs("train"),
                part.labels,
                self.data.task,
                units=part.units,
                class_weights=class_weights,
                penalty=penalty,
                seed=self.data.seed,
            )
        return known[key]

    def inputs(self, name: str) -> np.ndarray:
        """A part's pixels, (n, H, W, 3); behind frozen layers its features, (views, n, …)."""
        if self.first == 0:
            return self.data[name].pixels
        return features(
            self._frozen,
            self.data[name],
            self.data.cache,
            views=self.data.views if name == "train" else 1,
            augmentation=self.data.augmentation,
            seed=self.data.seed,
            label=f"Features, {name} part",
            verbose=self.data.verbose,
        )

    def outputs(self, name: str, tensor, label: str, rows: np.ndarray | None = None) -> np.ndarray:
        """What the model makes of a part at a tensor behind the cut, (n, …)."""
        inputs = self.inputs(name) if self.first == 0 else self.inputs(name)[0]
        start = self.transfer.boundary(self.first)
        if tensor is start:
            return (inputs if rows is None else inputs[rows]).astype("float32")
        if id(tensor) not in self._tails:
            self._tails[id(tensor)] = keras.Model(start, tensor)
        options = {"label": label, "verbose": self.data.verbose}
        return outputs_of(self._tails[id(tensor)], inputs, rows, **options)


def outputs_of(
    model: keras.Model,
    inputs: np.ndarray,
    rows: np.ndarray | None = None,
    *,
    batch_size: int | None = None,
    label: str,
    verbose: bool = True,
) -> np.ndarray:
    """A model's outputs for the rows of an array, all of them by default, (n, …)."""
    batch_size = batch_size or prediction_batch(model)
    rows = np.arange(len(inputs)) if rows is None else rows
    starts = range(0, len(rows), batch_size)
    batches = (np.asarray(inputs[rows[start : start + batch_size]]) for start in starts)
    found = forward_all(model, batches, batch_size)
    return np.concatenate([*track(found, label, len(starts), "batches", verbose)])


def _reduced(image_size: tuple[int, int]) -> tuple[int, int]:
    """The size of the smaller pictures."""
    height, width = (round(side * REDUCED / SIDE_STEP) * SIDE_STEP for side in image_size)
    return height, width
