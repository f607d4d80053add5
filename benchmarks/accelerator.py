"""How fast is the main job on an accelerator, in each precision, and how long does that one wait?

For each precision a process of its own trains on a folder (`fit_folder`: the classifier on frozen
features, then everything for three epochs, at one size), and tests on pictures set aside. Printed:
pictures a second of the forward pass and of training, as the library feeds them and with one batch
that lies on the device already; the share of the time in which the device waits for the next
batch, by the two; the device's peak memory; seconds in all, and accuracy.

Without a folder, pictures are generated. Without an accelerator it says so and ends; with
`--anyway` it runs on the processor.

    python benchmarks/accelerator.py photos/ --pictures 600 --batch-size 32
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take all memory

import keras
import numpy as np
import pandas as pd

import recipes
from recipes import dtypes
from recipes.losses import loss_of
from recipes.settings import PRECISIONS
from recipes.strategies import HEAD, FineTuneStrategy, Phase
from recipes.transfer import model
from recipes.transfer.features import outputs_of
from recipes.transfer.optimizer import StagewiseAdam, scaled

from scaling import make  # isort: skip

EPOCHS, STEPS, WARM = 3, 20, 3
USUAL = {"pictures": 600, "image_size": 224, "batch_size": 32}
SMALL = {"pictures": 120, "image_size": 64, "batch_size": 8}  # without an accelerator
EVERYTHING = Phase("everything", 0.0, epochs=EPOCHS, learning_rate=1e-3, warmup=0.15, blended=True)
PLAN = FineTuneStrategy("timed", "pretrained", (HEAD, EVERYTHING), "at one size")


def accelerator() -> str:
    """The first accelerator's name, or nothing."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        for device in found:  # or it would take all memory at once
            tf.config.experimental.set_memory_growth(device, True)
        return next(
            (tf.config.experimental.get_device_details(d)["device_name"] for d in found), ""
        )
    if keras.backend.backend() == "jax":
        import jax

        return next((d.device_kind for d in jax.devices() if d.platform != "cpu"), "")
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def peak_memory(device: str) -> float:
    """Megabytes that were used at the most: the device's, or on a processor this process'."""
    if not device:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 1e6
    import torch

    return torch.cuda.max_memory_allocated() / 1e6


class StepClock(keras.callbacks.Callback):
    """Seconds a step in the last epoch, between the first steps and the end of the last."""

    seconds = float("nan")

    def on_train_batch_begin(self, batch, logs=None):
        if batch == WARM:
            self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        steps = self.params["steps"]
        if batch == steps - 1 > WARM:
            float(logs["loss"])  # waits for the device
            self.seconds = (time.perf_counter() - self.began) / (steps - WARM)


def seconds_of(work, repeats: int = STEPS) -> float:
    """Seconds of one call, whose result is waited for, after some that are not counted."""
    for _ in range(WARM):
        work()
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) / repeats


def on_the_device(transfer: model.TransferModel, size: int) -> tuple[float, float]:
    """Seconds of a forward pass and of a step with one batch that lies there."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (size, *transfer.model.input_shape[1:]))
    pixels = keras.ops.convert_to_tensor(pixels.astype("float32"))
    labels = keras.ops.convert_to_tensor(np.arange(size) % transfer.model.output_shape[-1])
    forward = seconds_of(lambda: transfer.model.predict_on_batch(pixels))
    transfer.set_trainable(EVERYTHING)
    optimizer = scaled(StagewiseAdam(1e-4), dtypes.policy_of(transfer.model))
    transfer.model.compile(optimizer, loss=loss_of(transfer.task), auto_scale_loss=False)
    return forward, seconds_of(lambda: transfer.model.train_on_batch(pixels, labels))


def measured(folder: Path, options: argparse.Namespace) -> dict:
    """What one precision comes to."""
    device, size = accelerator(), options.batch_size
    steps = StepClock()
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        run = recipes.fit_folder(
            folder,
            output=Path(place) / "run",
            strategy=PLAN,
            backbone=options.backbone,
            image_size=options.image_size,
            batch_size=size,
            precision=options.one,
            refit=False,
            near_copies=False,
            callbacks=[steps],
            verbose=False,
        )
        seconds = time.perf_counter() - began
    classes = len(run.classes)
    with dtypes.scope(options.one):
        transfer = model.build(options.backbone, classes, image_size=options.image_size)
    pixels = np.zeros((10 * size, *transfer.model.input_shape[1:]), "uint8")
    fed = {"label": "", "verbose": False, "batch_size": size}
    forward = seconds_of(lambda: outputs_of(transfer.model, pixels, **fed), 2) / len(pixels)
    there, step = on_the_device(transfer, size)
    return {
        "device": device or "processor",
        "backend": keras.backend.backend(),
        "precision": options.one,
        "forward a second": 1 / forward,
        "from the device": size / there,
        "trained a second": size / steps.seconds,
        "trained from the device": size / step,
        "waits": max(0.0, 1 - step / steps.seconds),
        "peak MB": peak_memory(device),
        "seconds": seconds,
        "accuracy": run.metrics["accuracy"],
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="class folders; else generated ones")
    for name, value in USUAL.items():
        text = f"{value}, or without an accelerator {SMALL[name]}"
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=text)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--anyway", action="store_true", help="without an accelerator, too")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--one", choices=PRECISIONS, help=argparse.SUPPRESS)  # in its own process
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.one:
        print(json.dumps(measured(options.folder, options)))
        return
    if not accelerator() and not options.anyway:
        print(f"No accelerator is seen by {keras.backend.backend()}: nothing was measured.")
        return
    usual = USUAL if accelerator() else SMALL
    for name, value in usual.items():
        setattr(options, name, getattr(options, name) or value)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        if options.folder is None:
            make(folder, options.pictures)
        for precision in options.precisions:
            words = ["--backbone", options.backbone, "--one", precision]
            for name in ("image_size", "batch_size"):
                words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
            child = [sys.executable, __file__, str(folder), *words]
            done = subprocess.run(child, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False), flush=True)
    if options.csv:
        pd.DataFrame(rows).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
