"""GreedyLR against the rates that Transformers' gave."""

import json
from pathlib import Path

import numpy as np
import pytest

import callbacks

RECORDED = json.loads((Path(__file__).parents[1] / "reference" / "greedy.json").read_text())


def ours(case):
    options = dict(case["options"])
    smooth, window = options.pop("smooth", False), options.pop("window_size", 50)
    return callbacks.GreedyLR(
        **options, window_size=window if smooth else 1, learning_rate=case["start"]
    )


@pytest.mark.parametrize("case", RECORDED, ids=range(len(RECORDED)))
def test_the_rates_are_transformers(case):
    rates = ours(case).replay(case["metrics"])["learning_rate"]
    np.testing.assert_allclose(rates, case["lr"], rtol=1e-9)


def test_the_recorded_rates_rise_and_fall_and_begin_anew():
    changes = [np.sign(np.diff(case["lr"])) for case in RECORDED]
    assert sum(np.any(change > 0) for change in changes) > 10
    assert sum(np.any(change < 0) for change in changes) > 10
    anew = [
        case
        for case in RECORDED
        if case["options"]["reset_start"] < 9 and case["lr"].count(case["start"]) > 20
    ]
    assert anew


def test_it_has_its_short_name():
    assert type(callbacks.get("greedy", monitor="loss")) is callbacks.GreedyLR
