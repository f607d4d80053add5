import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import integrate, stats

from recipes import backbones
from recipes.choosing.similarity import decide, gaussian_divergence, measure_divergence
from recipes.strategies import STRATEGIES
from recipes.tasks import Multiclass

TASK = Multiclass(("a", "b"))
spread = st.floats(0.1, 5)
centre = st.floats(-3, 3)


@settings(deadline=None)
@given(centre, spread, centre, spread)
def test_divergence_is_the_integral_that_defines_it(m, s, n, t):
    p, q = stats.norm(m, s), stats.norm(n, t)
    low, high = m - 12 * s, m + 12 * s
    expected, _ = integrate.quad(
        lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), low, high, limit=200
    )
    ours = gaussian_divergence(np.array([m]), np.array([s**2]), np.array([n]), np.array([t**2]))
    assert ours[0] == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_pictures_whose_statistics_a_network_carries_are_at_distance_zero():
    backbone = backbones.get("efficientnet_lite0", weights=None, image_size=32)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype="uint8")
    x = pixels
    for norm in backbone.batch_norms:  # give each norm, in order, the statistics of what it sees
        value = keras.Model(backbone.model.input, norm.input).predict_on_batch(x)
        norm.moving_mean.assign(value.mean(axis=(0, 1, 2)))
        norm.moving_variance.assign(value.var(axis=(0, 1, 2)))
        if norm.name == "block1_project_bn":
            break
    table = measure_divergence(backbone, pixels, sample=64, verbose=False).set_index("layer")
    known = table.loc[:"block1_project_bn", "divergence"]
    assert len(known) == 6
    assert known.max() < 1e-3
    shifted = measure_divergence(backbone, pixels // 4, sample=64, verbose=False).set_index("layer")
    assert shifted.loc["stem_bn", "divergence"] > 0.1


def table_of(value):
    return pd.DataFrame({"layer": ["a", "b", "c"], "divergence": [value] * 3})


def probe_of(linear):
    return pd.DataFrame(
        {
            "stage": ["early", "late"],
            "neighbour_accuracy": [0.4, 0.3],
            "linear_accuracy": [np.nan, linear],
            "h_score": [1.0, 2.0],
        }
    )


@pytest.mark.parametrize(
    ("per_class", "divergence", "linear", "expected"),
    [
        (10, 0.05, 0.8, "large_similar"),
        (10, 0.5, 0.8, "large_similar"),
        (2000, 0.05, 0.8, "large_similar"),
        (2000, 0.5, 0.8, "large_dissimilar"),
        (10, 0.05, 0.99, "small_similar"),
        (10, 0.5, 0.99, "small_similar"),
        (2000, 0.5, 0.99, "small_similar"),
    ],
)
def test_the_rule(per_class, divergence, linear, expected):
    decision = decide(TASK, np.array([0, 1] * per_class), table_of(divergence), probe_of(linear))
    assert decision.strategy == expected
    for text in (f"{divergence:.3f} nats", f"{2 * per_class:,} training", f"{linear:.1%}", "50.0%"):
        assert text in decision.reason
    assert f": {STRATEGIES[expected].description}. It would be " in decision.reason
    assert decision.measurements["divergence"] == pytest.approx(divergence)
    assert decision.measurements["best_stage"] == "early"
    assert decision.runner_up is None


def test_the_reason_says_what_would_change_the_choice():
    few = decide(TASK, np.array([0, 1] * 10), table_of(0.05), probe_of(0.9)).reason
    assert few.endswith("It would be small_similar by 7 points more right.")
    solved = decide(TASK, np.array([0, 1] * 10), table_of(0.05), probe_of(0.99)).reason
    assert solved.endswith("It would be large_similar by 2 points less right.")
    many = decide(TASK, np.array([0, 1] * 2000), table_of(0.26)).reason
    assert many.endswith(
        "It would be large_similar by 0.5 times as many pictures a class, large_similar by a "
        "divergence 0.5 times as large."
    )


@pytest.mark.parametrize(
    ("per_class", "divergence", "linear", "pair"),
    [
        (10, 0.13, 0.964, ("large_similar", "small_similar")),
        (10, 0.13, 0.976, ("small_similar", "large_similar")),
        (800, 0.3, 0.5, ("large_similar", "large_dissimilar")),
        (1200, 0.3, 0.5, ("large_dissimilar", "large_similar")),
        (2000, 0.11, 0.5, ("large_similar", "large_dissimilar")),
        (2000, 0.15, 0.5, ("large_dissimilar", "large_similar")),
        (10, 0.13, 0.95, ("large_similar", None)),
        (2000, 0.2, 0.99, ("small_similar", None)),
        (700, 0.3, 0.5, ("large_similar", None)),
    ],
)
def test_a_thin_margin_names_the_other(per_class, divergence, linear, pair):
    decision = decide(TASK, np.array([0, 1] * per_class), table_of(divergence), probe_of(linear))
    assert (decision.strategy, decision.runner_up) == pair


def test_the_thresholds_can_be_chosen():
    labels = np.array([0, 1] * 50)
    few = {"large_from": 50, "dissimilar_from": 0.05}
    assert decide(TASK, labels, table_of(0.05), **few).strategy == "large_dissimilar"
    for name in few:
        options = {**few, name: 51}
        assert decide(TASK, labels, table_of(0.05), **options).strategy == "large_similar"


def test_a_backbone_without_batch_norm_is_said_to_have_none():
    backbone = backbones.get("VGG16", weights=None, image_size=32)
    table = measure_divergence(backbone, np.zeros((2, 32, 32, 3), "uint8"), verbose=False)
    decision = decide(TASK, np.array([0, 1]), table)
    assert decision.strategy == "large_similar"
    assert "no batch normalization" in decision.reason
    assert decision.measurements["divergence"] is None
