"""A benchmark that few machines can run says so, and is run small on this one."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pandas as pd
import pytest

from recipes.settings import PRECISIONS

ROOT = Path(__file__).parents[1]


def accelerator(*words):
    return subprocess.run(
        [sys.executable, "benchmarks/accelerator.py", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
    ).stdout


def test_without_an_accelerator_it_says_so_in_one_line():
    backend = keras.backend.backend()
    assert accelerator() == f"No accelerator is seen by {backend}: nothing was measured.\n"


@pytest.mark.slow
@pytest.mark.timeout(900)  # three trainings
def test_it_runs_on_the_processor_where_asked_to(tmp_path):
    options = {"image-size": 32, "batch-size": 8, "pictures": 120, "csv": tmp_path / "rows.csv"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    accelerator("--anyway", *words)
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert rows["precision"].tolist() == list(PRECISIONS)
    assert (rows["device"] == "processor").all()
    numbers = ["forward a second", "trained a second", "from the device", "peak MB", "seconds"]
    assert (rows[numbers] > 0).all(axis=None)
    assert rows["waits"].between(0, 1).all()
