"""The same answers on TensorFlow, JAX and PyTorch from the same weights."""

import json
import os
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest

import recipes
from recipes import backbones
from recipes.blocks import conv_block, dense_block
from recipes.ingredients import activations, normalization
from recipes.ingredients.config import PLAIN, BlockConfig
from recipes.strategies import FineTuneStrategy, Phase
from tests.recipes.classifiers import cases
from tests.recipes.images import pictures
from tests.recipes.transfer.tiny import build_tiny

OTHERS = [name for name in ("tensorflow", "jax", "torch") if name != keras.backend.backend()]
ACTIVATIONS = {f"dense {name}": {"activation": name} for name in activations.names()}
NORMS = {
    f"convolution {name} {place}": {"normalization": name, "norm_position": place}
    for name in normalization.names()
    if name not in ("none", "weight", "sync_batch")  # the last is TensorFlow's alone
    for place in PLAIN
}
RECIPES = {
    "mlp": partial(recipes.mlp, 12, 3),
    "cnn": partial(recipes.cnn, (16, 16, 3), 3, widths=(8, 8)),
    "resnet": partial(recipes.resnet, (32, 32, 3), 3, depth=(1, 1), width=8),
    "resnet preactivation": partial(
        recipes.resnet, (32, 32, 3), 3, depth=(1, 1), width=8, norm_position="preactivation"
    ),
    "mobilenet": partial(recipes.mobilenet, (32, 32, 3), 3, width=0.25),
    "mobilenet 3": partial(recipes.mobilenet, (32, 32, 3), 3, width=0.25, version=3),
    **{name: cases.RECIPES[name] for name in ("alexnet", "cnn1d", "convnext", "vit")},
}


def branches(shape, block, cases, seed):
    """One model with a branch for each block, of which there are too many for a model each."""
    inputs = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 255)(inputs) if len(shape) == 3 else inputs
    outputs = {
        name: block(x, 8, BlockConfig(**choices, seed=seed)) for name, choices in cases.items()
    }
    return keras.Model(inputs, outputs)


MODELS = {
    "blocks of vectors": partial(branches, (12,), dense_block, ACTIVATIONS),
    "blocks of maps": partial(branches, (16, 16, 3), conv_block, NORMS),
    **RECIPES,
}
NAMES = [*ACTIVATIONS, *NORMS, *RECIPES]
OPTIONS = {"image_size": 32, "epochs": 2, "seed": 3, "augmentation": "strong", "verbose": False}
STRATEGY = FineTuneStrategy(
    "by steps",
    "pretrained",
    (
        Phase("classifier", 1.0, epochs=30, learning_rate=1e-3, min_steps=32),
        Phase("everything", 0.0, epochs=12, learning_rate=1e-3, warmup=0.15, min_steps=16),
    ),
    "the classifier, then everything",
)


def inputs(model):
    rng = np.random.default_rng(0)
    shape = model.input_shape[1:]
    scale = 255 if len(shape) == 3 else 1
    return (rng.random((8, *shape)) * scale).astype("float32")


def answers(name, weights):
    """What a model says, by its name or by those of its branches."""
    model = MODELS[name](seed=0)
    model.set_weights(weights)
    said = model(inputs(model), training=False)
    said = said if isinstance(said, dict) else {name: said}
    return {name: keras.ops.convert_to_numpy(value) for name, value in said.items()}


def lite(pixels):
    """EfficientNet-Lite0's own answers, from its package's weights."""
    model, _ = backbones.imagenet_classifier("efficientnet_lite0")
    return model.predict(pixels, verbose=0)


PIXELS = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype("float32")


def act(folder):
    """What a process of another backend does."""
    folder = os.fspath(folder)
    given = np.load(f"{folder}/weights.npz")
    found = {}
    for name in MODELS:
        keys = sorted(key for key in given if key.startswith(f"{name}|"))
        found |= answers(name, [given[key] for key in keys])
    found["efficientnet_lite0"] = lite(PIXELS)
    tiny = build_tiny().backbone  # quick to compile
    files = [f"{folder}/photos/{name}/000.png" for name in ("cat", "dog")]
    table = recipes.predict(f"{folder}/run", files, backbone=tiny, verbose=False)
    found["probabilities"] = table["probability"].to_numpy("float64")
    run = recipes.fit_folder(
        f"{folder}/photos", output=f"{folder}/{keras.backend.backend()}", strategy=STRATEGY,
        backbone=tiny, **OPTIONS,
    )  # fmt: skip
    np.savez(f"{folder}/{keras.backend.backend()}.npz", **found)
    history = run.history[["phase", "epoch", "learning_rate", "loss", "val_loss"]]
    with open(f"{folder}/{keras.backend.backend()}.json", "w") as file:
        json.dump(history.to_dict("list"), file)


@pytest.fixture(scope="module")
def here(tiny, tmp_path_factory):
    """Weights and answers of this process' backend, and what the others make of them."""
    folder = tmp_path_factory.mktemp("backends")
    photos = pictures.make_classes(folder / "photos", 16)
    weights, expected = {}, {}
    for name, build in MODELS.items():
        model = build(seed=0)
        values = [np.abs(w) + 0.1 if w.ndim == 1 else w for w in model.get_weights()]
        weights |= {f"{name}|{index:04d}": value for index, value in enumerate(values)}
        expected |= answers(name, values)
    np.savez(folder / "weights.npz", **weights)
    expected["efficientnet_lite0"] = lite(PIXELS)
    files = [photos / name / "000.png" for name in ("cat", "dog")]
    options = {"strategy": STRATEGY, "backbone": tiny, **OPTIONS}
    run = recipes.fit_folder(photos, output=folder / "run", **options)
    table = recipes.predict(run.folder, files, backbone=tiny, verbose=False)
    expected["probabilities"] = table["probability"].to_numpy("float64")
    for backend in OTHERS:
        pytest.importorskip(backend)
        subprocess.run(
            [sys.executable, "-m", "tests.recipes.test_backends", folder],
            env={**os.environ, "KERAS_BACKEND": backend}, check=True, capture_output=True,
        )  # fmt: skip
    return folder, expected, run


@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("name", [*NAMES, "efficientnet_lite0", "probabilities"])
def test_the_same_weights_give_the_same_answers(here, name, backend):
    folder, expected, _ = here
    found = np.load(folder / f"{backend}.npz")[name]
    np.testing.assert_allclose(found, expected[name], atol=1e-4)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", OTHERS)
def test_a_folder_is_trained_with_the_same_rates_and_like_losses(here, backend):
    folder, _, run = here
    found = json.loads((folder / f"{backend}.json").read_text())
    own = run.history
    assert found["phase"] == own["phase"].tolist()
    np.testing.assert_allclose(found["learning_rate"], own["learning_rate"], rtol=1e-6)
    # The dropout masks are the backends' own.
    for name in ("loss", "val_loss"):
        assert found[name][-1] == pytest.approx(own[name].iloc[-1], abs=0.35)
    assert found["val_loss"][0] > found["val_loss"][1]  # what is validated is what was trained
    assert recipes.Run.load(folder / backend).info["versions"]["backend"] == backend


if __name__ == "__main__":
    act(*sys.argv[1:])
