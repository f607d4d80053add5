"""What a training leaves: one evaluation on the test part, and the files of the run folder."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn import metrics

from recipes.files import DamagedFileError, write_arrays, write_json
from recipes.run import FORMAT, WEIGHTS, Run
from recipes.transfer import model as transfer_model
from recipes.transfer.features import Part, outputs_of
from recipes.transfer.model import TransferModel
from recipes.transfer.refine import calibration_error


def evaluate(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Metrics of a test part.

    Args:
        labels: (n,), the true classes as integers.
        probabilities: (n, classes), rows that sum to 1.

    Returns:
        `pictures`, `accuracy`, `balanced_accuracy` (the mean recall), `macro_f1`, `log_loss`
        (nats), `calibration_error` (expected, 15 bins), and `top_3_accuracy` where there are more
        than three classes.

    Example:
        >>> evaluate(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))["accuracy"]
        1.0
    """
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    recall = metrics.recall_score(
        labels, predicted, labels=np.unique(labels), average="macro", zero_division=0
    )
    result = {
        "pictures": len(labels),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": recall,
        "macro_f1": metrics.f1_score(
            labels, predicted, labels=classes, average="macro", zero_division=0
        ),
        "log_loss": metrics.log_loss(labels, probabilities, labels=classes),
        "calibration_error": calibration_error(labels, probabilities),
    }
    if len(classes) > 3:
        result["top_3_accuracy"] = metrics.top_k_accuracy_score(
            labels, probabilities, k=3, labels=classes
        )
    return {name: value if name == "pictures" else float(value) for name, value in result.items()}


def prediction_table(
    files: list[str], labels: np.ndarray, probabilities: np.ndarray, classes: list[str]
) -> pd.DataFrame:
    """One row a picture: `file`, `truth`, `prediction`, `probability`, then one column a class.

    Example:
        >>> table = prediction_table(["a.png"], np.array([1]), np.array([[0.2, 0.8]]), ["x", "y"])
        >>> table.loc[0, ["truth", "prediction", "probability of y"]].astype(str).tolist()
        ['y', 'y', '0.8']
    """
    names = np.array(classes, dtype=object)
    table = pd.DataFrame(
        {
            "file": files,
            "truth": names[labels],
            "prediction": names[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1),
        }
    )
    each = pd.DataFrame(probabilities, columns=[f"probability of {name}" for name in classes])
    return pd.concat([table, each], axis=1)


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
        else os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "one a processor"),
    }


def model_of(run: Run) -> keras.Model:
    """The model of a run, rebuilt from its checked configuration; only numbers are read.

    Raises:
        ValueError: the run is damaged or not what its configuration says.
    """
    transfer = transfer_model.from_dict(run.info["model"])
    if len(run.classes) != transfer.model.output_shape[-1]:
        raise DamagedFileError(f"{run.folder}: its classes and its model do not match.")
    transfer.assign(run.weights())
    return transfer.model


def write_run(
    folder: Path,
    transfer: TransferModel,
    frame: pd.DataFrame,
    history: pd.DataFrame,
    test: Part,
    info: dict,
    *,
    verbose: bool = True,
) -> None:
    """Evaluate on the test part, and write a run's files into an unfinished folder.

    The report is not among them: it is made from these files.

    Args:
        folder: the unfinished run's folder.
        transfer: the trained model.
        frame: the table of the pictures, with their parts.
        history: one row an epoch.
        test: the test part; this is the one time that it is used.
        info: what `run.json` says besides the format, the model, the metrics, the versions and
            the machine; it holds "classes".
        verbose: whether progress is shown.
    """
    probabilities = outputs_of(transfer.model, test.pixels, label="Testing", verbose=verbose)
    files = list(frame.loc[frame["part"] == "test", "path"])
    predictions = prediction_table(files, test.labels, probabilities, info["classes"])
    frame.to_csv(folder / "dataset.csv", index=False)
    history.to_csv(folder / "history.csv", index=False)
    predictions.to_csv(folder / "predictions.csv", index=False)
    write_arrays(folder / WEIGHTS, transfer.arrays())
    model = transfer.model
    uncompiled = keras.Model(model.input, model.output, name=model.name)
    uncompiled.save(folder / "model.keras")
    about = {
        "format": FORMAT,
        **info,
        "metrics": evaluate(test.labels, probabilities),
        "model": transfer.to_dict(),
        "licence": transfer.backbone.licence,
        "source": transfer.backbone.source,
        "versions": versions(),
        "machine": machine(),
    }
    write_json(folder / "run.json", about)
