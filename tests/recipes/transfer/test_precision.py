"""Training in mixed precision: what is float32 all the same, loss scaling, going on, the run."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import recipes
from recipes import dtypes
from recipes.images.parts import ArrayCache
from recipes.settings import FLOAT32, PRECISIONS
from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer import model as transfer_model
from recipes.transfer.features import features
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.optimizer import StagewiseAdam, scaled
from recipes.transfer.state import TrainingDivergedError
from tests.marking import slow_but
from tests.recipes.images import pictures
from tests.recipes.transfer.interrupting import assert_same, resumed
from tests.recipes.transfer.tiny import (
    DATA,
    FROM_PIXELS,
    SOLVED,
    TWO_PHASES,
    build_tiny,
    training_data,
    values_of,
)

MIXED = PRECISIONS[1:]
HALF = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
EVERYTHING = FineTuneStrategy("all", "pretrained", (Phase("all", 0.0, 4, 1e-3),), "everything")


def build(precision):
    with dtypes.scope(precision):
        return transfer_model.build(build_tiny().backbone, 3, seed=1)


class Watch(keras.callbacks.Callback):
    """The loss scale and the steps that were taken, after each batch."""

    def __init__(self):
        super().__init__()
        self.scales, self.steps = [], []

    def on_train_batch_end(self, batch, logs=None):
        optimizer = self.model.optimizer
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self.scales.append(float(keras.ops.convert_to_numpy(optimizer.dynamic_scale)))
        self.steps.append(int(keras.ops.convert_to_numpy(optimizer.iterations)))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_gradients_are_scaled_where_float16_asks_for_it(precision):
    optimizer = StagewiseAdam(1e-3)
    found = scaled(optimizer, precision)
    assert (found is optimizer) == (precision != "mixed_float16")
    kind = keras.optimizers.LossScaleOptimizer if found is not optimizer else StagewiseAdam
    assert isinstance(found, kind)


@pytest.mark.parametrize(
    ("strategy", "epochs", "precision"),
    [
        (TWO_PHASES, 1, "mixed_float16"),
        pytest.param(TWO_PHASES, 3, "mixed_float16", marks=pytest.mark.slow),
        (SOLVED, 2, "mixed_float16"),
        (FROM_PIXELS, 1, "mixed_float16"),
        pytest.param(SOLVED, 2, "mixed_bfloat16", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_training_goes_on_exactly(
    strategy, epochs, precision, tmp_path, monkeypatch
):
    def run(folder, work=None):
        transfer = build(precision)
        data = training_data(DATA, folder, seed=3)
        return transfer, *fine_tune(transfer, strategy, data, batch_size=16, work=work)

    expected = run(tmp_path / "whole")
    assert {value.dtype for value in values_of(expected[0].model).values()} == {np.dtype("float32")}
    assert_same(resumed(run, epochs, tmp_path, monkeypatch), expected)


def test_a_step_whose_gradients_are_infinite_is_left_out(tmp_path, monkeypatch):
    """With a scale that float16 cannot hold, until it can."""
    own = keras.optimizers.LossScaleOptimizer

    class Steep(own):
        def __init__(self, optimizer, **options):
            super().__init__(optimizer, **{**options, "initial_scale": 2.0**30})

    monkeypatch.setattr(keras.optimizers, "LossScaleOptimizer", Steep)
    transfer, watch = build("mixed_float16"), Watch()
    data = training_data(DATA, tmp_path)
    history, audits = fine_tune(transfer, EVERYTHING, data, batch_size=8, listeners=[watch])
    assert watch.steps[0] == 0
    assert watch.scales[0] == 2.0**29
    assert np.isfinite(history["loss"]).all()
    assert 0 < watch.steps[-1] < len(watch.steps)
    assert audits[0]["moved"] == audits[0]["trainable"]


def bright(share):
    """A network whose first convolution overflows float16 on white pictures, and such pictures."""
    transfer = build("mixed_float16")
    for name, factor in (("conv0", 3e5), ("conv1", 1 / 3e5)):
        kernel = transfer.model.get_layer(name).kernel
        values = keras.ops.convert_to_numpy(kernel)
        kernel.assign(np.abs(values).clip(0.1, 0.2) * factor if factor > 1 else values * factor)
    part = DATA["train"]
    pixels = np.full_like(part.pixels, 128)
    pixels[:, ::2, ::2] = 128 + part.pixels[:, ::2, ::2] // 128
    pixels[: int(share * len(pixels))] = 255
    validation = replace(DATA["validation"], pixels=pixels[-24:], key="gray")
    return transfer, {"train": replace(part, pixels=pixels, key="bright"), "validation": validation}


def test_a_picture_that_overflows_float16_costs_its_step_and_not_the_training(tmp_path):
    transfer, parts = bright(0.02)
    watch = Watch()
    data = training_data(parts, tmp_path)
    history, _ = fine_tune(transfer, EVERYTHING, data, batch_size=8, listeners=[watch])
    assert len(history) == 4
    assert np.isnan(history["loss"]).all()
    assert np.isfinite(history["val_loss"]).all()
    assert 0 < watch.steps[-1] <= len(watch.steps) - 4
    assert all(np.isfinite(value).all() for value in values_of(transfer.model).values())


def test_frozen_features_beyond_float16_are_refused(tmp_path):
    transfer, parts = bright(0.02)
    frozen = transfer.frozen_part(1)
    with pytest.raises(ValueError, match="beyond what mixed_float16 holds"):
        features(frozen, parts["train"], ArrayCache(tmp_path), verbose=False)
    frozen = transfer.in_float32().frozen_part(1)
    assert features(frozen, parts["train"], ArrayCache(tmp_path), verbose=False).max() > 65504
    with pytest.raises(ValueError, match="beyond what a file holds"):
        features(frozen, parts["train"], ArrayCache(tmp_path, 0), verbose=False)


def test_where_no_step_is_left_the_training_has_diverged(tmp_path):
    transfer, parts = bright(1.0)
    parts["validation"] = replace(parts["validation"], pixels=parts["validation"].pixels * 0 + 128)
    data = training_data(parts, tmp_path)
    with pytest.raises(TrainingDivergedError, match="mixed_bfloat16"):
        fine_tune(transfer, EVERYTHING, data, batch_size=8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 16, ("ash", "oak", "yew"))


OPTIONS = {"strategy": "large_similar", "epochs": 2, "verbose": False, "refit": True}


@pytest.fixture(scope="module", params=PRECISIONS)
def trained(request, photos, tmp_path_factory):
    """A run in each precision, and what its layers computed in."""
    computed = set()
    heard = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: computed.update(
            layer.compute_dtype for layer in heard.model.layers if layer.weights
        )
    )
    run = recipes.fit_folder(
        photos,
        output=tmp_path_factory.mktemp("runs") / "run",
        backbone=build_tiny().backbone,
        precision=request.param,
        callbacks=[heard],
        **OPTIONS,
    )
    return run, request.param, computed


def test_it_is_trained_in_its_precision_and_the_classifier_in_float32(trained):
    _, precision, computed = trained
    assert computed == {"float32", HALF.get(precision, "float32")}


def test_the_run_says_its_precision_and_is_in_float32(trained):
    run, precision, _ = trained
    assert run.info["config"]["precision"] == run.info["keras"]["dtype_policy"] == precision
    assert ("precision" in run.scan) == (precision != FLOAT32)
    assert {value.dtype for value in run.weights().values()} == {np.dtype("float32")}
    for model in (
        recipes.load(run, backbone=build_tiny().backbone).model,
        recipes.load_model(run.folder / "model.keras"),
    ):
        assert dtypes.policy_of(model) == FLOAT32
        assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_its_figures_are_those_of_the_model_that_is_written(trained):
    run, _, _ = trained
    table = run.predictions
    files = [run.info["config"]["folder"] + "/" + name for name in table["file"]]
    found = recipes.predict(run, files, backbone=build_tiny().backbone, verbose=False)
    assert found["label"].tolist() == table["prediction"].tolist()
    expected = table[[f"probability of {name}" for name in run.classes]].max(axis=1)
    np.testing.assert_allclose(found["probability"], expected, atol=1e-6)


@pytest.mark.parametrize("trained", slow_but(["mixed_float16"], PRECISIONS), indirect=True)
def test_it_is_trained_again_bit_for_bit(trained, tmp_path):
    run, precision, _ = trained
    options = {"backbone": build_tiny().backbone, "verbose": False}
    again = recipes.rerun(run.folder, output=tmp_path / "again", **options)
    assert again.same
    assert again.conditions == {}
    assert again.run.info["config"]["precision"] == precision


def test_a_run_that_knew_keras_policy_only_is_trained_again_by_it(trained, tmp_path, monkeypatch):
    run, precision, _ = trained
    info = {**run.info, "config": {k: v for k, v in run.info["config"].items() if k != "precision"}}
    earlier = recipes.Run(run.folder, info)
    given = {}

    def fit(data, **options):
        given.update(options)
        return earlier

    monkeypatch.setattr("recipes.workflow.fit", fit)
    monkeypatch.setattr("recipes.workflow.Run.load", lambda folder: earlier)
    recipes.rerun(run.folder, output=tmp_path / "again", verbose=False)
    assert given["precision"] == precision


def test_features_in_a_cache_are_of_their_precision(tmp_path):
    found = []
    for precision in PRECISIONS:
        frozen = build(precision).frozen_part(2)
        found.append(features(frozen, DATA["train"], ArrayCache(tmp_path, 0), verbose=False))
    assert (found[0] != found[1]).any()
    assert (found[0] != found[2]).any()
    for one in found[1:]:
        np.testing.assert_allclose(one, found[0], atol=0.03 * np.abs(found[0]).max())


@pytest.mark.slow
@pytest.mark.timeout(1800)  # three trainings, in half precision slow on a processor
def test_every_precision_learns_as_well(tmp_path):
    """EfficientNet-Lite0 on four classes of generated pictures, all of it trained."""
    folder = pictures.make_classes(tmp_path / "photos", 24, ("ash", "elm", "oak", "yew"))
    found = {}
    for precision in PRECISIONS:
        run = recipes.fit_folder(
            folder,
            output=tmp_path / precision,
            precision=precision,
            image_size=48,
            **{**OPTIONS, "refit": False},
        )
        found[precision] = run.metrics
    expected = found[FLOAT32]
    for metrics in found.values():
        low, high = expected["accuracy_interval"]
        assert low <= metrics["accuracy"] <= high
        assert metrics["log_loss"] == pytest.approx(expected["log_loss"], abs=0.1)
