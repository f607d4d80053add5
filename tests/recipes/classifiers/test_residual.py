"""What residual networks share: scales that begin with 0, stochastic depth, squeezing."""

import keras
import numpy as np
import pytest
import torch
from keras import layers

import recipes
from recipes.blocks import BlockConfig
from recipes.classifiers import residual
from recipes.ingredients.drop_layers import DropPath
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers.cases import RECIPES

WITH_PATHS = ("resnet", "mobilenet", "efficientnet", "convnext", "vit", "mlp_mixer")


def test_gamma_is_0_in_the_last_norm_of_each_block_alone():
    model = recipes.resnet((16, 16, 3), 3, depth=(2, 1), width=8, zero_init_last=True)
    zero = {
        layer.name
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization) and not to_numpy(layer.gamma).any()
    }
    assert zero == {"layer1_0_bn2", "layer1_1_bn2", "layer2_0_bn2"}


@pytest.mark.parametrize("name", WITH_PATHS)
def test_a_model_with_paths_to_drop_reads_back(name, tmp_path):
    model = RECIPES[name](drop_path=0.5, seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
    np.testing.assert_allclose(to_numpy(loaded(x)), to_numpy(model(x)), atol=1e-6)
    assert np.isfinite(to_numpy(loaded(x, training=True))).all()


@pytest.mark.parametrize("name", WITH_PATHS)
def test_the_rate_rises_from_block_to_block(name):
    more = {"depth": 3} if name in ("vit", "mlp_mixer") else {}
    shape = (16, 16, 3)
    build = {
        "resnet": lambda **o: recipes.resnet(shape, 3, depth=(2, 1), width=8, **o),
        "mobilenet": lambda **o: recipes.mobilenet(shape, 3, stages=((1, 32, 3, 1),), **o),
        "efficientnet": lambda **o: recipes.efficientnet(shape, 3, stages=((1, 3, 1, 32, 3),), **o),
        "convnext": lambda **o: recipes.convnext(shape, 3, widths=(8,), depths=(3,), **o),
        "vit": lambda **o: recipes.vit(shape, 3, patch_size=8, width=8, heads=2, **o, **more),
        "mlp_mixer": lambda **o: recipes.mlp_mixer(shape, 3, patch_size=8, width=8, **o, **more),
    }[name]
    model = build(drop_path=0.2)
    rates = [layer.rate for layer in model.layers if isinstance(layer, DropPath)]
    expected = torch.linspace(0, 0.2, 3).tolist()[1:]  # timm's rule; at 0 nothing is dropped
    assert sorted(set(rates)) == pytest.approx(expected)
    assert not any(isinstance(layer, DropPath) for layer in build().layers)


def test_squeezing_weighs_channels_by_their_means():
    inputs = keras.Input((4, 4, 6))
    y = residual.squeeze_and_excite(inputs, 2, BlockConfig(), name="se")
    model = keras.Model(inputs, y)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 6)).astype("float32")
    first, second = (
        torch.nn.Linear(6, 2, dtype=torch.float32),
        torch.nn.Linear(2, 6, dtype=torch.float32),
    )
    arrays = {
        f"{name}.{key}": tensor.numpy()
        for name, part in (("fc1", first), ("fc2", second))
        for key, tensor in part.state_dict().items()
    }
    for name in ("fc1", "fc2"):
        kernel = arrays[f"{name}.weight"].T[None, None]
        model.get_layer(f"se_{name}").set_weights([kernel, arrays[f"{name}.bias"]])
    with torch.no_grad():
        means = torch.from_numpy(x).mean((1, 2))
        weights = torch.sigmoid(second(torch.relu(first(means)))).numpy()
    np.testing.assert_allclose(to_numpy(model(x)), x * weights[:, None, None], atol=1e-6)
