"""The options as keyword arguments, for type checkers and editors."""

from collections.abc import Iterable
from typing import Any, TypedDict

from recipes.augmentation import Augmentation
from recipes.rules import GivenWeights
from recipes.strategies import FineTuneStrategy


class DataOptions(TypedDict, total=False):
    """The fields of `DataSettings` as keyword arguments."""

    task: str
    positive: str | None
    threshold: float | None
    pictures: str | None
    file_column: str | None
    label_column: str | Iterable[str] | None
    part_column: str | None
    group_column: str | None
    labels_from_name: str | None
    groups: str | None
    validation: float
    test: float
    cache_limit: int | str
    layout: str
    allow_empty_classes: bool
    resize: str
    background: str
    near_copies: bool
    max_pixels: int


class Options(DataOptions, total=False):
    """The fields of all groups as keyword arguments."""

    backbone: Any
    weights: str | None
    image_size: int | None
    dropout: float
    epochs: int | None
    batch_size: int | str
    augmentation: str | Augmentation
    views: int
    class_weights: GivenWeights
    distribution: str | None
    precision: str
    refit: bool | None
    time_limit: float | str | None
    seed: int
    strategy: str | FineTuneStrategy
    large_from: int
    dissimilar_from: float
