"""PyTorch's weights in Keras' layers give PyTorch's answers; what does not fit is told."""

import keras
import numpy as np
import pytest
import torch
from keras import layers

import recipes


def of_torch():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3),
        torch.nn.BatchNorm2d(6),
        torch.nn.Conv2d(6, 6, 3, groups=6),
        torch.nn.ConvTranspose2d(6, 4, 2, stride=2),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 8 * 8, 5),
        torch.nn.LayerNorm(5),
    )
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 0.5)
    return network.eval()


NAMES = {"conv": "0", "norm": "1", "depthwise": "2", "up": "3", "dense": "5", "last": "6"}


def of_keras():
    pictures = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, name="conv")(pictures)
    x = layers.BatchNormalization(epsilon=1e-5, name="norm")(x)
    inner = keras.Input(x.shape[1:])
    x = keras.Model(inner, layers.DepthwiseConv2D(3, name="depthwise")(inner))(x)
    x = layers.Conv2DTranspose(4, 2, 2, name="up")(x)
    x = layers.Permute((3, 1, 2))(x)  # PyTorch flattens channels first
    x = layers.Dense(5, name="dense")(layers.Flatten()(x))
    return keras.Model(pictures, layers.LayerNormalization(epsilon=1e-5, name="last")(x))


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("torch") / "state.pt"
    torch.save(of_torch().state_dict(), path)
    return recipes.load_torch_checkpoint(path)


def test_the_answers_are_those_of_pytorch(arrays):
    model = of_keras()
    table = recipes.assign_torch_weights(model, arrays, NAMES)
    pictures = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    with torch.no_grad():
        expected = of_torch()(torch.from_numpy(pictures.transpose(0, 3, 1, 2))).numpy()
    found = keras.ops.convert_to_numpy(model(pictures))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    unused = table[table["status"] == "array not used"]
    assert unused["array"].tolist() == ["1.num_batches_tracked"]
    assert (table["status"] == "assigned").sum() == len(model.weights)


def test_what_does_not_fit_is_told_and_nothing_is_assigned(arrays):
    model = of_keras()
    before = model.get_weights()
    spoiled = {**arrays, "0.weight": arrays["0.weight"][:5]}
    del spoiled["5.bias"]
    with pytest.raises(ValueError, match=r"2 variables do not fit: 0\.weight has the shape .*5\."):
        recipes.assign_torch_weights(model, spoiled, NAMES)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    table = recipes.assign_torch_weights(model, spoiled, NAMES, strict=False)
    told = table.set_index("array")
    assert told.loc["5.bias", "status"] == "no such array"
    assert told.loc["0.weight", "status"] == "another shape"
    assert told.loc["0.weight", "array_shape"] == (3, 3, 3, 5)
    assert told.loc["0.weight", "shape"] == (3, 3, 3, 6)
    np.testing.assert_array_equal(model.get_layer("conv").bias, arrays["0.bias"])


def test_layers_that_are_not_named_stay(arrays):
    model = of_keras()
    table = recipes.assign_torch_weights(model, arrays, {"conv": "0"})
    assert (table["status"] == "layer not named").sum() == len(model.weights) - 2
    with pytest.raises(ValueError, match="no layer with weights named convolution"):
        recipes.assign_torch_weights(model, arrays, {"convolution": "0"})
