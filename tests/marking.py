"""Tables of cases of which the default suite takes some."""

from collections.abc import Container, Iterable

import pytest


def slow_but(quick: Container, cases: Iterable) -> list:
    """All cases as parameters; those that are not among the quick ones are slow."""
    return [pytest.param(one, marks=() if one in quick else pytest.mark.slow) for one in cases]
