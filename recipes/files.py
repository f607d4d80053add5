"""Files that are never half-written, and arrays with a checksum.

Everything a training leaves goes through `replace`: written beside its place, flushed to the
disk, then renamed, so that a reader sees the old file or the new one and nothing between.
Arrays are kept in the safetensors format, which holds numbers and nothing that could run.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

MAX_TEXT_BYTES = 64 << 20
MAX_ARRAYS_BYTES = 8 << 30


class DamagedFileError(ValueError):
    """A file is there but its content is not what was written."""


def checked_path(name: str, path: str | os.PathLike) -> Path:
    """A path that was given; an empty one, as of an unset variable, is not the working folder.

    Raises:
        ValueError: it is empty, or no path; the text begins with `name`.

    Example:
        >>> checked_path("output", " ")
        Traceback (most recent call last):
        ValueError: output: the path is empty.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"{name}: {path!r} is not a path.")
    if not os.fspath(path).strip():
        raise ValueError(f"{name}: the path is empty.")
    return Path(path)


def writable_file(name: str, path: str | Path) -> Path:
    """A file that can be written, told before the work whose outcome it shall hold.

    What is there stays as it is, and nothing is left where nothing was.

    Args:
        name: of the argument, with which an error's text begins.
        path: of the file.

    Raises:
        ValueError: the path is empty.
        OSError: it is a folder, in no folder, or may not be written.

    Example:
        >>> writable_file("csv", "no/such/folder/table.csv")
        Traceback (most recent call last):
        FileNotFoundError: csv: there is no folder no/such/folder.
    """
    path = checked_path(name, path)
    if path.is_dir():
        raise IsADirectoryError(f"{name}: {path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {path.parent}.")
    is_new = not path.exists()
    if is_new or path.is_file():  # a pipe's reader would take it for the end
        try:
            path.open("ab").close()
        except OSError as error:
            raise OSError(f"{name}: {path} cannot be written: {error.strerror}.") from None
    if is_new:
        path.resolve().unlink()
    return path


def replace(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file, then put it in the place of `path` in one step.

    Args:
        path: where the file shall be; its folder exists.
        write: is given the temporary path and writes the whole file.

    Raises:
        OSError: the disk is full or the folder read-only; what was at `path` is untouched.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> replace(path, lambda temporary: temporary.write_text("whole")).read_text()
        'whole'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return path


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut (where the system can)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file atomically, in UTF-8."""
    return replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: str | Path, content: Mapping) -> Path:
    """Write a JSON file atomically; NumPy's numbers become plain ones."""
    return write_text(path, json.dumps(content, indent=2, default=_plain) + "\n")


def check_size(path: Path, most: int) -> None:
    """Refuse a file that would fill the memory, before it is read.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is no regular file, or has more bytes than `most`.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DamagedFileError(f"{path} is no regular file.")
    if status.st_size > most:
        raise DamagedFileError(f"{path} has {status.st_size:,} bytes; {most:,} are allowed.")


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not go into JSON: {value!r}")


def read_json(path: str | Path) -> dict:
    """Read a JSON file that holds an object.

    Raises:
        DamagedFileError: it is not JSON, or not an object.
    """
    path = Path(path)
    check_size(path, MAX_TEXT_BYTES)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedFileError(f"{path} is damaged: it is not JSON ({error}).") from None
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path} is damaged: it holds no JSON object.")
    return content


def digest(arrays: Mapping[str, np.ndarray], text: str = "") -> str:
    """SHA-256 over names, types, shapes and values of arrays, and a text.

    Example:
        >>> digest({"a": np.zeros(2)}) == digest({"a": np.zeros(2)}) != digest({"b": np.zeros(2)})
        True
    """
    result = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        result.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        result.update(array.data.cast("B") if array.size else b"")
    return result.hexdigest()


def write_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], info: Mapping | None = None
) -> Path:
    """Write arrays and a JSON-able `info` into one safetensors file, with a checksum of both.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
        >>> _ = write_arrays(path, {"w": np.arange(3.0)}, {"epoch": 2})
        >>> arrays, info = read_arrays(path)
        >>> arrays["w"].tolist(), info
        ([0.0, 1.0, 2.0], {'epoch': 2})
    """
    arrays = {name: np.array(array, order="C") for name, array in arrays.items()}
    text = json.dumps(info or {}, default=_plain)
    metadata = {"info": text, "sha256": digest(arrays, text)}
    return replace(path, lambda temporary: temporary.write_bytes(save(arrays, metadata)))


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    """Read what `write_arrays` wrote, and verify its checksum.

    Returns:
        The arrays by name, and `info`.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: the file is cut, changed, or not of this kind.
    """
    path = Path(path)
    check_size(path, MAX_ARRAYS_BYTES)
    content = path.read_bytes()
    try:
        arrays = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header["__metadata__"]
        text = metadata["info"]
        if metadata["sha256"] != digest(arrays, text):
            raise DamagedFileError(f"{path} is damaged: its checksum does not match.")
        return arrays, json.loads(text)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DamagedFileError):
            raise
        raise DamagedFileError(f"{path} is damaged or of another kind: {error}.") from None
