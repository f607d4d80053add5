from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from recipes import strategies
from recipes.images import augment
from recipes.strategies import FineTuneStrategy, Phase
from recipes.tasks import Binary, Multilabel
from recipes.transfer import model as transfer_model
from recipes.transfer.audit import audit
from recipes.transfer.clock import Clock
from recipes.transfer.fine_tune import fine_tune, train_phase
from recipes.transfer.refine import blend
from recipes.transfer.solve import solve
from recipes.transfer.state import State, StateKeeper, TrainingDivergedError, fingerprints
from recipes.transfer.stretches import stretches
from recipes.work_folder import WorkFolder
from tests.recipes.transfer.tiny import SIDE, TASK, build_tiny, digits_part, training_data

NORM = keras.layers.BatchNormalization


TARGETS = {
    "multiclass": (TASK, lambda labels: labels),
    "binary": (Binary(("a", "b")), lambda labels: (labels[:, None] == 1).astype("float32")),
    "multilabel": (Multilabel(("a", "b", "c")), lambda labels: np.eye(3, dtype="float32")[labels]),
}
DATA = {"train": digits_part("train", 0, 32), "validation": digits_part("validation", 32, 8)}


def build(weights="pretrained", dropout=0.2):
    return transfer_model.build(
        "efficientnet_lite0", 3, weights=weights, image_size=SIDE, dropout=dropout, seed=1
    )


def train(strategy, transfer, tmp_path, work=None, **options):
    varied = {name: options.pop(name) for name in ("augmentation", "views") if name in options}
    data = training_data(DATA, tmp_path / "cache", seed=3, **varied)
    return fine_tune(transfer, strategy, data, work=work, **options)


def values_of(model):
    return {v.path: np.array(keras.ops.convert_to_numpy(v)) for v in model.weights}


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


class _Interrupted(BaseException):
    pass


def interrupt_after(monkeypatch, epochs):
    """Let training be cut off when so many epochs have been saved."""
    original, count = StateKeeper.on_epoch_end, [0]

    def on_epoch_end(self, epoch, logs=None):
        original(self, epoch, logs)
        count[0] += 1
        if count[0] == epochs:
            raise _Interrupted

    monkeypatch.setattr(StateKeeper, "on_epoch_end", on_epoch_end)


TWO_PHASES = FineTuneStrategy(
    "two",
    "pretrained",
    (Phase("classifier", 1.0, 2, 1e-3), Phase("top", 0.9, 2, 3e-4)),
    "the classifier, then the last stage with it",
)
SOLVED = FineTuneStrategy(
    "solved",
    "pretrained",
    (
        strategies.HEAD,
        Phase("everything", 0.0, 3, 1e-3, warmup=0.3, reduced=0.7, blended=True),
    ),
    "the classifier solved, then everything, on smaller pictures first",
)
LATER = replace(SOLVED, phases=(strategies.HEAD, replace(SOLVED.phases[1], trainable_from=0.5)))
LARGE_SIDE = 96  # of which there is a smaller size
LARGE = {
    "train": digits_part("train", 0, 12, LARGE_SIDE),
    "validation": digits_part("validation", 32, 6, LARGE_SIDE),
}
FROM_PIXELS = FineTuneStrategy(
    "pixels", "initial", (Phase("everything", 0.0, 2, 1e-3, update_batch_norm=True),), "everything"
)


@pytest.mark.parametrize(
    ("strategy", "epochs"), [(TWO_PHASES, 1), (TWO_PHASES, 2), (TWO_PHASES, 3), (FROM_PIXELS, 1)]
)
def test_an_interrupted_training_ends_with_the_same_weights(
    strategy, epochs, tmp_path, monkeypatch
):
    options = {"augmentation": augment.get("light"), "views": 2}
    whole = build_tiny()
    expected, _ = train(strategy, whole, tmp_path / "a", **options)
    with monkeypatch.context() as patch:
        interrupt_after(patch, epochs)
        with (
            WorkFolder.open(tmp_path / "run", {}) as work,
            pytest.raises(_Interrupted),
        ):
            train(strategy, build_tiny(), tmp_path / "b", work, **options)
    resumed = build_tiny()
    with WorkFolder.open(tmp_path / "run", {}) as work:
        history, audits = train(strategy, resumed, tmp_path / "c", work, **options)
    assert len(audits) == len(strategy.phases)
    columns = ["phase", "epoch", "loss", "val_loss", "learning_rate"]
    assert history[columns].equals(expected[columns])
    found = values_of(resumed.model)
    for path, value in values_of(whole.model).items():
        np.testing.assert_array_equal(value, found[path], err_msg=path)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["multiclass", "binary", "multilabel"])
