"""What moves in a phase and what does not, how fast, and when it ends."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from recipes import strategies
from recipes.images import augment
from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer import model as transfer_model
from recipes.transfer.audit import audit
from recipes.transfer.clock import Clock
from recipes.transfer.fine_tune import fine_tune, train_phase
from recipes.transfer.solve import solve
from recipes.transfer.state import State, TrainingDivergedError, fingerprints
from recipes.transfer.stretches import stretches
from tests.recipes.transfer.tiny import (
    DATA,
    SIDE,
    SOLVED,
    TWO_PHASES,
    build_tiny,
    training_data,
    values_of,
)

NORM = keras.layers.BatchNormalization


def build(weights="pretrained", dropout=0.2):
    return transfer_model.build(
        "efficientnet_lite0", 3, weights=weights, image_size=SIDE, dropout=dropout, seed=1
    )


def train(strategy, transfer, tmp_path, work=None, **options):
    varied = {name: options.pop(name) for name in ("augmentation", "views") if name in options}
    data = training_data(DATA, tmp_path / "cache", seed=3, **varied)
    return fine_tune(transfer, strategy, data, work=work, **options)


# Strategy: the first stage that may move in EfficientNet-Lite0 and in the small network, of 9 and
# 3 (the classifier follows the last); with norms?
EXPECTED = {
    "small_similar": (9, 3, False),
    "small_dissimilar": (4, 1, False),
    "large_similar": (0, 0, False),
    "large_dissimilar": (0, 0, True),
}
QUICK_ON_LITE = ("small_similar",)


def test_the_table_covers_every_strategy():
    assert set(EXPECTED) == set(strategies.STRATEGIES)


@pytest.mark.parametrize(
    ("name", "network"),
    [(name, "tiny") for name in EXPECTED]
    + [
        pytest.param(name, "lite", marks=[] if name in QUICK_ON_LITE else [pytest.mark.slow])
        for name in EXPECTED
    ],
)
def test_the_right_variables_move_and_the_others_are_bit_identical(name, network, tmp_path):
    *stages, norms = EXPECTED[name]
    strategy = strategies.get(name).with_epochs(3)
    last = replace(strategy.phases[-1], reduced=0.0, blended=False)
    strategy = replace(strategy, phases=(last,))  # nothing of what moves is taken back
    if network == "tiny":
        transfer = build_tiny()
    else:
        transfer = build(weights=None if strategy.weights == "initial" else "pretrained")
    first = stages[network == "tiny"]
    assert transfer.num_stages == (3 if network == "tiny" else 9)
    before = values_of(transfer.model)
    history, audits = train(strategy, transfer, tmp_path)
    after = values_of(transfer.model)
    stage_of = transfer.stage_of()
    moved = {path for path in before if (before[path] != after[path]).any()}
    may_move = {
        variable.path
        for layer in transfer.model.layers
        for variable in layer.weights
        if stage_of[layer.name] >= first and (norms or not isinstance(layer, NORM))
    }
    assert moved == may_move
    assert [entry["moved"] for entry in audits][-1] == len(may_move)
    assert last.solved or history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert np.isfinite(history["val_loss"]).all()


def test_training_on_cached_features_is_training_through_the_model(tmp_path):
    phase = Phase("later stages", 0.5, epochs=3, learning_rate=3e-3, stage_factor=0.7)
    predictions = []
    for through_everything in (False, True):
        transfer = build_tiny(dropout=0.0)
        first = transfer.set_trainable(phase)
        assert first == 1
        cut = training_data(DATA, tmp_path, seed=3).cut(transfer, first)
        begin = replace(cut, first=0) if through_everything else cut
        train_phase(cut, phase, stretches(begin, phase), State())
        predictions.append(transfer.model.predict_on_batch(DATA["validation"].pixels))
    start = build_tiny(dropout=0.0).model.predict_on_batch(DATA["validation"].pixels)
    assert np.abs(predictions[0] - start).max() > 0.02
    np.testing.assert_allclose(predictions[0], predictions[1], atol=1e-4)


def test_a_phase_that_does_harm_ends_where_it_began(tmp_path):
    good = Phase("classifier", 1.0, epochs=3, learning_rate=1e-2)
    harm = Phase("everything", 0.0, epochs=2, learning_rate=1.0, update_batch_norm=True)
    expected, transfer = build_tiny(), build_tiny()
    train(FineTuneStrategy("good", "pretrained", (good,), ""), expected, tmp_path)
    strategy = FineTuneStrategy("harm", "pretrained", (good, harm), "")
    history, audits = train(strategy, transfer, tmp_path)
    assert history["phase"].tolist() == ["classifier"] * 3 + ["everything"] * 2
    assert [audit["moved"] > 0 for audit in audits] == [True, False]
    before, after = values_of(expected.model), values_of(transfer.model)
    assert all((before[path] == after[path]).all() for path in before)


def test_mixing_has_no_part_behind_frozen_stages(tmp_path):
    found = []
    for name in ("light", "mixup"):
        transfer = build_tiny()
        train(TWO_PHASES, transfer, tmp_path / name, augmentation=augment.get(name), views=2)
        found.append(values_of(transfer.model))
    for path, value in found[0].items():
        np.testing.assert_array_equal(value, found[1][path], err_msg=path)


def test_a_classifier_is_solved_anew_on_features_that_have_moved(tmp_path):
    middle = Phase("later", 0.5, 2, 1e-2)
    strategy = replace(SOLVED, phases=(strategies.HEAD, middle, strategies.HEAD))
    transfer, data = build_tiny(), training_data(DATA, tmp_path)
    _, audits = fine_tune(transfer, strategy, data)
    frozen = transfer.frozen_part(transfer.num_stages)
    features = frozen.predict(DATA["train"].pixels, verbose=0)
    expected = solve(features, DATA["train"].labels, data.task, penalty=audits[2]["penalty"])
    kernel = transfer.model.layers[-1].kernel.numpy()
    np.testing.assert_allclose(kernel, expected.kernel, atol=1e-2 * np.abs(kernel).max())


def test_the_rate_rises_to_the_phase_s_own_and_falls_to_zero(tmp_path):
    phase = Phase("head", 1.0, epochs=5, learning_rate=0.1, warmup=0.4, patience=5)
    history, _ = train(FineTuneStrategy("warm", "pretrained", (phase,), ""), build_tiny(), tmp_path)
    steps = -(-len(DATA["train"]) // 32)
    rising, falling = 2 * steps, 3 * steps
    last = np.arange(1, 6) * steps - 1  # of each epoch
    rates = np.where(
        last < rising,
        0.1 * last / rising,
        0.05 * (1 + np.cos(np.pi * (last - rising) / falling)),
    )
    np.testing.assert_allclose(history["learning_rate"], rates, rtol=1e-6)


def test_the_best_weights_are_those_that_stay(tmp_path):
    strategy = FineTuneStrategy("wild", "pretrained", (Phase("head", 1.0, 8, 0.5, patience=8),), "")
    transfer = build_tiny(dropout=0.0)
    history, _ = train(strategy, transfer, tmp_path)
    transfer.model.compile(loss="sparse_categorical_crossentropy")
    part = DATA["validation"]
    loss = transfer.model.evaluate(part.pixels, part.labels, verbose=0)
    best = history["val_calibrated_loss"].idxmin()
    assert loss == pytest.approx(history.loc[best, "val_loss"], abs=1e-5)


def test_training_ends_early_without_improvement(tmp_path):
    strategy = FineTuneStrategy(
        "wild", "pretrained", (Phase("head", 1.0, 40, 0.3, patience=2),), ""
    )
    history, _ = train(strategy, build_tiny(), tmp_path)
    best = int(history["val_calibrated_loss"].idxmin())
    assert len(history) == min(best + 3, 40) < 40


@pytest.mark.parametrize("blended", [False, True])
def test_where_no_time_is_left_the_phase_ends_with_the_step_at_work(blended, tmp_path):
    phase = Phase(
        "all",
        0.0,
        epochs=5,
        learning_rate=1e-3,
        min_steps=20,
        blended=blended,
        update_batch_norm=True,
    )
    strategy = FineTuneStrategy("one", "pretrained", (phase,), "")
    steps = []
    heard = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    options = {"batch_size": 8, "clock": Clock(limit=0.0), "listeners": [heard]}
    history, audits = train(strategy, build_tiny(), tmp_path, **options)
    assert len(steps) == 1
    assert len(history) == len(audits) == 1
    assert audits[0]["moved"]


def test_a_diverging_loss_ends_training_and_says_so(tmp_path):
    transfer = build()
    transfer.model.get_layer("predictions").kernel.assign(np.full((1280, 3), np.nan))
    strategy = FineTuneStrategy("trained", "pretrained", (Phase("head", 1.0, 3, 1e-3),), "")
    with pytest.raises(TrainingDivergedError, match="Try a smaller learning rate"):
        train(strategy, transfer, tmp_path)


def test_the_audit_refuses_a_frozen_variable_that_moved():
    transfer = build()
    phase = strategies.get("small_similar").phases[0]
    transfer.set_trainable(phase)
    before = fingerprints(transfer.model.variables)
    kernel = transfer.model.get_layer("stem_conv").kernel
    kernel.assign(kernel + 1)
    with pytest.raises(RuntimeError, match=r"1 frozen variables moved: .*stem_conv"):
        audit(phase, transfer.model, before, transfer.model.variables)


def test_class_weights_weigh_the_loss(tmp_path):
    losses = []
    for weights in (None, np.array([2.0, 2.0, 2.0])):
        phase = Phase("head", 1.0, 1, 1e-9)
        strategy = FineTuneStrategy("still", "pretrained", (phase,), "")
        history, _ = train(strategy, build_tiny(dropout=0.0), tmp_path, class_weights=weights)
        losses.append(history["loss"].iloc[0])
    assert losses[1] == pytest.approx(2 * losses[0], rel=1e-3)
