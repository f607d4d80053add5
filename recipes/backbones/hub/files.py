"""The files of a preset: a network's values, its preprocessing, its weights.

Read as of a stranger: JSON with checked values, and an HDF5 file that Keras takes the arrays of.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from recipes.backbones.hub.families import CLASSES, TOWERS
from recipes.backbones.hub.family import Family
from recipes.backbones.hub.values import NONE, NUMBER, checked, many, shown
from recipes.catalogue import WEIGHTS, presets
from recipes.files import DamagedFileError, check_size, read_json
from recipes.lookup import find

CONFIG, CONVERTER = "config.json", "image_converter.json"
MAX_WEIGHTS_BYTES = 8 << 30
NATIVE = 224  # where nothing tells another size
ELSEWHERE = (
    "Where there is internet, `keras_hub.models.Backbone.from_preset({name!r})"
    ".save_to_preset({name!r})` writes a folder; pass its path as backbone."
)


@dataclass(frozen=True)
class Source:
    """Where a preset's files are.

    Attributes:
        name: of the preset, or of the folder.
        text: the same for people.
        place: the folder; None for a preset of KerasHub, whose files are fetched by name.
    """

    name: str
    text: str
    place: Path | None

    def file(self, name: str) -> Path | None:
        """The path of a file, or None where the preset has none of that name.

        Raises:
            ValueError: it cannot be downloaded, or is a link to somewhere else.
        """
        return _inside(self.place, name) if self.place else _downloaded(self.name, name)

    def weights(self) -> Path:
        """The file with the weights.

        Raises:
            ValueError: there is none.
        """
        path = self.file(WEIGHTS)
        if path is None:
            raise ValueError(
                f"weights: {self.text} holds no {WEIGHTS}; weights in several files are not read."
            )
        return path


def folder(path: str | Path) -> Source:
    """The files in a folder that `save_to_preset` wrote."""
    place = Path(path).resolve()
    return Source(place.name, f"folder {path}", place)


def preset(name: str) -> Source:
    """The files of a preset of KerasHub."""
    return Source(name, f"KerasHub preset {name}, {find(name, presets(), 'preset').place[1]}", None)


def config(source: Source) -> tuple[Family, dict, bool]:
    """A network's family, its checked values, and whether it is the vision tower of a whole.

    Raises:
        ValueError: there is no `config.json`, or it is not of a network of pictures.
    """
    path = source.file(CONFIG)
    if path is None:
        raise ValueError(f"backbone: {source.text} is no preset: it holds no {CONFIG}.")
    content = read_json(path)
    kind, values = content.get("class_name"), content.get("config")
    of_tower = isinstance(kind, str) and kind in TOWERS
    if of_tower and isinstance(values, Mapping):
        tower = values.get("vision_encoder")
        content = tower if isinstance(tower, Mapping) else {}
        kind, values = content.get("class_name"), content.get("config")
    known = isinstance(kind, str) and kind in CLASSES
    family = find(kind if known else shown(kind, quoted=False), CLASSES, what=f"class in {path}")
    return family, family.checked(values, str(path)), of_tower


def preprocessing(source: Source, family: Family) -> tuple:
    """Scale, offset and size of a preset's pictures, and where they are from, in words."""
    path = source.file(CONVERTER)
    content = None if path is None else read_json(path).get("config")
    return colours_of(content, family, CONVERTER if path is None else str(path))


