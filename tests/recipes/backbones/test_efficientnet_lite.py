import json
from pathlib import Path

import keras
import numpy as np
import pytest

from recipes import backbones
from recipes.backbones import efficientnet_lite
from recipes.backbones.checkpoint import load_torch_checkpoint

RECORDED = Path(__file__).parents[2] / "reference" / "efficientnet_lite0_logits.json"


def pictures(count=4, side=224):
    """Smooth waves and noise, the same on every machine."""
    y, x = np.mgrid[0:side, 0:side] / side
    waves = [
        127 + 127 * np.sin(2 * np.pi * (k + 1) * (x * np.cos(k + c) + y * np.sin(k + c)))
        for k in range(count)
        for c in range(3)
    ]
    return np.stack(waves).reshape(count, 3, side, side).transpose(0, 2, 3, 1).astype("float32")


# Blocks of each stage; all stages halve the maps at their first block but the first, fifth, last.
REPEATS = {
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}


def torch_logits(path, images, name="efficientnet_lite0"):
    """The network written with PyTorch's own functions, from the same file."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    state = torch.load(path, weights_only=True)

    def same(x, kernel, stride):
        pads = []
        for side in (x.shape[3], x.shape[2]):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return functional.pad(x, pads)

    def convolution(x, conv, norm, stride=1, groups=1, activate=True):
        weight = state[f"{conv}.weight"]
        x = functional.conv2d(
            same(x, weight.shape[-1], stride), weight, stride=stride, groups=groups
        )
        parts = (state[f"{norm}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        x = functional.batch_norm(x, *parts, eps=1e-3)
        return functional.relu6(x) if activate else x

    x = (torch.from_numpy(images).permute(0, 3, 1, 2) - 127) / 128
    x = convolution(x, "_conv_stem", "_bn0", stride=2)
    strides = [
        stride if repeat == 0 else 1
        for repeats, stride in zip(REPEATS[name], (1, 2, 2, 2, 1, 2, 1), strict=True)
        for repeat in range(repeats)
    ]
    for index, stride in enumerate(strides):
        name, entry = f"_blocks.{index}", x
        if f"{name}._expand_conv.weight" in state:
            x = convolution(x, f"{name}._expand_conv", f"{name}._bn0")
        x = convolution(x, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups=x.shape[1])
        x = convolution(x, f"{name}._project_conv", f"{name}._bn2", activate=False)
        if entry.shape == x.shape:
            x = x + entry
    x = convolution(x, "_conv_head", "_bn1").mean(dim=(2, 3))
    with torch.no_grad():
        return functional.linear(x, state["_fc.weight"], state["_fc.bias"]).numpy()


def logits_of(name):
    model, classes = backbones.imagenet_classifier(name)
    assert len(classes) == len(set(classes)) == 1000
    dense = model.get_layer("predictions")
    dense.activation = keras.activations.linear
    outputs = dense(model.get_layer("pool").output)
    images = pictures(side=model.input_shape[1])
    return keras.Model(model.input, outputs).predict_on_batch(images), images


@pytest.fixture(scope="module")
def logits():
    return logits_of("efficientnet_lite0")[0]


@pytest.mark.parametrize("name", REPEATS)
def test_logits_are_those_of_torch(name):
    try:
        path = efficientnet_lite._file(name)
    except ValueError as error:
        pytest.skip(str(error))
    found, images = logits_of(name)
    np.testing.assert_allclose(found, torch_logits(path, images, name), atol=1e-3)


def test_logits_are_those_recorded_from_torch(logits):
    recorded = json.loads(RECORDED.read_text())
    np.testing.assert_allclose(logits[:, ::10], recorded["logits"], atol=1e-3)
    assert logits.argmax(axis=1).tolist() == recorded["best"]


def test_number_of_values_is_the_published_one():
    model, _ = backbones.imagenet_classifier("efficientnet_lite0")
    values = sum(int(np.prod(variable.shape)) for variable in model.weights)
    assert values == 4_694_024


def test_every_array_of_the_file_is_read_as_torch_reads_it():
    torch = pytest.importorskip("torch")
    path = efficientnet_lite._file("efficientnet_lite0")
    expected = torch.load(path, weights_only=True)
    arrays = load_torch_checkpoint(path)
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name].numpy())


def test_stages_compose_at_every_boundary():
    backbone = backbones.get("efficientnet_lite0", image_size=64)
    x = pictures(2, 64)
    whole = backbone.model.predict_on_batch(x)
    for index in range(1, len(backbone.stages)):
        boundary = backbone.boundary(index)
        first = keras.Model(backbone.model.input, boundary)
        second = keras.Model(boundary, backbone.model.output)
        halves = second.predict_on_batch(first.predict_on_batch(x))
        np.testing.assert_allclose(halves, whole, atol=1e-4, rtol=1e-4)
    layers = [name for stage in backbone.stages for name in stage.layers]
    assert layers == [layer.name for layer in backbone.model.layers][1:]


def test_initial_weights_follow_the_seed():
    one, same, other = (
        backbones.get("efficientnet_lite0", weights=None, image_size=32, seed=seed).model
        for seed in (0, 0, 1)
    )
    kernel = "block3_expand_conv"
    first = one.get_layer(kernel).kernel.numpy()
    np.testing.assert_array_equal(first, same.get_layer(kernel).kernel.numpy())
    assert np.abs(first - other.get_layer(kernel).kernel.numpy()).max() > 0.01


def test_weights_of_another_architecture_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "other.pt"
    torch.save({"_conv_stem.weight": torch.zeros(8, 3, 3, 3)}, path)
    with pytest.raises(ValueError, match=r"weights: .* of another architecture\. .*\(3, 3, 3, 8\)"):
        backbones.get("efficientnet_lite0", weights=path)
    torch.save({"a": torch.zeros(8)}, path)
    with pytest.raises(ValueError, match=r"another architecture.*_conv_stem\.weight is not there"):
        backbones.get("efficientnet_lite0", weights=path)