def test_an_interrupted_training_on_mixed_pictures_ends_with_the_same_weights(
    name, weighted, tmp_path, monkeypatch
):
    task, labels = TARGETS[name]
    parts = {k: replace(part, labels=labels(part.labels)) for k, part in DATA.items()}
    weights = np.linspace(1, 3, len(task.classes)) if weighted else None

    def run(folder, work=None):
        data = training_data(parts, folder, task=task, augmentation=augment.get("heavy"))
        transfer = build_tiny(task=task)
        history, _ = fine_tune(transfer, FROM_PIXELS, data, work=work, class_weights=weights)
        return history, values_of(transfer.model)

    expected, whole = run(tmp_path / "a")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1)
        with WorkFolder.open(tmp_path / "run", {}) as work, pytest.raises(_Interrupted):
            run(tmp_path / "b", work)
    with WorkFolder.open(tmp_path / "run", {}) as work:
        history, resumed = run(tmp_path / "c", work)
    columns = ["loss", "accuracy", "val_loss", "learning_rate"]
    assert history[columns].equals(expected[columns])
    assert history["accuracy"].between(0.05, 0.95).all()  # of labels that are shares
    for path, value in whole.items():
        np.testing.assert_array_equal(value, resumed[path], err_msg=path)


def test_mixing_has_no_part_behind_frozen_stages(tmp_path):
    found = []
    for name in ("light", "mixup"):
        transfer = build_tiny()
        train(TWO_PHASES, transfer, tmp_path / name, augmentation=augment.get(name), views=2)
        found.append(values_of(transfer.model))
    for path, value in found[0].items():
        np.testing.assert_array_equal(value, found[1][path], err_msg=path)


@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize("strategy", [SOLVED, LATER], ids=["everything", "later stages"])
def test_an_interruption_between_two_sizes_changes_nothing(strategy, epochs, tmp_path, monkeypatch):
    def run(folder, work=None):
        transfer = build_tiny(side=LARGE_SIDE)
        data = training_data(LARGE, folder, augmentation=augment.get("light"))
        history, audits = fine_tune(transfer, strategy, data, work=work, usual=1.0)
        return transfer, history, audits

    whole, expected, kept = run(tmp_path / "a")
    with monkeypatch.context() as patch:
        interrupt_after(patch, epochs)
        with WorkFolder.open(tmp_path / "run", {}) as work, pytest.raises(_Interrupted):
            run(tmp_path / "b", work)
    with WorkFolder.open(tmp_path / "run", {}) as work:
        resumed, history, audits = run(tmp_path / "c", work)
    assert audits == kept
    columns = ["phase", "epoch", "loss", "val_loss", "learning_rate"]
    assert history[columns].equals(expected[columns])
    found = values_of(resumed.model)
    for path, value in values_of(whole.model).items():
        np.testing.assert_array_equal(value, found[path], err_msg=path)


