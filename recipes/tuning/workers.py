"""A search by several processes: keras-tuner's chief and workers, watched over.

On one machine `supervise` starts them, starts a dead one again, and ends them all. On several the
environment names the chief (`KERASTUNER_ORACLE_IP`, `KERASTUNER_ORACLE_PORT`) and each process
(`KERASTUNER_TUNER_ID`); they share the search's folder. The chief listens without any check of who
calls: a loopback address or a trusted network only.
"""

import contextlib
import io
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_chief, oracle_client

from recipes.files import DamagedFileError, read_json
from recipes.tuning.trials import PROJECT, Trials

try:
    import fcntl
except ImportError:  # Windows: two workers of one id are then not told apart
    fcntl = None

CHIEF = "chief"
LOOPBACK = "127.0.0.1"
POLL = 0.1
FAREWELL = 20.0
MOST_DEATHS = 5
_COMMAND = "from recipes.tuning.workers import main; main()"


def supervise(trials: Trials, workers: int, timeout: float | None = None) -> None:
    """Run a search by a chief and workers on this machine, until it is done.

    A worker that dies is started again under its id and takes up its trial. When the chief dies,
    all are started again: what had ended stays ended, what was at work begins anew.

    Args:
        trials: what to try.
        workers: processes that try.
        timeout: seconds after which a trial counts as lost and goes to another worker.

    Raises:
        RuntimeError: processes die again and again and no trial ends; the text has the last lines
            of their log.
    """
    logs = Path(trials.folder) / "logs"
    logs.mkdir(exist_ok=True)
    task = cloudpickle.dumps((trials, timeout))
    watch = _Progress(trials)
    done = False
    while not done:
        address = (LOOPBACK, _free_port())
        with contextlib.ExitStack() as crew:
            chief = crew.enter_context(_Process(CHIEF, task, address, logs, workers))
            names = [f"worker{number}" for number in range(workers)]
            team = {
                name: crew.enter_context(_Process(name, task, address, logs, workers))
                for name in names
            }
            while chief.running():
                for name, worker in team.items():
                    if worker.died():
                        watch.note_death(worker)
                        team[name] = crew.enter_context(
                            _Process(name, task, address, logs, workers)
                        )
                time.sleep(POLL)
            done = not chief.died()
            if not done:
                watch.note_death(chief)
            ending = time.monotonic() + (FAREWELL if done else 0)
            while any(worker.running() for worker in team.values()) and time.monotonic() < ending:
                time.sleep(POLL)


class _Progress:
    """Gives up where processes die without a trial ending between."""

    def __init__(self, trials: Trials):
        self.state = Path(trials.folder) / PROJECT / "oracle.json"
        self.ended, self.deaths = self._ended(), 0

    def _ended(self) -> int:
        try:
            return len(read_json(self.state)["end_order"])
        except (FileNotFoundError, DamagedFileError):
            return 0

    def note_death(self, process: "_Process") -> None:
        ended = self._ended()
        self.deaths = self.deaths + 1 if ended == self.ended else 1
        self.ended = ended
        if self.deaths > 2 * MOST_DEATHS:
            raise RuntimeError(
                f"The search's processes died {self.deaths} times and no trial ended. The last "
                f"words of {process.name}: {process.last_words()}"
            )


class _Process:
    """A process of the search; leaving its context ends it."""

    def __init__(self, name: str, task: bytes, address: tuple[str, int], logs: Path, workers: int):
        self.name = name
        self.log = logs / f"{name}.log"
        threads = str(max((os.cpu_count() or 1) // workers, 1))
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            **os.environ,
            "KERASTUNER_TUNER_ID": name,
            "KERASTUNER_ORACLE_IP": address[0],
            "KERASTUNER_ORACLE_PORT": str(address[1]),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND],
                stdin=subprocess.PIPE,
                stdout=None if name == CHIEF else log,
                stderr=log,
                env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        assert self.process.stdin is not None  # it was asked for
        # It reads its task from here, and ends when this end is closed, however that comes about.
        self.task = self.process.stdin
        threading.Thread(target=self._give, args=(task,), daemon=True).start()

    def _give(self, task: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.task.write(len(task).to_bytes(8, "little") + task)
            self.task.flush()

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *exception) -> None:
        if self.running():
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.task.close()

    def running(self) -> bool:
        return self.process.poll() is None

    def died(self) -> bool:
        return self.process.poll() not in (None, 0)

    def last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return " ".join(lines[-3:]) or "none"


def main() -> None:
    """A process of a supervised search: its task comes on standard input."""
    source = io.FileIO(sys.stdin.fileno(), closefd=False)
    size = int.from_bytes(source.read(8), "little")
    task = bytearray()
    while len(task) < size:
        task += source.read(size - len(task))
    threading.Thread(target=_end_with, args=(source,), daemon=True).start()
    trials, timeout = pickle.loads(task)
    take_part(trials, timeout)


def _end_with(source) -> None:
    """End this process when the one that started it is gone."""
    source.read(1)
    os._exit(1)


def take_part(trials: Trials, timeout: float | None = None) -> bool:
    """Play the part that the environment gives this process: the chief's or a worker's.

    Args:
        trials: what to try.
        timeout: seconds after which the chief gives a worker's trial to another.

    Returns:
        Whether this is the chief, who has the result.

    Raises:
        BlockingIOError: another process has this one's id.
    """
    name = os.environ["KERASTUNER_TUNER_ID"]
    with _only_one(Path(trials.folder) / f"{name}.lock", name):
        if CHIEF in name:
            _serve(trials, timeout)
            return True
        oracle_client.TIMEOUT = timeout or oracle_client.TIMEOUT
        trials.run()
        return False


@contextlib.contextmanager
def _only_one(path: Path, name: str):
    """Keep a second process of the same id out: it would be given the same trials."""
    with path.open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BlockingIOError(
                    f"KERASTUNER_TUNER_ID: another process at {path.parent} is {name!r}."
                ) from None
        yield


def _serve(trials: Trials, timeout: float | None) -> None:
    """The chief: answer the workers until no trial is left, and wait for none that is lost."""
    tuner = trials.tuner()
    oracle = tuner.oracle
    oracle.verbose = 1 if trials.verbose else 0
    tuner.save()
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    servicer = oracle_chief.OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    address = f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
    server.add_insecure_port(address)
    server.start()
    last = None
    while last is None or (oracle.tuner_ids and time.monotonic() < last + FAREWELL):
        time.sleep(POLL)
        if timeout is not None:
            oracle.give_up(timeout)
        if servicer.stop_triggered and not oracle.ongoing_trials:
            last = last or time.monotonic()
    server.stop(grace=1).wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]
