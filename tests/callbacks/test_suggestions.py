"""Suggestions of the range test: fastai's, as fastai makes them; and ours, which may be none."""

import json
from pathlib import Path

import numpy as np
import pytest

from callbacks.suggestions import OF_FASTAI, descent, of_fastai, smoothed

RECORDED = json.loads((Path(__file__).parents[1] / "reference" / "suggestions.json").read_text())
RATES = np.geomspace(1e-6, 1.0, 100)


@pytest.mark.parametrize("name", OF_FASTAI)
@pytest.mark.parametrize("case", RECORDED, ids=range(len(RECORDED)))
def test_fastais_suggestions(name, case):
    rates, losses = np.array(case["rates"]), np.array(case["losses"])
    assert OF_FASTAI[name](rates, losses) == pytest.approx(case["found"][name], rel=1e-5)


def test_the_suggestions_differ():
    for case in RECORDED:
        assert len(set(case["found"].values())) >= 3


def test_fastai_is_given_what_its_finder_gives():
    torch = pytest.importorskip("torch")
    losses = np.array(RECORDED[0]["losses"])
    value, means = torch.tensor(0.0, dtype=torch.float64), []
    for count, loss in enumerate(losses, start=1):  # fastai's AvgSmoothLoss
        value = torch.lerp(torch.tensor(loss), value, 0.98)
        means.append(float(value / (1 - 0.98**count)))
    np.testing.assert_allclose(smoothed(losses, 0.98), means, rtol=1e-9)
    rates = np.array(RECORDED[0]["rates"])
    kept = slice(len(losses) // 10, -5)
    expected = OF_FASTAI["steep"](rates[kept], np.array(means)[kept])
    assert of_fastai("steep", rates, losses) == expected


def curve(noise, place=0.6, seed=0):
    """A loss that falls around a place of the range, and explodes at its end."""
    x = np.linspace(0, 1, len(RATES))
    losses = 2.3 - 1.5 / (1 + np.exp(-(x - place) / 0.05)) + np.exp((x - 0.97) / 0.01)
    return losses + np.random.default_rng(seed).normal(size=len(RATES)) * noise


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05, 0.1])
@pytest.mark.parametrize("place", [0.4, 0.6, 0.8])
def test_a_descent_is_found_through_noise(noise, place):
    for seed in range(10):
        found = descent(RATES, curve(noise, place, seed), 0.9)
        assert abs(np.interp(np.log(found), np.log(RATES), np.linspace(0, 1, 100)) - place) < 0.1


@pytest.mark.parametrize("noise", [0.01, 0.1, 1.0])
def test_noise_alone_gives_no_signal(noise):
    refused = 0
    for seed in range(40):
        losses = 2.3 + np.random.default_rng(seed).normal(size=100) * noise
        losses[-5:] += 10.0 * noise * np.arange(1, 6)
        try:
            descent(RATES, losses, 0.9)
        except ValueError:
            refused += 1
    assert refused >= 38


def test_too_few_steps_are_refused():
    for name in OF_FASTAI:
        with pytest.raises(ValueError, match="too few steps"):
            of_fastai(name, RATES[:20], np.linspace(2, 1, 20))
    with pytest.raises(ValueError, match="fewer than 20 steps"):
        descent(RATES[:19], np.linspace(2, 1, 19), 0.9)