def test_the_first_epochs_are_on_smaller_pictures(tmp_path):
    transfer = build_tiny(side=LARGE_SIDE)
    phase = SOLVED.phases[1]
    cut = training_data(LARGE, tmp_path).cut(transfer, transfer.set_trainable(phase))
    first, second = stretches(cut, phase)
    assert (first.until, second.until) == (2, 3)
    assert first.train[0][0].shape[1:] == (64, 64, 3)
    assert second.train[0][0].shape[1:] == (LARGE_SIDE, LARGE_SIDE, 3)
    pairs = zip(first.part.variables, second.part.variables, strict=True)
    assert all(one is other for one, other in pairs)
    for picture, smaller in zip(LARGE["train"].pixels, cut.resized().inputs("train"), strict=True):
        expected = Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(smaller, np.asarray(expected))
    small = training_data(DATA, tmp_path).cut(build_tiny(), 0)
    assert [stretch.until for stretch in stretches(small, phase)] == [3]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_blend_is_so_far_on_the_way(share, tmp_path):
    start, last, blended = (build_tiny() for _ in range(3))
    for transfer, known in ((last, 1.0), (blended, share)):
        audits = [{"penalty": 0.1}, {"blend": known}]
        data = training_data(DATA, tmp_path)
        fine_tune(transfer, SOLVED, data, known=audits)
    known = [{"penalty": 0.1}]
    fine_tune(start, replace(SOLVED, phases=SOLVED.phases[:1]), training_data(DATA), known=known)
    first, end, found = (values_of(one.model) for one in (start, last, blended))
    assert any((first[path] != end[path]).any() for path in first)
    for path, value in found.items():
        expected = first[path] + share * (end[path] - first[path])
        np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=path)


def test_what_nothing_judges_is_not_validated(tmp_path):
    known = [{"penalty": 0.1}, {"blend": 0.5}]
    history, audits = fine_tune(build_tiny(), SOLVED, training_data(DATA, tmp_path), known=known)
    assert not [name for name in history if name.startswith("val_")]
    assert audits[1]["blend"] == 0.5


def test_a_solved_classifier_keeps_what_it_has_unless_validation_is_sure(tmp_path):
    """Pictures of one colour a class are solved by the classifier alone."""
    coloured = {}
    for name, part in DATA.items():
        colours = 200 * np.eye(3, dtype="uint8")[part.labels][:, None, None]
        coloured[name] = replace(part, pixels=part.pixels // 8 + colours, key=f"coloured {name}")
    transfer = build_tiny()
    _, audits = fine_tune(transfer, SOLVED, training_data(coloured, tmp_path), usual=1.0)
    assert audits[0]["cross_validated_balanced_accuracy"] >= 0.95
    assert audits[1]["blend"] == 0.0


def test_a_majority_that_is_always_said_has_solved_nothing(tmp_path):
    """Of noise nothing can be told; 95 % of one class are right, a third of the classes."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [88, 4, 4])
    noise = rng.integers(0, 255, (96, SIDE, SIDE, 3)).astype("uint8")
    train = replace(DATA["train"], pixels=noise, labels=labels, key="noise")
    data = training_data({**DATA, "train": train}, tmp_path)
    _, audits = fine_tune(build_tiny(), SOLVED, data, usual=1.0)
    assert audits[0]["cross_validated_accuracy"] > 0.85
    assert audits[0]["cross_validated_balanced_accuracy"] < 0.5


def test_a_blend_takes_moving_statistics_along(tmp_path):
    phase = replace(SOLVED.phases[1], reduced=0.0, update_batch_norm=True)
    strategy = replace(SOLVED, phases=(SOLVED.phases[0], phase))
    start, blended = build_tiny(), build_tiny()
    known = [{"penalty": 0.1}, {"blend": 0.0}]
    fine_tune(start, replace(SOLVED, phases=SOLVED.phases[:1]), training_data(DATA), known=known)
    before = values_of(start.model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recipes.transfer.fine_tune.blend", back_to_the_start)
        fine_tune(blended, strategy, training_data(DATA, tmp_path))
    names = [path for path in before if "moving" in path]
    after = values_of(blended.model)
    assert names
    for path in names:
        np.testing.assert_array_equal(before[path], after[path])


def back_to_the_start(cut, state, usual, share=None):
    return blend(cut, state, usual, 0.0)


def test_a_callback_that_stops_ends_the_phase_on_smaller_pictures_too(tmp_path):
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(
            stop.model, "stop_training", logs["phase"] == "everything"
        )
    )
    data = training_data(LARGE, tmp_path)
    history, audits = fine_tune(build_tiny(side=LARGE_SIDE), SOLVED, data, listeners=[stop])
    assert history["phase"].tolist() == ["classifier", "everything"]
    assert audits[1]["stopped"] == 1
    again, _ = fine_tune(
        build_tiny(side=LARGE_SIDE), SOLVED, data, known=[audits[0], {**audits[1], "blend": 1.0}]
    )
    assert again["phase"].tolist() == ["classifier", "everything"]


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
