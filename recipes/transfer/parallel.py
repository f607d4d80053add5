"""Training by several devices, and by several processes, that share each batch.

The engines are those of Keras' backends: `keras.distribution` on JAX, for the devices of one or of
several processes; `tf.distribute.MirroredStrategy` on TensorFlow, for the devices of one process.
Only training is shared. What the frozen layers give, and every prediction, each process computes
for itself, so that no process waits for what another one has in its cache.
"""

import atexit
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from recipes.lookup import find
from recipes.settings import DATA_PARALLEL

_PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
_ADDRESSES, _ID = "KERAS_DISTRIBUTION_JOB_ADDRESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
_LOST = re.compile("Gloo|[Cc]onnection (reset|closed|refused)|heartbeat|peer")


class LostPeerError(ConnectionError):
    """Another process of the training has ended or cannot be reached."""


@dataclass(frozen=True)
class Devices:
    """Who shares the batches.

    Attributes:
        count: devices, in all processes; a batch's rows are a multiple of it.
        processes: how many processes there are.
        process: which of them this is; process 0 decides and shows progress.
    """

    count: int = 1
    processes: int = 1
    process: int = 0


def check(distribution: str | None) -> None:
    """Refuse a name that is unknown, or that the backend has no engine for.

    Raises:
        ValueError: with what is allowed.
    """
    processes = os.environ.get(_PROCESSES, "1")
    if distribution is None and processes != "1":
        raise ValueError(
            f"distribution: {_PROCESSES} asks for {processes} processes; give 'data_parallel', or "
            "each of them trains alone and writes to the same folder."
        )
    if distribution is None:
        return
    find(distribution, {DATA_PARALLEL: None}, what="distribution")
    backend = keras.backend.backend()
    if backend not in ("jax", "tensorflow"):
        raise ValueError(
            f"distribution: Keras has none on the backend {backend!r}; set KERAS_BACKEND to "
            "'jax', or to 'tensorflow' for the devices of one process."
        )
    if processes != "1":
        _check_environment(processes)
    if backend == "tensorflow" and processes != "1":
        raise ValueError(
            f"distribution: {_PROCESSES} asks for several processes, which Keras has on JAX only; "
            "set KERAS_BACKEND to 'jax'."
        )


def _check_environment(processes: str) -> None:
    own = os.environ.get(_ID, "")
    if not processes.isdigit() or not own.isdigit() or int(own) >= int(processes):
        raise ValueError(
            f"distribution: {_PROCESSES} is {processes!r} and {_ID} is {own!r}; they take the "
            "number of processes and which of them this is, from 0."
        )
    if ":" not in os.environ.get(_ADDRESSES, ""):
        raise ValueError(
            f"distribution: {_ADDRESSES} is {os.environ.get(_ADDRESSES, '')!r}; it takes the "
            "address and a free port of process 0's machine, as in 192.168.0.10:4000."
        )


@contextlib.contextmanager
def scope(distribution: str | None) -> Iterator[Devices]:
    """Models made inside are on all devices, and train on all of them.

    On JAX, the environment variables of `keras.distribution.initialize`
    (KERAS_DISTRIBUTION_JOB_ADDRESSES, …_NUM_PROCESSES, …_PROCESS_ID) say which process this is, if
    there are several.

    Args:
        distribution: "data_parallel", or None for one device.

    Raises:
        LostPeerError: another process is gone.

    Example:
        >>> with scope(None) as devices:
        ...     devices.count
        1
    """
    if distribution is None:
        yield Devices()
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        names = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        with tf.distribute.MirroredStrategy([device.name for device in names]).scope():
            yield current()
    else:
        import jax

        if os.environ.get(_PROCESSES, "1") != "1" and not jax.distributed.is_initialized():
            keras.distribution.initialize()
        shared = keras.distribution.DataParallel(auto_shard_dataset=False)
        with shared.scope(), _lost_peers_named():
            yield current()


def current() -> Devices:
    """The devices of the scope that is open."""
    if keras.backend.backend() == "jax":
        import jax

        shared = keras.distribution.distribution()
        if shared is not None:
            return Devices(shared.num_model_replicas, jax.process_count(), jax.process_index())
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return Devices(tf.distribute.get_strategy().num_replicas_in_sync)
    return Devices()


