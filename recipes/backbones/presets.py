"""The presets of KerasHub that are networks of pictures, by name.

The table is that of version 0.32, so that neither KerasHub nor a network is needed to list it.
"""

import csv
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WEIGHTS = "model.weights.h5"


@dataclass(frozen=True)
class Preset:
    """What is known of a preset before it is downloaded.

    Attributes:
        name: in KerasHub.
        family: of `hub_families.FAMILIES`.
        parameters: of the whole preset: of CLIP and SigLIP with the part that reads text.
        size: side of the pictures that it was trained with; None where its name does not tell.
        handle: where it lies at Kaggle.
    """

    name: str
    family: str
    parameters: int
    size: int | None
    handle: str

    @property
    def is_here(self) -> bool:
        """Whether it was downloaded to this machine before."""
        cache = os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub"
        return (Path(cache) / "models" / self.handle / WEIGHTS).is_file()


@cache
def presets() -> dict[str, Preset]:
    """Every preset by its name.

    Example:
        >>> presets()["vit_base_patch16_224_imagenet"].size
        224
    """
    path = Path(__file__).with_name("presets.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: Preset(
                row["name"],
                row["family"],
                int(row["parameters"]),
                int(row["size"]) if row["size"] else None,
                row["handle"],
            )
            for row in csv.DictReader(file)
        }
