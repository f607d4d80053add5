"""Every scheme of timm, Transformers, optax, mmengine, Paddle, fairseq and MXNet against it.

The rates were recorded by `record_schemes.py`, in float64, with parameters drawn at random.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import callbacks

FILE = Path(__file__).parents[1] / "reference" / "schemes.json"
CASES = json.loads(FILE.read_text())["cases"]
REFERENCES = sorted({case["reference"] for case in CASES})


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_curve_is_the_references(reference):
    cases = [case for case in CASES if case["reference"] == reference]
    assert len(cases) >= 10
    for case in cases:
        scheme, rates = callbacks.get(case["scheme"], **case["params"]), np.array(case["lr"])
        ours = np.array([scheme.value(step) for step in range(len(rates))])
        # Where a curve comes near 0, what is left of larger numbers is compared to its height.
        np.testing.assert_allclose(
            ours, rates, rtol=1e-12, atol=1e-13 * np.abs(rates).max(), err_msg=case["params"]
        )


def test_a_restart_is_found_where_a_logarithm_misses_it():
    """`floor(log(243, 3))`, by which timm and fairseq find the sixth cycle, is 4."""
    theirs = callbacks.CosineLRScheduler(5, cycle_mul=3.0, cycle_limit=9, learning_rate=1.0)
    fairseqs = callbacks.CosineLRSchedule(
        lr_period_updates=5, t_mult=3.0, lr_shrink=1.0, learning_rate=1.0
    )
    for scheme in (theirs, fairseqs):
        assert scheme.value(604) < 1e-4
        assert scheme.value(605) == 1.0
