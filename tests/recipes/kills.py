"""Trains again and again in forked processes that are killed, each resumed and compared.

Run as a program: `python -m tests.recipes.kills results.json points` or `... random 100`. It
imports TensorFlow once and forks before that has done anything, so that a training takes seconds.
"""

import hashlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from recipes import workflow
from recipes.run import Run
from recipes.strategies import FineTuneStrategy, Phase
from tests.recipes.images import pictures
from tests.recipes.transfer.tiny import build_tiny

STRATEGY = FineTuneStrategy(
    "killed",
    "pretrained",
    (
        Phase("classifier", 1.0, 3, 1e-2, min_steps=4),
        Phase("solved", 1.0, 1, 1e-3, solved=True),
        Phase("later", 0.5, 2, 1e-3, warmup=0.6, label_smoothing=0.1, blended=True),
        Phase("everything", 0.0, 2, 1e-3, warmup=0.3, update_batch_norm=True),
    ),
    "a phase of each kind",
)
CLASSES = ("a", "b", "c")
# Where a process dies: a function, the call of it that counts from 1, and before it, after it, or
# half-way through what it writes.
POINTS = {
    "pictures are decoded": ("recipes.images.sources.decode_bytes", 20, "before"),
    "the first features are computed": ("recipes.transfer.parallel.begun", 2, "before"),
    "features lie in a file without its note": (
        "recipes.images.parts.write_json",
        4,
        "before",
    ),
    "the plan is half-written": ("pathlib.Path.write_text", 5, "half"),
    "the note of the features is half-written": ("pathlib.Path.write_text", 6, "half"),
    "the first step": ("recipes.images.pipeline.Batches.__getitem__", 1, "before"),
    "the first epoch ends": ("recipes.tasks.base.Task.calibrated_loss", 1, "before"),
    "the first state is half-written": ("pathlib.Path.write_bytes", 1, "half"),
    "the state before was moved": ("recipes.work_folder.write_arrays", 2, "before"),
    "the second state is saved": ("recipes.work_folder.write_arrays", 2, "after"),
    "the first phase has ended": ("recipes.transfer.fine_tune.audit", 1, "before"),
    "the second phase's features": ("recipes.transfer.features.forward_all", 6, "before"),
    "a classifier is being solved": ("recipes.transfer.features.solve", 1, "before"),
    "a blend is being chosen": ("recipes.transfer.refine.chosen", 1, "before"),
    "in the last phase": ("recipes.images.pipeline.draw", 5, "before"),
    "probabilities are calibrated": ("recipes.tasks.multiclass.best_temperature", 10, "before"),
    "the judgement is saved": ("recipes.transfer.learn.fine_tune", 2, "before"),
    "in the second training": ("recipes.transfer.fine_tune.audit", 6, "before"),
    "the second training has ended": ("recipes.transfer.learn.cool", 1, "before"),
    "novelty is measured": ("recipes.transfer.features.forward_all", 14, "before"),
    "the weights are half-written": ("recipes.transfer.results.write_arrays", 1, "before"),
    "the run's note is missing": ("recipes.transfer.results.write_json", 1, "before"),
    "the report is half-written": ("recipes.report.write_text", 1, "before"),
    "the folder has no name yet": ("pathlib.Path.rename", 1, "before"),
    "the folder has its name": ("pathlib.Path.rename", 1, "after"),
}


def arm(target: str, call: int, when: str) -> None:
    """Let this process die at a call of a function."""
    module, _, name = target.rpartition(".")
    try:
        owner = importlib.import_module(module)
    except ModuleNotFoundError:
        parent, _, kind = module.rpartition(".")
        owner = getattr(importlib.import_module(parent), kind)
    original = getattr(owner, name)
    calls = [0]

    def armed(*arguments, **options):
        calls[0] += 1
        if calls[0] == call:
            if when == "half":
                path, content = arguments[:2]
                original(path, content[: len(content) // 2], *arguments[2:], **options)
            if when == "after":
                original(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(owner, name, armed)


def fit(photos: Path, output: Path) -> None:
    """One training, of a small network in the place of the real one."""
    workflow.fit_folder(
        photos,
        output=output,
        backbone=build_tiny().backbone,
        strategy=STRATEGY,
        batch_size=8,
        augmentation="strong",
        cache_limit=0,
        verbose=False,
    )


def forked(action) -> int:
    """The process id of a child that does something."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        action()
        code = 0
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """The signal that ended a child, or minus its exit code."""
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def summary(output: Path) -> dict:
    """What must be the same whatever happened on the way."""
    run = Run.load(output)
    arrays = run.weights()
    history = run.history.drop(columns="seconds")
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays)))
    return {
        "weights": digest.hexdigest(),
        "history": history.to_csv(index=False),
        "predictions": (output / "predictions.csv").read_text(),
        "audit": run.info["audit"],
        "files": sorted(path.name for path in output.iterdir()),
        "beside": sorted(path.name for path in output.parent.iterdir()),
    }


def resumed(photos: Path, output: Path) -> dict:
    """Train to the end where need be, and say what came out."""
    if not (output / "run.json").exists():
        code = ended(forked(lambda: fit(photos, output)))
        if code:
            return {"failed": code}
    return summary(output)


def main() -> None:
    """Kill at the points that are named, or at random times, and write what was found."""
    results, mode, *words = sys.argv[1:]
    place = Path(tempfile.mkdtemp())
    photos = pictures.make_classes(place / "photos", 20, CLASSES)
    began = time.perf_counter()
    found = {"whole": resumed(photos, place / "whole" / "run")}
    duration = time.perf_counter() - began
    if mode == "points":
        for number, name in enumerate(words):
            output, point = place / str(number) / "run", POINTS[name]

            def dying(point=point, output=output):
                arm(*point)
                fit(photos, output)

            code = ended(forked(dying))
            found[name] = {"code": code, **resumed(photos, output)}
    else:
        rng = np.random.default_rng(int.from_bytes(os.urandom(4), "little"))
        for number in range(int(*words)):
            output = place / str(number) / "run"
            kills = 0
            while not (output / "run.json").exists() and kills < 5:
                child = forked(lambda output=output: fit(photos, output))
                time.sleep(rng.uniform(0.2, 1) * duration)
                os.kill(child, signal.SIGKILL)
                kills += ended(child) == signal.SIGKILL
            found[f"random {number}"] = {"kills": kills, **resumed(photos, output)}
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
