"""A backbone that was an object, kept in the run: its layers, and the weights that it came with.

The layers are needed to predict, the weights to train again. Both files hold values that are
checked when they are read; what Keras cannot build from such values is not kept.
"""

from pathlib import Path
from typing import Any

import numpy as np

from recipes import backbones
from recipes.backbones import described
from recipes.backbones.base import Backbone
from recipes.backbones.bounds import MOST_PARAMETERS
from recipes.files import DamagedFileError, read_arrays, read_json, write_arrays, write_json
from recipes.run import WEIGHTS, Run
from recipes.transfer.model import GIVE_AGAIN

LAYERS, START = "backbone.json", "backbone.safetensors"


def refused(backbone: Any) -> str:
    """Why a run cannot keep a backbone, in words; nothing where it can, or need not.

    Example:
        >>> refused("resnet50")
        ''
    """
    try:
        if isinstance(backbone, Backbone):
            described.to_dict(backbone)
    except ValueError as error:
        return f"is not kept: {error} Give it again to predict, export and rerun"
    return ""


def keep(folder: Path, backbone: Any) -> None:
    """Write a backbone's layers and weights into a run, where it was an object that can be kept."""
    if isinstance(backbone, Backbone) and not refused(backbone):
        arrays = enumerate(backbone.model.get_weights())
        write_json(folder / LAYERS, described.to_dict(backbone))
        write_arrays(folder / START, {f"{index:05d}": array for index, array in arrays})


def read(run: Run) -> Backbone | None:
    """The backbone that a run keeps, its weights still to be assigned; None where it keeps none.

    Raises:
        ValueError: a value is not allowed: the file may be anybody's.
    """
    if not (run.folder / LAYERS).exists():
        return None
    most = min(MOST_PARAMETERS, (run.folder / WEIGHTS).stat().st_size)  # four bytes each
    return described.from_dict(read_json(run.folder / LAYERS), most)


def start(run: Run) -> Any:
    """The backbone that a run was trained from, as `fit` takes it: what is kept, or its name.

    Raises:
        ValueError: it was an object that the run does not keep, or a file is not what was written.
    """
    backbone, name = read(run), run.info["config"].get("backbone", run.info["model"]["backbone"])
    if backbone is None:
        if name not in backbones.names() and not Path(name).is_absolute():  # a preset's folder
            raise ValueError(GIVE_AGAIN.format(name=name))
        return name
    arrays, _ = read_arrays(run.folder / START)
    values = [array for _, array in sorted(arrays.items())]
    shapes = [tuple(variable.shape) for variable in backbone.model.weights]
    if [array.shape for array in values] != shapes or not all(map(_finite, values)):
        raise DamagedFileError(f"{run.folder / START} does not fit {LAYERS}.")
    backbone.model.set_weights(values)
    return backbone


def _finite(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all())
