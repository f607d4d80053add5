import collections
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from recipes.backbones.checkpoint import load_torch_checkpoint

torch = pytest.importorskip("torch")


DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
]


def saved(content, path, legacy):
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_in_both_formats(tmp_path, dtype, legacy):
    tensor = (torch.arange(24) % 7).reshape(2, 3, 4).to(dtype)
    path = saved(
        {"a": tensor, "b": tensor[:, 1:, ::2].transpose(0, 1), "c": tensor[0, 0, 0]},
        path := tmp_path / "x.pt",
        legacy,
    )
    arrays = load_torch_checkpoint(path)
    for name, expected in torch.load(path).items():
        assert arrays[name].dtype == expected.numpy().dtype
        np.testing.assert_array_equal(arrays[name], expected.numpy())


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
def test_bfloat16_parameters_and_nesting(tmp_path, legacy):
    content = {
        "epoch": 3,
        "note": "a text",
        "state_dict": collections.OrderedDict(
            w=torch.nn.Parameter(torch.tensor([1.5, -2.25])), half=torch.tensor([0.1]).bfloat16()
        ),
    }
    arrays = load_torch_checkpoint(saved(content, tmp_path / "x.pt", legacy))
    assert list(arrays) == ["w", "half"]
    assert arrays["w"].tolist() == [1.5, -2.25]
    assert arrays["half"][0] == float(torch.tensor(0.1).bfloat16())


class _Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "os.system": _Runs(os.system, "touch {path}"),
    "eval": _Runs(eval, "open('{path}', 'w')"),
    "getattr": _Runs(getattr, "x", "format"),
    "bytearray": _Runs(bytearray, 10**9),
    "builtins.list": _Runs(list, ()),
}


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_tensor_is_refused_by_name_and_not_run(tmp_path, name, legacy):
    trap = tmp_path / "trap"
    function, arguments = HOSTILE[name].call
    filled = tuple(a.format(path=trap) if isinstance(a, str) else a for a in arguments)
    path = saved({"w": torch.zeros(2), "x": _Runs(function, *filled)}, tmp_path / "x.pt", legacy)
    with pytest.raises(ValueError, match=rf"x\.pt: it asks for \w+\.{function.__name__}"):
        load_torch_checkpoint(path)
    assert not trap.exists()


def as_zip(path, pickled):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
    return path


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"garbage",
        pickle.dumps([1, 2]),
        pickle.dumps({}),
        b"\x80\x02r\xff\xff\xff\x7f.",
        b"\x80\x02}" + b"(" * 5000 + b".",
        pickle.dumps({"w": 1}),
    ],
)
def test_damaged_or_empty_pickles_are_refused(tmp_path, pickled):
    for path in (as_zip(tmp_path / "x.pt", pickled), tmp_path / "raw.pt"):
        if path.name == "raw.pt":
            path.write_bytes(pickled)
        with pytest.raises(ValueError, match=path.name):
            load_torch_checkpoint(path)


def test_a_tensor_beyond_its_storage_is_refused(tmp_path):
    path = saved({"w": torch.arange(4.0)}, tmp_path / "x.pt", legacy=False)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(n for n in members if n.endswith("data.pkl"))
    assert b"K\x04\x85" in members[name]
    members[name] = members[name].replace(b"K\x04\x85", b"K\x05\x85")
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(ValueError, match="beyond its storage"):
        load_torch_checkpoint(path)


def test_a_file_above_the_limit_is_refused(tmp_path):
    path = saved({"w": torch.zeros(10_000)}, tmp_path / "x.pt", legacy=True)
    with pytest.raises(ValueError, match="at most 1,000 are read"):
        load_torch_checkpoint(path, max_bytes=1000)
    expanded = torch.zeros(1).expand(10_000_000)
    path = saved({"w": expanded}, tmp_path / "y.pt", legacy=True)
    with pytest.raises(ValueError, match="more than 1,000,000 bytes"):
        load_torch_checkpoint(path, max_bytes=1_000_000)


def small_file(legacy):
    buffer = io.BytesIO()
    content = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3)}
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


SMALL = {legacy: small_file(legacy) for legacy in (True, False)}


@settings(max_examples=200, deadline=None)
@given(
    legacy=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 40),
)
def test_random_damage_gives_arrays_or_one_error(tmp_path_factory, legacy, changes, cut):
    content = bytearray(SMALL[legacy])
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.pt"
    path.write_bytes(bytes(content[: len(content) - cut]))
    try:
        arrays = load_torch_checkpoint(path, max_bytes=1 << 20)
    except ValueError as error:
        assert "damaged.pt" in str(error)  # noqa: PT017
    else:
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
