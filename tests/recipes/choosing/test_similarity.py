import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import integrate, stats

from recipes import backbones
from recipes.choosing.similarity import divergences, gaussian_divergence, moments_of
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


def measured(backbone, pixels):
    model = keras.Model(backbone.model.input, moments_of(backbone))
    moments = [values.mean(axis=0) for values in model.predict(pixels, verbose=0)]
    return divergences(backbone, moments).set_index("layer")


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
    table = measured(backbone, pixels)
    known = table.loc[:"block1_project_bn", "divergence"]
    assert len(known) == 6
    assert known.max() < 1e-3
    shifted = measured(backbone, pixels // 4)
    assert shifted.loc["stem_bn", "divergence"] > 0.1
