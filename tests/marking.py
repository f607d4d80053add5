"""Tables of cases of which the default suite takes some."""

from collections.abc import Collection

import pytest


def slow_but(quick: Collection, cases: Collection) -> list:
    """All cases as parameters; those that are not among the quick ones are slow."""
    assert set(quick) <= set(cases), f"{set(quick) - set(cases)} are no cases"
    return [pytest.param(one, marks=() if one in quick else pytest.mark.slow) for one in cases]
