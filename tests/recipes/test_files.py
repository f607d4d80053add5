import hashlib
import json
import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as st_numpy
from safetensors.numpy import load_file

from recipes import files

ARRAYS = {"a/b": np.arange(6, dtype="float32").reshape(2, 3), "n": np.array(3, "int64")}


def test_replace_leaves_the_old_file_when_writing_fails(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "old")

    def fail(temporary):
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        files.replace(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_takes_numpy_numbers_and_paths(tmp_path):
    path = files.write_json(
        tmp_path / "a.json", {"n": np.float32(0.5), "v": np.arange(2), "p": tmp_path, "t": "é"}
    )
    assert files.read_json(path) == {"n": 0.5, "v": [0, 1], "p": str(tmp_path), "t": "é"}


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_json_that_is_damaged_is_refused_by_name(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(files.DamagedFileError, match=r"a\.json is damaged"):
        files.read_json(path)


def test_arrays_are_a_plain_safetensors_file(tmp_path):
    path = files.write_arrays(tmp_path / "a.safetensors", ARRAYS, {"epoch": 3})
    by_library = load_file(path)
    assert set(by_library) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(by_library[name], array)
    assert files.read_arrays(path)[1] == {"epoch": 3}


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
            lambda name: name != "__metadata__"
        ),
        st_numpy.arrays(
            st.sampled_from(["float32", "float16", "int64", "uint8"]),
            st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
        max_size=4,
    )
)
@settings(max_examples=40, deadline=None)
def test_arrays_come_back_bit_for_bit(tmp_path_factory, arrays):
    path = files.write_arrays(tmp_path_factory.mktemp("a") / "a.safetensors", arrays)
    read, _ = files.read_arrays(path)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        assert read[name].tobytes() == array.tobytes()


def test_every_flipped_byte_and_every_cut_is_noticed(tmp_path):
    path = files.write_arrays(tmp_path / "a.safetensors", ARRAYS, {"epoch": 3})
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        try:
            arrays, info = files.read_arrays(path)
        except files.DamagedFileError:
            continue
        # A byte that means nothing (white space in the header's padding) may differ.
        assert files.digest(arrays) == files.digest(ARRAYS)
        assert info == {"epoch": 3}
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(files.DamagedFileError):
            files.read_arrays(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file(ARRAYS, tmp_path / "a.safetensors")
    with pytest.raises(files.DamagedFileError, match="another kind"):
        files.read_arrays(tmp_path / "a.safetensors")


def test_digest_is_sha256_over_what_its_docstring_says():
    array = np.array([1, 2], "int32")
    expected = hashlib.sha256(b"text" + b"a|<i4|(2,)|" + array.tobytes()).hexdigest()
    assert files.digest({"a": array}, "text") == expected


def test_no_temporary_file_is_left(tmp_path):
    files.write_json(tmp_path / "a.json", {})
    files.write_arrays(tmp_path / "a.safetensors", ARRAYS)
    assert sorted(os.listdir(tmp_path)) == ["a.json", "a.safetensors"]
    assert json.loads((tmp_path / "a.json").read_text()) == {}


@pytest.mark.parametrize("before", [None, b"", b"old"])
def test_looking_whether_a_file_can_be_written_changes_nothing(before, tmp_path):
    path = tmp_path / "o.csv"
    if before is not None:
        path.write_bytes(before)
    assert files.writable_file("csv", path) == path
    assert (path.read_bytes() if path.exists() else None) == before


def test_devices_links_and_pipes_are_places_too(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for place in ("/dev/null", tmp_path / "link", tmp_path / "pipe"):
        files.writable_file("csv", place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may do all")
@pytest.mark.parametrize("exists", [True, False])
def test_a_place_that_may_not_be_written_is_refused(exists, tmp_path):
    path = tmp_path / "locked" / "o.csv"
    path.parent.mkdir()
    if exists:
        path.touch(0o400)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(OSError, match=r"csv: .* cannot be written: Permission denied"):
            files.writable_file("csv", path)
    finally:
        path.parent.chmod(0o700)
