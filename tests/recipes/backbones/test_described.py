"""A backbone of one's own as values for a file: what comes back."""

import keras
import numpy as np
import pytest
from keras import layers

from recipes import backbones, dtypes
from recipes.backbones import described
from tests.recipes.backbones.described_cases import MODELS, PIXELS, Stranger, nested, run, written


@pytest.mark.parametrize("name", MODELS)
def test_what_comes_back_is_the_same_backbone(name):
    before = backbones.get(MODELS[name](), scale=1 / 255)
    again = described.from_dict(written(before))
    again.model.set_weights(before.model.get_weights())
    pixels = np.resize(PIXELS, (2, *before.input_shape))
    np.testing.assert_array_equal(run(again.model, pixels), run(before.model, pixels))
    assert again.stages == before.stages
    for field in ("name", "preprocessing", "weights", "licence", "source", "pooling", "prefix"):
        assert getattr(again, field) == getattr(before, field)
    drawn = [one.copy(pretrained=False, seed=5).model.get_weights() for one in (before, again)]
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one, other)


def test_whatever_it_was_trained_in_comes_back_in_float32():
    with dtypes.scope("mixed_bfloat16"):
        before = backbones.get(nested())
    again = described.from_dict(written(before))
    assert {layer.compute_dtype for layer in again.model.layers} == {"float32"}


@pytest.mark.parametrize(
    "layer",
    [Stranger, lambda: layers.Lambda(lambda x: x), lambda: layers.Dense(3, activation=lambda x: x)],
)
def test_layers_that_no_file_may_name_are_not_written(layer):
    pictures = keras.Input((32, 32, 3))
    model = keras.Model(pictures, layer()(layers.Conv2D(3, 1)(pictures)))
    backbone = backbones.Backbone("mine", model, (), "", "", "", "")
    with pytest.raises(ValueError, match=r"not among the layers|Dense: .* beyond") as caught:
        described.to_dict(backbone)
    assert "\n" not in str(caught.value)
