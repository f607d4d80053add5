"""What a training leaves: one evaluation, and the files of the run folder."""

import json
import os
import platform
import zipfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import keras
import pandas as pd

from recipes.backbones.base import Backbone
from recipes.files import DamagedFileError, write_arrays, write_json
from recipes.images.decode import Reading
from recipes.images.inspection import OK
from recipes.keras_setup import describe
from recipes.run import FORMAT, WEIGHTS, Run
from recipes.tasks import Task
from recipes.transfer import kept, model as transfer_model
from recipes.transfer.features import TrainingData, outputs_of
from recipes.transfer.model import TransferModel

LABELS = "labels.json"
EVALUATING = {"test": "Testing", "validation": "Evaluating"}


def versions() -> dict[str, str]:
    """The packages that decide a result's bits."""
    return {
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        **{name: version(name) for name in ("keras", "numpy", "pillow")},
        "engine": _engine_version(),
    }


def _engine_version() -> str:
    return version(
        {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}[keras.backend.backend()]
    )


def machine() -> dict[str, str | int]:
    """The machine that trained."""
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "processors": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        "threads": os.environ.get("OMP_NUM_THREADS", "one a processor"),
    }


def model_of(run: Run, backbone: Backbone | keras.Model | None = None) -> keras.Model:
    """The model of a run, rebuilt from its checked configuration; only numbers are read.

    Args:
        run: the run.
        backbone: that it was trained with, where it was an object that the run does not keep.

    Raises:
        ValueError: the run is damaged or not what its configuration says.
    """
    if backbone is None and "architecture" not in run.info["model"]:
        backbone = kept.read(run)
    transfer = transfer_model.from_dict(run.info["model"], backbone)
    units = transfer.model.output_shape[-1]
    if run.task.units != units or list(run.task.classes) != run.classes:
        raise DamagedFileError(f"{run.folder}: its classes and its model do not match.")
    transfer.assign(run.weights())
    return transfer.model


def labels_of(task: Task, reading: Reading) -> dict:
    """What a model's file says of its outputs and of its pictures, wherever it goes.

    Returns:
        `task`, its name; `classes`, in order; `thresholds`, where the task has some; `reading`.

    Example:
        >>> from recipes.tasks import Multiclass
        >>> labels_of(Multiclass(("ash", "oak")), Reading())["classes"]
        ['ash', 'oak']
    """
    values = task.to_dict()
    return {"task": values.pop("name"), **values, "reading": reading.to_dict()}


def save_model(path: Path, model: keras.Model, labels: Mapping) -> None:
    """Write a Keras file that carries its labels: Keras reads it as any other.

    The labels are `labels.json` in it, for any program that reads ZIP.

    Args:
        path: of the file, with the ending `.keras`.
        model: to save.
        labels: JSON-able; as `labels_of` gives them.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.keras"
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
        >>> save_model(path, model, {"classes": ["ash", "oak"]})
        >>> json.loads(zipfile.ZipFile(path).read("labels.json"))["classes"]
        ['ash', 'oak']
        >>> keras.models.load_model(path).output_shape
        (None, 2)
    """
    model.save(path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(LABELS, json.dumps(labels, indent=2))


def write_run(
    folder: Path,
    transfer: TransferModel,
    frame: pd.DataFrame,
    history: pd.DataFrame,
    data: TrainingData,
    info: dict,
) -> None:
    """Evaluate once, and write a run's files into an unfinished folder.

    Figures are of the test part, and this is the one time that it is used; where there is none, of
    the validation part, and are called so. The report is not among the files: it is made from them.

    Args:
        folder: the unfinished run's folder.
        transfer: the trained model.
        frame: the table of the pictures, with their parts.
        history: one row an epoch.
        data: the parts, and the task with its thresholds.
        info: what `run.json` says besides the format, the model, the metrics, the versions, the
            set-up of Keras and the machine.
    """
    part, task = evaluated_part(data), data.task
    held_out = data[part]
    outputs = outputs_of(
        transfer.model, held_out.pixels, label=EVALUATING[part], verbose=data.verbose
    )
    files = list(frame.loc[(frame["part"] == part) & (frame["status"] == OK), "path"])
    predictions = task.prediction_table(files, held_out.labels, outputs)
    frame.to_csv(folder / "dataset.csv", index=False)
    history.to_csv(folder / "history.csv", index=False)
    predictions.to_csv(folder / "predictions.csv", index=False)
    write_arrays(folder / WEIGHTS, transfer.arrays())
    reading = Reading.from_dict(info.get("reading", {}))
    save_model(folder / "model.keras", transfer.for_file(), labels_of(task, reading))
    about = {
        "format": FORMAT,
        **info,
        "classes": list(task.classes),
        "task": task.to_dict(),
        "metrics": {"part": part, **task.evaluate(held_out.labels, outputs)},
        "model": transfer.to_dict(),
        "licence": transfer.backbone.licence,
        "source": transfer.backbone.source,
        "versions": versions(),
        "keras": describe(),
        "machine": machine(),
    }
    write_json(folder / "run.json", about)


def evaluated_part(data: TrainingData) -> str:
    """The part of which a run's figures are: the test part, or validation where there is none."""
    return "test" if len(data["test"]) else "validation"
