"""Networks on tokens: attention, and the three places of the norm."""

import keras
import numpy as np
import pytest
import torch
from keras import layers

import recipes
from recipes.blocks import BlockConfig
from recipes.classifiers import tokens
from recipes.transfer.state import to_numpy

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_that_of_pytorch(heads):
    x = np.random.default_rng(1).normal(size=(2, 5, 24)).astype("float32")
    parts = torch.from_numpy(x).reshape(2, 5, 3, heads, 8 // heads).permute(2, 0, 3, 1, 4)
    expected = torch.nn.functional.scaled_dot_product_attention(*parts)
    expected = expected.transpose(1, 2).reshape(2, 5, 8).numpy()
    np.testing.assert_allclose(to_numpy(tokens.SelfAttention(heads)(x)), expected, atol=1e-6)


def normalized(x):
    return torch.nn.functional.layer_norm(torch.from_numpy(x), (8,), eps=1e-6).numpy()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("before", X + 2 * normalized(X)),
        ("after", normalized(X + 2 * X)),
        ("both", X + normalized(2 * normalized(X))),
    ],
)
def test_the_norm_is_where_it_was_asked_for(place, expected):
    config = BlockConfig(
        normalization="layer",
        norm_position=place,
        positions=tokens.PLACES,
        norm_options=tokens.OF_TORCH,
    )
    inputs = keras.Input((5, 8))
    outputs = tokens.added(inputs, layers.Rescaling(2.0), config, rate=0.0, name="norm1")
    np.testing.assert_allclose(to_numpy(keras.Model(inputs, outputs)(X)), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "mlp_mixer"])
@pytest.mark.parametrize(("place", "norms"), [("before", 5), ("after", 4), ("both", 9)])
def test_so_many_norms_are_in_two_blocks_and_behind_them(name, place, norms):
    build = getattr(recipes, name)
    model = build(
        (16, 16, 3), 3, patch_size=8, width=8, depth=2, norm_position=place, **HEADS[name]
    )
    assert sum(isinstance(one, layers.LayerNormalization) for one in model.layers) == norms


HEADS = {"vit": {"heads": 2}, "mlp_mixer": {}}


def test_the_class_token_comes_first_and_alone_is_read():
    token = tokens.ClassToken(seed=0)
    y = to_numpy(token(X))
    np.testing.assert_array_equal(y[:, 1:], X)
    np.testing.assert_array_equal(y[:, 0], np.repeat(to_numpy(token.token)[0], 2, axis=0))
    model = recipes.vit((16, 16, 3), 3, patch_size=8, width=8, depth=1, heads=2)
    last = model.get_layer("norm").output
    pooled = keras.Model(model.input, [last, model.get_layer("pool").output])
    every, first = pooled(np.ones((1, 16, 16, 3)))
    np.testing.assert_array_equal(to_numpy(every)[:, 0], to_numpy(first))
