"""AlexNet: where its local response normalization is, and what it computes."""

import keras
import numpy as np
import pytest
import torch

from recipes.ingredients.normalization import LocalResponseNormalization
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers.cases import RECIPES


def following(model, kind):
    """The convolution and the activation before each norm of a kind."""
    names = [layer.name for layer in model.layers if layer.name.startswith("features")]
    found = []
    for layer in model.layers:
        if isinstance(layer, kind):
            before = layer.input._keras_history.operation
            found.append((before.input._keras_history.operation.name, type(before).__name__))
    return names, found


def test_local_response_normalization_is_behind_the_first_two_activations():
    names, found = following(RECIPES["alexnet"](), LocalResponseNormalization)
    assert found == [(name, "ReLU") for name in names[:2]]


def test_any_other_norm_is_behind_all():
    model = RECIPES["alexnet"](normalization="batch")
    assert len(following(model, keras.layers.BatchNormalization)[1]) == 5


FORMS = [("lrn", {"size": 3}), ("LocalResponseNorm", {"size": 3}), LocalResponseNormalization(3)]


@pytest.mark.parametrize("given", FORMS)
def test_local_response_normalization_in_any_form_is_behind_the_first_two(given):
    model = RECIPES["alexnet"](normalization=given)
    found = [layer for layer in model.layers if isinstance(layer, LocalResponseNormalization)]
    assert [layer.size for layer in found] == [3, 3]
    if isinstance(given, tuple):  # the rest is the paper's
        assert {(layer.k, layer.alpha, layer.beta) for layer in found} == {(2.0, 5e-4, 0.75)}


def test_its_normalization_is_the_papers():
    """Section 3.3: k 2, n 5, alpha 1e-4 of the sum, beta 0.75; PyTorch takes the mean."""
    model = RECIPES["alexnet"]()
    norm = next(one for one in model.layers if isinstance(one, LocalResponseNormalization))
    x = 10 * np.random.default_rng(0).normal(size=(2, 3, 3, 8)).astype("float32")
    theirs = torch.nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    expected = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(to_numpy(norm(x)), expected, rtol=1e-5)


@pytest.mark.parametrize(("groups", "channels"), [(2, 4), (1, 8)])
def test_the_divided_convolutions_see_half_the_maps(groups, channels):
    model = RECIPES["alexnet"](groups=groups)
    kernels = [layer.kernel.shape[2] for layer in model.layers if layer.name.startswith("features")]
    assert kernels == [3, channels, 8, channels, channels]
