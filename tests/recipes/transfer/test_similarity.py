import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from recipes import backbones
from recipes.transfer.similarity import decide, gaussian_divergence, measure_divergence

spread = st.floats(0.1, 5)
centre = st.floats(-3, 3)


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


@pytest.mark.parametrize("per_class", [10, 1000])
@pytest.mark.parametrize("divergence", [0.05, 0.5])
def test_the_four_corners(per_class, divergence):
    decision = decide([0, 1] * per_class, 2, table_of(divergence))
    size = "large" if per_class == 1000 else "small"
    assert decision.strategy == f"{size}_{'dissimilar' if divergence == 0.5 else 'similar'}"
    assert f"{divergence:.3f} nats" in decision.reason
    assert f"{2 * per_class:,} training pictures" in decision.reason
    assert decision.measurements["divergence"] == pytest.approx(divergence)


def test_the_thresholds_can_be_chosen():
    labels = [0, 1] * 50
    assert decide(labels, 2, table_of(0.1), large_from=50).strategy == "large_similar"
    assert decide(labels, 2, table_of(0.1), dissimilar_from=0.1).strategy == "small_dissimilar"


def test_a_backbone_without_batch_norm_is_said_to_have_none():
    backbone = backbones.get("VGG16", weights=None, image_size=32)
    table = measure_divergence(backbone, np.zeros((2, 32, 32, 3), "uint8"), verbose=False)
    decision = decide([0, 1], 2, table)
    assert decision.strategy == "small_similar"
    assert "no batch normalization" in decision.reason
    assert decision.measurements["divergence"] is None
