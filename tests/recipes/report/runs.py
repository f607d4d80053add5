"""Tables of a run, made by hand."""

import numpy as np
import pandas as pd

from recipes.files import write_json

SIDE = 8
INFO = {
    "decision": {
        "strategy": "small_similar",
        "measurements": {"pictures_a_class": 3.0, "not_measured": None},
        "reason": "Few pictures & alike.",
    },
    "audit": [{"phase": "classifier", "trainable": 2, "moved": 2, "frozen": 206}],
    "class_weights": {"used": False, "imbalance": 1.5},
    "metrics": {
        "part": "test",
        "pictures": 4,
        "accuracy": 0.75,
        "accuracy_interval": [0.301, 0.954],
        "macro_f1": 0.5,
        "log_loss": 0.25,
        "calibration_error": 0.125,
    },
    "model": {"backbone": "tiny", "image_size": [SIDE, 2 * SIDE]},
    "config": {"data": "/somewhere/photos/", "folder": "/somewhere/photos/", "seed": 7},
    "scan": {"note": "a note <u>"},
    "versions": {"keras": "3.15.1"},
    "machine": {"processors": 2},
    "seconds": 12.3,
    "source": "a package",
    "licence": "Apache-2.0",
}


def history(epochs=(2, 1)):
    """So many epochs in each phase."""
    rows = [
        {"phase": f"phase {p}", "epoch": e + 1, "loss": 1 / (e + 1), "accuracy": 0.5}
        for p, count in enumerate(epochs)
        for e in range(count)
    ]
    columns = ["phase", "epoch", "loss", "accuracy"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(val_loss=table["loss"], val_accuracy=0.6, learning_rate=1e-3)


def predictions(classes, wrong=1):
    """Two test pictures a class, of which the first so many are taken for the next class."""
    truth = np.repeat(np.arange(len(classes)), 2)
    found = np.where(np.arange(len(truth)) < wrong, (truth + 1) % len(classes), truth)
    names = np.array(list(classes), dtype=object)
    return pd.DataFrame(
        {
            "file": [f"{names[t]}/{n}.png" for n, t in enumerate(truth)],
            "truth": names[truth],
            "prediction": names[found],
            "probability": np.linspace(0.6, 0.9, len(truth)),
        }
    )


def dataset(classes):
    """Three pictures a class, one a part, and one that was skipped."""
    rows = [
        {"path": f"{name}/{part}.png", "part": part, "class": name, "status": "ok", "reason": ""}
        for name in classes
        for part in ("train", "validation", "test")
    ]
    skipped = {"path": "<b>.png", "part": "", "class": classes[0]}
    return pd.DataFrame([*rows, {**skipped, "status": "skipped", "reason": "damaged: <i>"}])


def write(folder, classes, wrong=1, epochs=(2, 1), **changes):
    """A run's tables in a folder, and what else `report.write` takes."""
    task = {"name": "multiclass", "classes": list(classes)}
    info = {**INFO, "classes": list(classes), "task": task, **changes}
    write_json(folder / "run.json", info)
    history(epochs).to_csv(folder / "history.csv", index=False)
    dataset(classes).to_csv(folder / "dataset.csv", index=False)
    predictions(classes, wrong).to_csv(folder / "predictions.csv", index=False)
    labels = np.array(classes, dtype=object)
    pixels = np.zeros((len(labels), SIDE, 2 * SIDE, 3), "uint8")
    return folder, pixels, labels, np.repeat(pixels, 2, axis=0)
