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
# They find a restart by a logarithm, and miss some by a rounding; ours are counted.
LOGARITHMS = {"timm.CosineLRScheduler", "timm.TanhLRScheduler", "timm.PolyLRScheduler"}
LOGARITHMS |= {"fairseq.cosine"}


def restarts_of(params, steps):
    """The steps at which a cycle begins, added up."""
    length = params.get("t_initial") or params.get("lr_period_updates")
    length = length or params["max_update"] - params["warmup_updates"]
    factor = params.get("cycle_mul") or params.get("t_mult")
    prefix = params.get("warmup_prefix", True)
    start = params.get("warmup_t", params.get("warmup_updates", 0)) if prefix else 0
    found = set()
    while start < steps:
        found.add(start)
        start, length = start + length, length * factor
    return found


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_curve_is_the_references(reference):
    cases = [case for case in CASES if case["reference"] == reference]
    assert len(cases) >= 10
    for case in cases:
        scheme, rates = callbacks.get(case["scheme"], **case["params"]), np.array(case["lr"])
        ours = np.array([scheme.value(step) for step in range(len(rates))])
        near = np.isclose(ours, rates, rtol=1e-12, atol=1e-13 * np.abs(rates).max())
        missed = {int(step) for step in np.flatnonzero(~near)}
        if reference in LOGARITHMS:
            missed -= restarts_of(case["params"], len(rates))
        assert not missed, (case["params"], sorted(missed)[:5])