def colours_of(content: Any, family: Family, where: str) -> tuple:
    """Scale, offset and size of pictures as an image converter says, else the family's own.

    Args:
        content: the converter's configuration; None where there is none.
        family: of the network.
        where: whose configuration: an error's text begins with it.

    Returns:
        Scale and offset, three numbers each; (height, width); and where they are from, in words.

    Raises:
        ValueError: a value is not allowed.
    """
    if content is None:
        mean, deviation = family.mean
        scale = tuple(1 / 255 / one for one in deviation)
        offset = tuple(-m / d for m, d in zip(mean, deviation, strict=True))
        return scale, offset, (NATIVE, NATIVE), f"as is usual for {family.name}: none was told"
    if not isinstance(content, Mapping):
        raise ValueError(f"{where}: {shown(content)} is not a JSON object.")
    colours = NONE | NUMBER | many(NUMBER)
    kinds = {"scale": colours, "offset": colours, "image_size": NONE | many(NUMBER)}
    kinds |= {"mean": colours, "variance": colours}
    values = checked({k: v for k, v in content.items() if k in kinds}, kinds, where, tuple(kinds))
    scale, offset = values.get("scale"), values.get("offset")
    if values.get("mean") is not None and values.get("variance") is not None:  # of older presets
        deviation = np.sqrt(np.asarray(values["variance"], float))
        factor = 1.0 if scale is None else scale
        scale, offset = factor / deviation, -np.asarray(values["mean"], float) / deviation
    try:
        three = [
            tuple(np.broadcast_to(np.asarray(one, float), (3,)).tolist())
            for one in (1.0 if scale is None else scale, 0.0 if offset is None else offset)
        ]
    except ValueError:
        raise ValueError(f"{where}: scale and offset are one number, or one a colour.") from None
    if not np.isfinite(three).all():
        raise ValueError(f"{where}: scale and offset are not finite.")
    size = values.get("image_size") or [NATIVE, NATIVE]
    native = tuple(int(side) for side in (*size, *size)[:2])
    return three[0], three[1], native, ""


def read_weights(network: keras.Model, path: Path, *, of_tower: bool = False) -> None:
    """Give a network the arrays of a file.

    Args:
        network: a model of KerasHub.
        path: of a `.weights.h5` file.
        of_tower: whether the file is of a whole whose vision tower the network is.

    Raises:
        ValueError: the file is damaged, of another network, or holds values that are not finite.
    """
    path = Path(path)
    try:
        check_size(path, MAX_WEIGHTS_BYTES)
        if not of_tower:
            network.load_weights(path)
        else:
            with tempfile.TemporaryDirectory() as temporary:
                part = Path(temporary) / WEIGHTS
                _extract(path, part)
                network.load_weights(part)
    except DamagedFileError as error:
        raise ValueError(f"weights: {error}") from None
    except Exception as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        kind = type(network).__name__
        raise ValueError(f"weights: {path} does not fit this {kind}: {lines[0]}") from None
    for variable in network.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(f"weights: {path}: {variable.path} has values that are not finite.")


def _extract(path: Path, part: Path) -> None:
    """Copy the vision tower's arrays out of a file into one of their own; links stay links."""
    with h5py.File(path, "r") as whole, h5py.File(part, "w") as own:
        places = [name for name in whole.get("layers", ()) if name.endswith("vision_encoder")]
        if len(places) != 1:
            raise ValueError("it holds no vision tower.")
        tower = whole["layers"][places[0]]
        for name in tower:
            tower.copy(name, own, expand_external=False, expand_soft=False)


def _inside(place: Path, name: str) -> Path | None:
    """A file of a folder; a link must not lead out of it."""
    path = place / name
    if not path.exists():
        return None
    if not path.resolve().is_relative_to(place):
        raise ValueError(f"backbone: {path} is a link out of its folder.")
    if not path.is_file():
        raise ValueError(f"backbone: {path} is no regular file.")
    return path


def _downloaded(name: str, file: str) -> Path | None:
    """A file of a preset, downloaded where it is not here yet."""
    from keras_hub.src.utils.preset_utils import get_file

    try:
        return Path(get_file(name, file))
    except FileNotFoundError:
        return None
    except Exception as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        raise ValueError(
            f"backbone: {file} of the preset {name!r} could not be downloaded ({lines[0]}). "
            + ELSEWHERE.format(name=name)
        ) from None
