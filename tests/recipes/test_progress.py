"""A bar counts what passes, says how fast, and is silent when told so."""

import io
import time

import pytest
from rich.console import Console

from recipes import progress


@pytest.fixture
def shown(monkeypatch):
    """What a terminal would show."""
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    monkeypatch.setattr(progress, "console", console)
    return console.file


def test_the_items_pass_in_order_and_are_counted(shown):
    passed = []
    for letter in progress.track(iter("abc"), "Reading", total=3, unit="letters"):
        passed.append(letter)
        time.sleep(0.2)  # a speed needs two moments
    assert passed == list("abc")
    for words in ("Reading", "3/3", " letters/s"):
        assert words in shown.getvalue()


def test_silence(shown):
    assert list(progress.track(iter("abc"), "Reading", total=3, verbose=False)) == list("abc")
    assert shown.getvalue() == ""


def test_an_error_on_the_way_passes_and_leaves_no_bar_behind(shown):
    def items():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(progress.track(items(), "Reading", total=3))
    with progress.bar():  # a live display would refuse a second one
        pass


def test_it_goes_to_standard_error():
    assert progress.console.stderr
