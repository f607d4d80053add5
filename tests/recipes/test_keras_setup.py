"""How Keras is set up: refused where pictures come channels first, without influence otherwise."""

from functools import partial

import keras
import numpy as np
import pytest

import recipes
from recipes import backbones, keras_setup
from recipes.keras_setup import describe
from recipes.run import compare_runs
from recipes.strategies import FineTuneStrategy, Phase
from tests.recipes.images import pictures
from tests.recipes.transfer.tiny import build_tiny

OPTIONS = {"image_size": 32, "epochs": 1, "strategy": "head_only", "verbose": False}
SET = {
    "dtype_policy": (keras.config.dtype_policy, keras.config.set_dtype_policy, "mixed_bfloat16"),
    "floatx": (keras.config.floatx, keras.config.set_floatx, "float64"),
    "image_data_format": (
        keras.config.image_data_format,
        keras.config.set_image_data_format,
        "channels_first",
    ),
}
MAPS = (8, 8, 3)
BUILDS = {
    "cnn": partial(recipes.cnn, (32, 32, 3), 3),
    "resnet": partial(recipes.resnet, (32, 32, 3), 3),
    "mobilenet": partial(recipes.mobilenet, (32, 32, 3), 3),
    "mlp of pictures": partial(recipes.mlp, MAPS, 3),
    "EfficientNet-Lite": partial(backbones.get, "efficientnet_lite0", weights=None),
    "an application": partial(backbones.get, "MobileNetV2", weights=None),
    "a classifier of ImageNet": partial(backbones.imagenet_classifier, "efficientnet_lite0"),
    "load_classifier": partial(recipes.load_classifier, "efficientnet_lite0"),
    "head": lambda: recipes.classification_head(keras.KerasTensor((None, *MAPS)), 3),
}


@pytest.fixture
def setting():
    """Sets one thing of Keras, and puts all back afterwards."""
    before = {name: get() for name, (get, _, _) in SET.items()}
    yield lambda name: SET[name][1](SET[name][2])
    for name, value in before.items():
        SET[name][1](value)


@pytest.mark.parametrize("name", BUILDS)
def test_channels_first_is_refused_by_whatever_builds_for_pictures(name, setting):
    setting("image_data_format")
    with pytest.raises(ValueError, match=r"^image_data_format: 'channels_first'.*channels_last"):
        BUILDS[name]()


def test_channels_first_is_refused_before_a_picture_is_read(setting, tmp_path):
    backbone = build_tiny().backbone
    setting("image_data_format")
    for own in ("efficientnet_lite0", backbone):
        with pytest.raises(ValueError, match=r"^image_data_format:"):
            recipes.fit(tmp_path / "nowhere", output=tmp_path / "run", backbone=own)
    with pytest.raises(ValueError, match=r"^image_data_format:"):
        backbones.get(backbone)
    assert not list(tmp_path.iterdir())


def test_vectors_have_no_order_of_channels(setting):
    x = np.random.default_rng(0).normal(size=(4, 4))
    expected = recipes.mlp(4, 3, activation="crelu", normalization="batch", seed=0)(x)
    setting("image_data_format")
    found = recipes.mlp(4, 3, activation="crelu", normalization="batch", seed=0)(x)
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found, expected)))


@pytest.mark.parametrize("name", SET)
def test_each_is_described(name, setting):
    assert describe()["backend"] == keras.backend.backend()
    before = describe()
    setting(name)
    assert describe()[name] == SET[name][2]
    assert describe() != before


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 6, ("ash", "oak"))


@pytest.mark.parametrize("name", ["dtype_policy", "floatx"])
def test_how_keras_computes_has_no_say_in_a_training(two, setting, tmp_path, name):
    first = recipes.fit(two, output=tmp_path / "first", backbone=build_tiny().backbone, **OPTIONS)
    assert first.info["keras"] == describe()
    assert "dtype_policy" in (first.folder / "report.html").read_text()
    setting(name)
    before = describe()
    again = recipes.rerun(
        first.folder, output=tmp_path / "again", backbone=build_tiny().backbone, verbose=False
    )
    assert again.same
    assert again.conditions == {}
    assert describe() == before


@pytest.mark.parametrize("name", ["dtype_policy", "floatx", "image_data_format", "backend"])
def test_the_comparison_names_what_differs(name, run):
    changed = {**run.info, "keras": {**run.info["keras"], name: "another"}}
    conditions = compare_runs(run, recipes.Run(run.folder, changed)).conditions
    assert conditions == {name: (run.info["keras"][name], "another")}
    earlier = {key: value for key, value in run.info.items() if key != "keras"}
    assert compare_runs(recipes.Run(run.folder, earlier), run).conditions == {}


@pytest.mark.parametrize("name", ["dtype_policy", "floatx"])
def test_an_unfinished_run_goes_on_in_its_precision_only(two, setting, tmp_path, name):
    """A training that stopped after its first epoch; how Keras computes may change meanwhile."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    phases = (Phase("classifier", 1.0, epochs=2, learning_rate=1e-3),)
    plan = FineTuneStrategy("by steps", "pretrained", phases, "the classifier")
    options = {**OPTIONS, "strategy": plan, "epochs": 2, "backbone": build_tiny().backbone}
    with pytest.raises(KeyboardInterrupt):
        recipes.fit(two, output=tmp_path / "run", callbacks=[Stop()], **options)
    assert (tmp_path / "run.partial").exists()
    setting(name)
    with pytest.raises(FileExistsError, match=r"precision: 'float32', now 'mixed_float16'"):
        recipes.fit(two, output=tmp_path / "run", precision="mixed_float16", **options)
    assert len(recipes.fit(two, output=tmp_path / "run", **options).history) == 2


@pytest.mark.parametrize(
    ("shape", "expected"), [((224, 224, 96), 64), ((112, 112, 96), 256), ((600, 600, 64), 32)]
)
def test_predictions_come_in_batches_that_suit_the_device(shape, expected, monkeypatch):
    pictures = keras.Input((*shape[:2], 3))
    model = keras.Model(pictures, keras.layers.Conv2D(shape[2], 1)(pictures))
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    if not keras_setup._accelerated():
        assert keras_setup.prediction_batch(model) == keras_setup.prediction_batch(small) == 32
    monkeypatch.setattr(keras_setup, "_accelerated", lambda: True)
    assert keras_setup.prediction_batch(model) == expected
    assert keras_setup.prediction_batch(small) == 1024


def test_a_function_apart_gives_what_it_gives_by_itself():
    calls = []

    def squares(x, y):
        calls.append(x)
        return keras.ops.square(x) + y

    values = np.arange(6, dtype="float32").reshape(2, 3)
    apart = keras_setup.apart(squares)
    for _ in range(2):
        found = apart(keras.ops.convert_to_tensor(values), keras.ops.ones((2, 3)))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(found), values**2 + 1)
    assert len(calls) == (2 if keras.backend.backend() == "torch" else 1)  # compiled once
