import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from recipes.files import DamagedFileError, read_json
from recipes.tuning import workers

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*currentThread.*|.*getName.*:DeprecationWarning", "ignore:All-NaN"
)
SCRIPT = """
import sys
import numpy as np
import recipes


def build(hp):
    import keras

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(hp.Int("units", 1, 10_000)), keras.layers.Dense(2)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1)), loss)
    return model


def go(directory, trials, workers):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 4)).astype("float32")
    return recipes.search(
        build, (x, (x[:, 0] > 0).astype(int)), directory=directory, algorithm="random",
        max_trials=trials, max_epochs=1, workers=workers, verbose=False,
    )


if __name__ == "__main__":
    go(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""
_space: dict = {}
exec(SCRIPT, _space)  # the same functions here, pickled by value as those of a notebook are
go = _space["go"]


@pytest.fixture
def processes(monkeypatch):
    """Every process that a search starts."""
    started = []

    class Watched(workers._Process):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(workers, "_Process", Watched)
    return started


def ended(folder):
    try:
        return read_json(folder / "trials" / "oracle.json")["end_order"]
    except (FileNotFoundError, DamagedFileError):
        return []


def kill_one(processes, rng, chief, folder):
    """Kill a running process of a kind, after some trial has ended since the one before."""
    seen = len(ended(folder))
    while len(ended(folder)) == seen:
        time.sleep(0.05)
    while True:
        kind = [p for p in processes if (p.name == "chief") == chief and p.running()]
        if kind:
            kind[rng.integers(len(kind))].process.kill()
            return
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("num_workers", "trials", "worker_kills", "chief_kills"),
    [
        (2, 8, 1, 1),
        pytest.param(4, 200, 10, 2, marks=[pytest.mark.slow, pytest.mark.timeout(1200)]),
    ],
)
def test_every_trial_completes_once_whoever_is_killed(
    tmp_path, processes, num_workers, trials, worker_kills, chief_kills
):
    folder, rng = tmp_path / "a", np.random.default_rng(0)
    results = []
    thread = threading.Thread(target=lambda: results.append(go(folder, trials, num_workers)))
    thread.start()
    kills = [False] * worker_kills + [True] * chief_kills
    for chief in rng.permutation(kills):
        kill_one(processes, rng, chief, folder)
    thread.join()
    (result,) = results
    order = ended(folder)
    assert len(order) == len(set(order)) == trials
    assert result.trials["status"].eq("completed").all()
    assert result.trials["trial"].tolist() == list(range(trials))
    assert len(processes) >= 1 + num_workers + worker_kills + (1 + num_workers) * chief_kills
    assert not [process.name for process in processes if process.running()]
    assert {name for p in processes if (name := p.name)} >= {"chief", "worker0", "worker1"}


def test_the_processes_end_with_the_one_that_started_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folder = tmp_path / "a"
    with subprocess.Popen(
        [sys.executable, str(script), str(folder), "500", "2"],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stderr=subprocess.DEVNULL,
    ) as parent:
        while len(ended(folder)) < 1:
            assert parent.poll() is None
            time.sleep(0.1)
        children = [
            int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent(pid) == parent.pid
        ]
        assert len(children) >= 3
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return None


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_that_only_die_end_the_search_with_their_last_words(
    tmp_path, monkeypatch, processes
):
    monkeypatch.setattr(workers, "_COMMAND", "import sys; sys.exit('no such module')")
    with pytest.raises(RuntimeError, match=r"no trial ended\. The last words of .*no such module"):
        go(tmp_path / "a", 3, 2)
    assert not any(process.running() for process in processes)


def test_the_parts_of_several_machines(tmp_path):
    """A chief and a worker as the environment names them, and a second one of the same id."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("int(sys.argv[3])", "None"))
    folder, port = tmp_path / "a", workers._free_port()

    def start(name):
        named = {"ORACLE_IP": "127.0.0.1", "ORACLE_PORT": str(port), "TUNER_ID": name}
        environment = {f"KERASTUNER_{key}": value for key, value in named.items()}
        return subprocess.Popen(
            [sys.executable, str(script), str(folder), "4", "0"],
            env={**os.environ, **environment, "PYTHONPATH": os.getcwd()},
            stderr=subprocess.PIPE,
        )

    with start("chief") as chief:
        while not (folder / "split.json").exists():
            assert chief.poll() is None
            time.sleep(0.1)
        with start("host1") as one, start("host1") as two:
            _, first = one.communicate()
            _, second = two.communicate()
            chief.communicate()
    assert chief.returncode == 0
    assert sorted([one.returncode, two.returncode]) == [0, 1]
    assert b"another process" in first + second
    assert len(json.loads((folder / "result.json").read_text())["best"]) == 2
