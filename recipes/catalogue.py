"""The backbones that are known by name, and what is known of each before it is built.

Free of Keras, so that the command line can list them at once. The table's rows of KerasHub are the
pictures' presets of its version 0.32.
"""

import csv
import os
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

WEIGHTS = "model.weights.h5"
PACKAGE, KERAS, KAGGLE = "pip", "keras", "kaggle"
HEADER = ("name", "family", "pixels", "parameters", "weights", "licence")


@dataclass(frozen=True)
class Entry:
    """What is known of a backbone before it is built.

    Attributes:
        name: as `recipes.backbones.get` takes it.
        family: what networks of its kind are called.
        parameters: how many; of a preset of CLIP, MetaCLIP2 and SigLIP with the part that reads
            text, which is left out here.
        size: side of the pictures that it was trained with; None where KerasHub does not tell it
            before the download, and the network takes any.
        licence: of the weights.
        place: where they are from: "pip" and a package, "keras" and its name there, or "kaggle"
            and its handle.
    """

    name: str
    family: str
    parameters: int
    size: int | None
    licence: str
    place: tuple[str, str]

    @property
    def is_here(self) -> bool:
        """Whether the weights need no download."""
        kind, name = self.place
        if kind == PACKAGE:
            return find_spec(name.replace("-", "_")) is not None
        if kind == KERAS:
            return name in _downloaded_by_keras()
        folder = os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub"
        return (Path(folder) / "models" / name / WEIGHTS).is_file()


@cache
def entries() -> dict[str, Entry]:
    """Every backbone by its name.

    Example:
        >>> entries()["vit_base_patch16_224_imagenet"].size
        224
    """
    path = Path(__file__).with_name("catalogue.csv")
    with path.open(encoding="utf-8", newline="") as file:
        found = [
            Entry(
                row["name"],
                row["family"],
                int(row["parameters"]),
                int(row["size"]) if row["size"] else None,
                row["licence"],
                (kind, place),
            )
            for row in csv.DictReader(file)
            for kind, _, place in [row["place"].partition(":")]
        ]
    return {entry.name: entry for entry in found}


def presets() -> dict[str, Entry]:
    """Those of KerasHub.

    Example:
        >>> "efficientnet_lite0" in presets(), "resnet_18_imagenet" in presets()
        (False, True)
    """
    return {name: entry for name, entry in entries().items() if entry.place[0] == KAGGLE}


def table() -> str:
    """A line each: name, family, pixels, parameters, whether the weights are here, licence.

    Example:
        >>> table().splitlines()[1].split()[:3]
        ['efficientnet_lite0', 'EfficientNet-Lite', '224']
    """
    rows = [HEADER]
    for entry in entries().values():
        millions = f"{entry.parameters / 1e6:.1f} M"
        here = "here" if entry.is_here else "download"
        size = str(entry.size or "any")
        rows.append((entry.name, entry.family, size, millions, here, entry.licence))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in (2, 3) else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _downloaded_by_keras() -> set[str]:
    """The applications of which Keras has a weights file in its folder.

    A file's name begins with the application's; the longest such name counts.
    """
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    names = [entry.name for entry in entries().values() if entry.place[0] == KERAS]
    found = set()
    for file in folder.glob("*.h5"):
        plain = _plain(file.name).removeprefix("weights")
        matching = [name for name in names if plain.startswith(_plain(name))]
        if matching:
            found.add(max(matching, key=len))
    return found


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
