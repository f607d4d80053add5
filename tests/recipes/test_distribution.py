"""Several devices and several processes end with the weights of one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

import recipes
from recipes.images.pipeline import Batches
from recipes.run import Run
from tests.recipes.images import pictures

RAISED = 1
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # sums over devices are added in another order


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("shared")
    pictures.make_classes(place / "photos", 21, ("a", "b", "c"))
    return place


def start(place, name, backend, devices=1, saves=0, **environment):
    arguments = [str(devices), place / "photos", place / name, str(saves)]
    given = {name.upper(): str(value) for name, value in environment.items()}
    with (place / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.recipes.processes", *arguments],
            env={**os.environ, "KERAS_BACKEND": backend, **given},
            stdout=log,
            stderr=log,
        )


def run_of(place, name, backend, devices=1):
    assert start(place, name, backend, devices).wait() == 0, (place / f"{name}.log").read_text()
    return Run.load(place / name)


def start_two(place, name, killed=None):
    """Two processes; one of them ends itself in the middle of the second phase."""
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        start(
            place,
            name,
            "jax",
            saves=5 if process == killed else 0,
            keras_distribution_job_addresses=f"127.0.0.1:{port}",
            keras_distribution_num_processes=2,
            keras_distribution_process_id=process,
        )
        for process in range(2)
    ]


def same(run, other):
    ours, theirs = run.weights(), other.weights()
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], **CLOSE)
    for column in ("val_loss", "val_accuracy", "learning_rate"):
        np.testing.assert_allclose(run.history[column], other.history[column], **CLOSE)


@pytest.fixture(scope="module")
def one_device(place):
    return run_of(place, "one", "jax")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_devices_train_as_one_on_jax(place, one_device):
    run = run_of(place, "two devices", "jax", devices=2)
    assert run.info["devices"] == {"count": 2, "processes": 1, "process": 0}
    same(run, one_device)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_devices_train_as_one_on_tensorflow(place):
    run = run_of(place, "two mirrored", "tensorflow", devices=2)
    assert run.info["devices"]["count"] == 2
    same(run, run_of(place, "one on tensorflow", "tensorflow"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_devices_mix_pictures_as_their_targets_are_mixed(backend):
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-m", "tests.recipes.mixing", "2"],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    count, loss = done.stdout.split()
    assert int(count) == 2
    assert float(loss) < 1e-3


@pytest.mark.timeout(600)
@pytest.mark.parametrize("killed", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_lost_process_ends_the_others_and_the_same_command_goes_on(place, one_device, killed):
    name = f"killed {killed}"
    codes = [process.wait(120) for process in start_two(place, name, killed)]
    log = (place / f"{name}.log").read_text()
    assert codes[killed] == -signal.SIGKILL, log
    assert codes[1 - killed] == RAISED, log
    assert "another process of the training is gone" in log
    assert not (place / name).exists()
    for process in start_two(place, name):
        assert process.wait(240) == 0, (place / f"{name}.log").read_text()
    first, second = Run.load(place / name), Run.load(place / f"{name}-process-1")
    assert first.info["devices"] == {"count": 2, "processes": 2, "process": 0}
    arrays, others = first.weights(), second.weights()
    assert all(arrays[name].tobytes() == others[name].tobytes() for name in arrays)
    same(first, one_device)


@pytest.mark.parametrize("rows", [1, 7, 8, 9])
@pytest.mark.parametrize("weighted", [False, True])
def test_shares_of_batches_add_up_to_the_batches(rows, weighted):
    inputs, targets = np.arange(rows * 2.0).reshape(rows, 2), np.arange(rows)
    weights = np.linspace(1, 2, rows).astype("float32") if weighted else None
    options = {"sample_weights": weights, "batch_size": 4, "shuffle": True, "passes": 2}
    whole = Batches(inputs, targets, **options)
    shares = [Batches(inputs, targets, devices=4, share=(i, 2), **options) for i in range(2)]
    for index in range(len(whole)):
        x, y, *given = whole[index]
        given = given[0] if given else np.ones(len(y), "float32")
        parts = [share[index] for share in shares]
        assert len({len(part[1]) for part in parts}) == 1
        both = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        real = both[2] > 0
        np.testing.assert_array_equal(both[0][real], x)
        np.testing.assert_array_equal(both[1][real], y)
        loss = y + 1.0
        np.testing.assert_allclose((both[2] * (both[1] + 1)).mean(), (given * loss).mean())


def test_a_distribution_that_is_not_there_is_refused(place, tmp_path, monkeypatch):
    options = {"output": tmp_path / "run", "verbose": False}
    with pytest.raises(ValueError, match="data_parallel"):
        recipes.fit_folder(place / "photos", distribution="model_parallel", **options)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="KERAS_BACKEND"):
        recipes.fit_folder(place / "photos", distribution="data_parallel", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("distribution", "environment", "text"),
    [
        (None, {"NUM_PROCESSES": "2"}, "give 'data_parallel'"),
        ("data_parallel", {"NUM_PROCESSES": "2"}, "PROCESS_ID is ''"),
        ("data_parallel", {"NUM_PROCESSES": "2", "PROCESS_ID": "2"}, "PROCESS_ID is '2'"),
        ("data_parallel", {"NUM_PROCESSES": "two", "PROCESS_ID": "0"}, "NUM_PROCESSES is 'two'"),
        ("data_parallel", {"NUM_PROCESSES": "2", "PROCESS_ID": "1"}, "JOB_ADDRESSES is ''"),
        (
            "data_parallel",
            {"NUM_PROCESSES": "2", "PROCESS_ID": "1", "JOB_ADDRESSES": "here:1"},
            "set KERAS_BACKEND to 'jax'",
        ),
    ],
)
def test_an_environment_that_says_too_little_is_refused(
    distribution, environment, text, place, tmp_path, monkeypatch
):
    for name, value in environment.items():
        monkeypatch.setenv(f"KERAS_DISTRIBUTION_{name}", value)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(ValueError, match=text):
        recipes.fit_folder(place / "photos", output=tmp_path / "run", distribution=distribution)
