import pytest

from recipes import batches
from recipes.batches import advise


class DeviceError(Exception):
    pass


@pytest.fixture
def timed(monkeypatch):
    """A step that takes what a function of its size says, by a clock that nothing else moves."""
    now = [0.0]
    monkeypatch.setattr(batches.time, "perf_counter", lambda: now[0])

    def step_of(seconds):
        def step(size):
            now[0] += seconds(size)

        return step

    return step_of


def test_a_size_without_memory_for_it_ends_the_measurement(timed):
    constant = timed(lambda size: 0.01)

    def step(size):
        if size > 16:
            raise DeviceError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        constant(size)

    found = advise(step, smallest=8, largest=64, repeats=1)
    assert found.batch_size == 16
    assert found.table["batch_size"].tolist() == [8, 16]
    assert "32 would not fit into the device's memory" in found.reason


def test_other_errors_are_not_taken_for_want_of_memory():
    def step(size):
        raise DeviceError("something else")

    with pytest.raises(DeviceError, match="something else"):
        advise(step)
    with pytest.raises(DeviceError):  # the smallest has to fit
        advise(lambda size: (_ for _ in ()).throw(DeviceError("out of memory")))


def test_no_larger_size_is_measured_when_one_has_brought_next_to_nothing(timed):
    flat = timed(lambda size: 0.001 * size)
    found = advise(flat, smallest=8, largest=64, repeats=3, to_the_end=False)
    assert found.table["batch_size"].tolist() == [8, 16]
    assert found.batch_size == 8
    assert "16 brought next to nothing" in found.reason
    constant = timed(lambda size: 0.01)
    found = advise(constant, smallest=8, largest=64, repeats=3, to_the_end=False)
    assert found.table["batch_size"].tolist() == [8, 16, 32, 64]
    assert found.batch_size == 64
