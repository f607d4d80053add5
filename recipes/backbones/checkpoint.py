"""PyTorch checkpoints as NumPy arrays: without PyTorch, and without running what they contain.

A PyTorch file is a pickle, and a pickle is a program. This reader lets it build tensors and plain
containers of numbers and texts; whatever else it asks for is refused by name.
"""

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_BYTES = 4 << 30
MAX_DEPTH = 8

# PyTorch's name of a storage: NumPy's type of its elements. NumPy has no bfloat16: its bits are
# the upper half of a float32.
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
    "ComplexFloatStorage": "<c8",
    "ComplexDoubleStorage": "<c16",
}


def load_torch_checkpoint(path: str | Path, *, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Read a PyTorch state dict, in the zip format or the legacy one, safely.

    Args:
        path: a file that `torch.save` wrote, of tensors in (nested) dictionaries. A single entry
            "state_dict" or "model" is opened, further nesting is joined by dots.
        max_bytes: the largest file, and the most that its arrays may take in memory.

    Returns:
        Name to array, in the file's order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is too large, damaged, or holds anything but tensors, numbers, texts
            and containers of them.

    Source:
        The format as `torch.serialization` writes it; PyTorch 2.13.

    Example:
        >>> from recipes.backbones.efficientnet_lite import _file
        >>> load_torch_checkpoint(_file("efficientnet_lite0"))["_conv_stem.weight"].shape
        (32, 3, 3, 3)
    """
    path = Path(path)
    size = path.stat().st_size
    if size > max_bytes:
        raise ValueError(f"{path} has {size:,} bytes; at most {max_bytes:,} are read.")
    try:
        with path.open("rb") as file:
            read = _read_zip if zipfile.is_zipfile(file) else _read_legacy
            content = read(file, max_bytes)
            return _arrays(content, max_bytes)
    except _RefusedError as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # what a damaged or hostile pickle raises is its own choice
        raise ValueError(
            f"{path} is not a PyTorch checkpoint, or is damaged ({type(error).__name__}: {error})."
        ) from None


class _RefusedError(ValueError):
    """The file asks for something that this reader does not do."""


class _Storage:
    """The elements that tensors look at: known from the pickle, filled afterwards."""

    __slots__ = ("kind", "numel", "values")

    def __init__(self, kind: str, numel: int):
        self.kind = kind
        self.numel = numel
        self.values = np.empty(0, "float32")

    @property
    def itemsize(self) -> int:
        return 2 if self.kind == "bfloat16" else np.dtype(self.kind).itemsize

    def fill(self, content: bytes, byteorder: Literal["<", ">"] = "<") -> None:
        """Take the elements from their bytes."""
        if len(content) != self.numel * self.itemsize:
            raise _RefusedError(
                f"a storage of {self.numel} elements has {len(content)} bytes; it is damaged."
            )
        if self.kind == "bfloat16":
            halves = np.frombuffer(content, f"{byteorder}u2").astype("<u4")
            self.values = (halves << 16).view("<f4")
        else:
            self.values = np.frombuffer(content, np.dtype(self.kind).newbyteorder(byteorder))


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage: where it begins, its shape, its steps, all counted in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self):
        numbers = (self.offset, *self.shape, *self.strides)
        if not all(type(n) is int and 0 <= n < 2**62 for n in numbers):
            raise _RefusedError("a tensor's offset, shape or strides are not whole numbers from 0.")
        if not isinstance(self.storage, _Storage) or len(self.shape) != len(self.strides):
            raise _RefusedError("a tensor is described in another way than PyTorch does.")
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((n - 1) * stride for n, stride in steps)
        if math.prod(self.shape) and last >= self.storage.numel:
            raise _RefusedError("a tensor reaches beyond its storage.")

    def array(self) -> np.ndarray:
        """The values, in memory of their own."""
        values = self.storage.values
        if math.prod(self.shape) == 0:
            return np.empty(self.shape, values.dtype)
        strides = tuple(stride * values.itemsize for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides)
        return np.array(view, dtype=values.dtype.newbyteorder("="), order="C")


class _Allowed:
    """A callable that a pickle may use and cannot change."""

    __slots__ = ("_function",)
    _function: Callable

    def __init__(self, function: Callable):
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments):
        return self._function(*arguments)

    def __setattr__(self, name, value):
        raise _RefusedError("it tries to change the reader.")


def _rebuild_tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


# What a pickle may name; storages stand for the type of their elements.
_GLOBALS = {
    ("collections", "OrderedDict"): lambda *items: OrderedDict(*items),
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch", "Size"): tuple,
}


class _Unpickler(pickle.Unpickler):
    """Builds tensors and containers; the storages are found by `persistent_load`."""

    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]):
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module: str, name: str):
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) in _GLOBALS:
            return _Allowed(_GLOBALS[module, name])
        raise _RefusedError(f"it asks for {module}.{name}, which is not a tensor; it is refused.")

    def persistent_load(self, identifier):
        tag, kind, key, _, numel = identifier[:5]
        if tag != "storage" or kind not in STORAGES.values() or type(numel) is not int or numel < 0:
            raise _RefusedError(f"it refers to {tag!r}, which is not a tensor's storage.")
        if len(identifier) > 5 and identifier[5] is not None:
            raise _RefusedError("its storages are views of others, a form that is not read.")
        if not isinstance(key, str):
            raise _RefusedError("a storage's key is not a text.")
        return self.storages.setdefault(key, _Storage(kind, numel))


def _check_opcodes(file: BinaryIO) -> None:
    """Refuse a pickle whose memo would fill the memory; leave the file where it was."""
    start = file.tell()
    highest = count = 0
    for opcode, argument, _ in pickletools.genops(file):
        count += 1
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument is not None:
            highest = max(highest, argument)
    if highest > count:
        raise _RefusedError(f"its memo has {highest} places for {count} operations.")
    file.seek(start)


def _unpickle(file: BinaryIO, storages: dict[str, _Storage]):
    _check_opcodes(file)
    return _Unpickler(file, storages).load()


def _read_legacy(file: BinaryIO, max_bytes: int):
    """Three pickles about the file, one of the object, one of the storages' keys, then bytes."""
    file.seek(0)
    storages: dict[str, _Storage] = {}
    if _unpickle(file, {}) != LEGACY_MAGIC or _unpickle(file, {}) != LEGACY_PROTOCOL:
        raise _RefusedError("it is not a PyTorch file.")
    about = _unpickle(file, {})
    byteorder: Literal["<", ">"] = "<" if about.get("little_endian", True) else ">"
    content = _unpickle(file, storages)
    keys = _unpickle(file, {})
    if sorted(keys) != sorted(storages):
        raise _RefusedError("its list of storages does not match its tensors.")
    for key in keys:
        storage = storages[key]
        numel = int.from_bytes(file.read(8), "little")
        if numel != storage.numel:
            raise _RefusedError(f"storage {key!r} has {numel} elements for {storage.numel}.")
        storage.fill(file.read(storage.numel * storage.itemsize), byteorder)
    return content


def _read_zip(file: BinaryIO, max_bytes: int):
    """A zip file: `<name>/data.pkl` holds the object, `<name>/data/<key>` each storage."""
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if sum(member.file_size for member in members.values()) > max_bytes:
            raise _RefusedError(f"unpacked it has more than {max_bytes:,} bytes.")
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise _RefusedError("it is a zip file without exactly one data.pkl: no checkpoint.")
        root = pickles[0].removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}
        content = _unpickle(io.BytesIO(archive.read(pickles[0])), storages)
        order = archive.read(f"{root}byteorder") if f"{root}byteorder" in members else b"little"
        for key, storage in storages.items():
            storage.fill(archive.read(f"{root}data/{key}"), "<" if order == b"little" else ">")
    return content


def _arrays(content, max_bytes: int) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint by name."""
    if not isinstance(content, Mapping):
        raise _RefusedError("it holds no dictionary of tensors.")
    for wrapper in ("state_dict", "model"):
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    arrays: dict[str, np.ndarray] = {}
    total = 0
    for name, tensor in _tensors(content):
        total += math.prod(tensor.shape) * tensor.storage.values.itemsize
        if total > max_bytes:
            raise _RefusedError(f"its tensors have more than {max_bytes:,} bytes.")
        if name in arrays:
            raise _RefusedError(f"it holds {name!r} twice.")
        arrays[name] = tensor.array()
    if not arrays:
        raise _RefusedError("it holds no tensors.")
    return arrays


def _tensors(content: Mapping, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, _Tensor]]:
    if depth > MAX_DEPTH:
        raise _RefusedError(f"its dictionaries are nested more than {MAX_DEPTH} deep.")
    for name, value in content.items():
        if isinstance(value, _Tensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, Mapping):
            yield from _tensors(value, f"{prefix}{name}.", depth + 1)
