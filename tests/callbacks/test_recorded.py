"""Every scheme against the curves that TensorFlow and PyTorch gave."""

import numpy as np
import pytest

import callbacks
from tests.callbacks.cases import EXAMPLES, RECORDED, make
from tests.callbacks.test_anchors import CASES as ANCHORS
from tests.callbacks.test_formulas import FORMULAS

NOISE = ("noisy_linear_cosine_decay.mean", "noisy_linear_cosine_decay.std")
CURVES = [name for name, case in RECORDED.items() if case["scheme"] not in NOISE]
NOISY = sorted({name.rsplit("_", 1)[0] for name in RECORDED if RECORDED[name]["scheme"] in NOISE})
OVER_THE_END = "torch_OneCycleLR_one_step_over"


def assert_same(ours, reference):
    """To 1e-12 relative; next to a zero of the curve, to 1e-15 of its height."""
    height = np.abs(reference).max()
    np.testing.assert_allclose(ours, reference, rtol=1e-12, atol=1e-15 * height)


def test_every_scheme_but_our_own_has_a_recorded_curve():
    recorded = {
        case["scheme"].removesuffix(".mean").removesuffix(".std") for case in RECORDED.values()
    }
    elsewhere = {"Warmup", *FORMULAS} | {case["scheme"] for case in ANCHORS}
    missing = {cls for name, cls in callbacks.SCHEMES.items() if not {name, cls} & recorded}
    assert missing - elsewhere == {"GreedyLR", "NoisyLR", "SWALR"}  # each has a file of its own
    assert set(EXAMPLES) == set(callbacks.SCHEMES.values())


@pytest.mark.parametrize("name", CURVES)
def test_the_curve_is_the_references(name):
    case = RECORDED[name]
    scheme, rates = make(case["scheme"], case["params"]), case["lr"]
    if name == OVER_THE_END:
        rates = rates[:-1]
        with pytest.raises(ValueError, match="step 60 is beyond it"):
            scheme.value(60)
    if "metrics" in case["params"]:
        ours = scheme.replay(case["params"]["metrics"])["learning_rate"]
    else:
        ours = [scheme.value(step) for step in range(len(rates))]
    assert_same(ours, rates)
    if scheme.drives_momentum:
        momentum = case["momentum"][: len(rates)]
        assert_same([scheme.momentum(step) for step in range(len(rates))], momentum)
    else:
        assert scheme.momentum(0) is None
        assert "momentum" not in case


@pytest.mark.parametrize("name", NOISY)
def test_the_noise_has_the_references_mean_and_deviation(name):
    mean, deviation = (np.array(RECORDED[f"{name}_{part}"]["lr"]) for part in ("mean", "std"))
    params = RECORDED[f"{name}_mean"]["params"]
    quiet = callbacks.NoisyLinearCosineDecay(**{**params, "initial_variance": 0.0})
    steps = range(len(mean))
    assert_same([quiet.value(step) for step in steps], mean)
    plain = {k: v for k, v in params.items() if k not in ("initial_variance", "variance_decay")}
    linear = callbacks.LinearCosineDecay(**plain)
    assert [linear.value(step) for step in steps] == [quiet.value(step) for step in steps]
    seeds = 400
    draws = np.array(
        [
            [callbacks.NoisyLinearCosineDecay(**params, seed=seed).value(step) for step in steps]
            for seed in range(seeds)
        ]
    )
    noisy = deviation > 1e-9
    z = (draws.mean(axis=0) - mean)[noisy] / deviation[noisy] * np.sqrt(seeds)
    assert np.abs(z).max() < 5
    ratio = draws.std(axis=0)[noisy] / deviation[noisy]
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(2 * seeds)
    assert_same(draws[:, ~noisy], np.tile(mean[~noisy], (seeds, 1)))


def test_the_noise_follows_its_seed():
    one, same, other = (
        callbacks.NoisyLinearCosineDecay(0.1, 50, seed=seed).to_frame(60)["learning_rate"].tolist()
        for seed in (0, 0, 1)
    )
    assert one == same
    assert one[:49] != other[:49]
