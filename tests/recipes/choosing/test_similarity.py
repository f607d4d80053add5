import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from keras import layers
from PIL import Image
from scipy import integrate, stats
from sklearn.datasets import load_sample_images

from recipes import backbones
from recipes.backbones.base import Backbone, Stage
from recipes.choosing.decide import decide
from recipes.choosing.similarity import divergences, gaussian_divergence, moments_of
from recipes.choosing.survey import divergence_of, survey
from recipes.heads import classification_head
from recipes.images.parts import Part
from recipes.tasks import Multiclass
from recipes.transfer.model import TransferModel
from tests.recipes.transfer.tiny import digits_part, training_data

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


def tiny_vit():
    """Patches, two blocks with layer norm, and the mean of the tokens: no batch norm."""
    pictures = keras.Input((64, 64, 3))
    x = layers.Conv2D(8, 16, 16, name="patches")(pictures)
    x = layers.Reshape((16, 8), name="tokens")(x)
    stages = [Stage("patches", "tokens", ("patches", "tokens"))]
    for index in range(2):
        names = [f"{kind}{index}" for kind in ("norm", "attention", "add")]
        y = layers.LayerNormalization(name=names[0])(x)
        y = layers.MultiHeadAttention(2, 4, name=names[1])(y, y)
        x = layers.Add(name=names[2])([x, y])
        stages.append(Stage(f"block{index}", names[2], tuple(names)))
    model = keras.Model(pictures, x)
    base = Backbone("vit", model, tuple(stages), "none", "initial", "", "", pooling="mean")
    outputs = classification_head(x, 3, "multiclass", pooling="mean", seed=1)
    return TransferModel(keras.Model(pictures, outputs), base)


def photos(count):
    """Pieces of the two photos that come with scikit-learn, 64 pixels wide."""
    pieces = []
    for photo in load_sample_images().images:
        small = np.asarray(Image.fromarray(photo).resize((320, 192)))
        pieces += [small[y : y + 64, x : x + 64] for y in (0, 64, 128) for x in range(0, 320, 64)]
    return np.stack(pieces[:count])


def test_a_network_without_batch_norm_is_lent_another_to_measure_with(tmp_path):
    transfer, drawings = tiny_vit(), digits_part("train", 0, 10, side=64)
    pictures = Part(photos(30), drawings.labels, "photos")
    decisions = {}
    for name, part in (("photos", pictures), ("drawings", drawings)):
        data = training_data({"train": part}, tmp_path / name)
        looked = survey(transfer, data)
        assert looked.yardstick == "efficientnet_lite0"
        assert looked.divergence["divergence"].mean() == pytest.approx(
            divergence_of(transfer, data), rel=1e-4
        )
        decisions[name] = decide(data.task, part.labels, looked)
    near, far = (decisions[name].measurements for name in ("photos", "drawings"))
    assert near["divergence"] < far["divergence"] / 2
    assert far["divergence"] > far["dissimilar_from"]
    assert 0 <= far["linear_accuracy"] <= 1
    assert "unlike ImageNet's photos" in decisions["drawings"].reason