def begun(model: keras.Model, batch: np.ndarray):
    """The model's outputs for a whole batch, whatever the devices: arrays, or tensors.

    On one device of TensorFlow or PyTorch these are tensors, at which the device may still be at
    work: whoever copies them waits for it.
    """
    devices, backend = current(), keras.backend.backend()
    if devices.processes > 1:
        return _predict_locally(model, batch)
    if devices.count > 1 and backend == "tensorflow":
        return model.predict(batch, batch_size=len(batch), verbose=0)
    if backend == "jax":
        return model.predict_on_batch(batch)
    model.make_predict_function()
    return model.predict_function([(batch,)])


def _predict_locally(model: keras.Model, batch: np.ndarray):
    """By this process alone: every process holds all weights."""
    import jax

    def local(variables):
        return [variable.value.addressable_data(0) for variable in variables]

    if not hasattr(model, "_predict_locally"):
        model._predict_locally = jax.jit(
            lambda trained, others, x: model.stateless_call(trained, others, x, training=False)[0]
        )
    trained, others = model.trainable_variables, model.non_trainable_variables
    outputs = model._predict_locally(local(trained), local(others), batch)
    return keras.tree.map_structure(np.asarray, outputs)


def from_first(values: Any) -> Any:
    """What process 0 has, in every process: plain values, and arrays as a dictionary's members.

    Args:
        values: JSON-able values; or a pair of a dictionary of arrays and JSON-able values.

    Example:
        >>> from_first({"epoch": 3})
        {'epoch': 3}
    """
    devices = current()
    if devices.processes == 1:
        return values
    arrays, plain = values if isinstance(values, tuple) else ({}, values)
    shapes = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    note = json.dumps({"plain": plain, "shapes": shapes, "pair": isinstance(values, tuple)})
    note = json.loads(_broadcast(note.encode()).decode())
    content = _broadcast(b"".join(array.tobytes() for array in arrays.values()))
    if not note["pair"]:
        return note["plain"]
    arrays, place = {}, 0
    for name, (shape, dtype) in note["shapes"].items():
        size = int(np.prod(shape, dtype="int64")) * np.dtype(dtype).itemsize
        array = np.frombuffer(content[place : place + size], dtype).reshape(shape)
        arrays[name], place = array.copy(), place + size
    return arrays, note["plain"]


def _broadcast(content: bytes) -> bytes:
    """Process 0's bytes."""
    from jax.experimental.multihost_utils import broadcast_one_to_all

    length = int(broadcast_one_to_all(np.array(len(content))))
    padded = np.zeros(length, "uint8")
    if current().process == 0:
        padded[:] = np.frombuffer(content, "uint8")
    return np.asarray(broadcast_one_to_all(padded)).tobytes()


def agree(values: dict) -> None:
    """Refuse to begin where the processes would not do the same.

    Args:
        values: what must be the same in every process, by name; JSON-able.

    Raises:
        ValueError: it is not; the text names what differs.
    """
    first = from_first(values)
    differ = [name for name in values if values[name] != first.get(name)]
    if current().processes > 1:
        from jax.experimental.multihost_utils import process_allgather

        counts = np.asarray(process_allgather(np.array(len(differ)))).ravel()
        if counts.any():
            found = f" ({', '.join(differ)})" if differ else ""
            raise ValueError(
                f"distribution: the processes {np.flatnonzero(counts).tolist()} have other "
                f"settings, versions or pictures than process 0{found}. All must be the same."
            )


@contextlib.contextmanager
def _lost_peers_named() -> Iterator[None]:
    """JAX' errors about a process that is gone, as one clear error, after which this one can end.

    JAX would wait for the lost process at the end of this one, and then abort.
    """
    import jax

    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        cause = next((line for line in str(error).splitlines() if _LOST.search(line)), None)
        if jax.process_count() == 1 or cause is None:
            raise
        atexit.register(_end_at_once)
        raise LostPeerError(
            "distribution: another process of the training is gone. The last finished epoch is "
            "kept: start all processes again with the same command to go on from it. "
            f"({cause.strip()[:200]})"
        ) from error


def _end_at_once() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
