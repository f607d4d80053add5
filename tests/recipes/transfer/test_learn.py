from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.special import softmax

from recipes import strategies
from recipes.strategies import STRATEGIES, FineTuneStrategy, Phase
from recipes.transfer import features, fine_tune, refine
from recipes.transfer.clock import Clock
from recipes.transfer.learn import learn
from recipes.transfer.solve import solve
from tests.recipes.transfer.tiny import TASK, build_tiny, digits_part, training_data

PARTS = {"train": digits_part("train", 0, 24), "validation": digits_part("validation", 32, 8)}
HEAD = STRATEGIES["small_similar"]
TRAINED = FineTuneStrategy(
    "trained",
    "pretrained",
    (strategies.HEAD, Phase("later", 0.5, 4, 1e-3, blended=True)),
    "the classifier, then the later stages",
)


def pooled(part):
    transfer = build_tiny()
    return transfer.frozen_part(transfer.num_stages).predict(part.pixels, verbose=0)


def test_a_refit_solves_with_all_pictures_and_the_penalty_of_before(tmp_path):
    data = training_data(PARTS, tmp_path)
    found = learn(build_tiny, HEAD, data, refit=True)
    alone = learn(build_tiny, HEAD, training_data(PARTS, tmp_path), refit=False)
    x = np.concatenate([pooled(part) for part in PARTS.values()])
    y = np.concatenate([part.labels for part in PARTS.values()])
    penalty = found.audits[0]["penalty"]
    expected = solve(x, y, TASK, penalty=penalty)
    kernel = found.cut.transfer.model.layers[-1].kernel.numpy() * found.temperatures[0]
    np.testing.assert_allclose(kernel, expected.kernel, atol=2e-2 * np.abs(kernel).max())
    assert found.temperatures == pytest.approx(alone.temperatures)
    assert found.refit[0]["penalty"] == penalty == alone.audits[0]["penalty"]
    assert not alone.refit
    other = alone.cut.transfer.model.layers[-1].kernel.numpy()
    assert np.abs(kernel - other * alone.temperatures[0]).max() > 1e-3


def test_the_folds_of_a_solved_classifier_have_a_say_in_its_temperature(tmp_path):
    data = training_data(PARTS, tmp_path)
    temperature = learn(build_tiny, HEAD, data, refit=False).temperatures
    x, y = pooled(PARTS["train"]), PARTS["train"].labels
    found = solve(x, y, TASK, units=PARTS["train"].units, seed=data.seed)
    new = softmax(pooled(PARTS["validation"]) @ found.kernel + found.bias, axis=1)
    targets = np.concatenate([PARTS["validation"].labels, y])
    outputs = np.concatenate([new, found.outputs])
    assert temperature == pytest.approx(TASK.temperatures(targets, outputs), rel=1e-2)
    assert temperature != pytest.approx(TASK.temperatures(targets[:24], new), rel=5e-2)


def test_a_phase_of_which_nothing_is_kept_leaves_the_classifier_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(fine_tune, "blend", lambda *rest: refine.blend(*rest[:3], 0.0))
    alone = learn(build_tiny, HEAD, training_data(PARTS, tmp_path / "a"), refit=True)
    found = learn(build_tiny, TRAINED, training_data(PARTS, tmp_path / "b"), refit=True)
    assert found.cut.first == alone.cut.first == build_tiny().num_stages
    np.testing.assert_array_equal(found.held_out, alone.held_out)
    np.testing.assert_allclose(found.temperatures, alone.temperatures)
    for one, other in zip(
        found.cut.transfer.model.get_weights(), alone.cut.transfer.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_refit_keeps_the_blend_and_learns_from_the_validation_part(tmp_path):
    data = training_data(PARTS, tmp_path)
    found = learn(build_tiny, TRAINED, data, refit=True, unlike=True)
    assert found.refit[0]["blend"] == found.audits[1]["blend"]
    assert len(found.cut.data["train"]) == len(PARTS["train"]) + len(PARTS["validation"])
    assert found.history["val_loss"].notna().all()


def test_a_refit_goes_on_from_the_weights_that_were_kept(tmp_path):
    """A quarter of the last phase, from both parts."""
    data = training_data(PARTS, tmp_path)
    found = learn(build_tiny, TRAINED, data, refit=True, unlike=True)
    expected = build_tiny()
    fine_tune.fine_tune(expected, TRAINED, data, usual=refine.UNLIKE)
    [last] = TRAINED.continued().phases
    assert (last.epochs, last.learning_rate) == (3, pytest.approx(3e-4))
    plan = replace(TRAINED, phases=(last,))
    before = expected.model.get_weights()
    fine_tune.fine_tune(expected, plan, data.joined(), known=found.audits[1:])
    after = expected.model.get_weights()
    assert any((one != other).any() for one, other in zip(before, after, strict=True))
    refine.cool(found.cut, 1 / found.temperatures)
    for one, other in zip(found.cut.transfer.model.get_weights(), after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_both_trainings_need_is_computed_once(tmp_path, monkeypatch):
    rows = []
    forward_all = features.forward_all

    def counting(model, batches, batch_size):
        for found in forward_all(model, batches, batch_size):
            if model.name == "frozen_part":
                rows.append(len(found))
            yield found

    monkeypatch.setattr(features, "forward_all", counting)
    learn(build_tiny, HEAD, training_data(PARTS, tmp_path), refit=True)
    assert sum(rows) == sum(len(part) for part in PARTS.values())


def test_parts_that_are_joined_keep_their_units_apart(tmp_path):
    data = training_data(PARTS, tmp_path)
    joined = data.joined()["train"]
    assert len(np.unique(joined.units)) == len(joined) == 96
    np.testing.assert_array_equal(joined.pixels[72:], PARTS["validation"].pixels)
    np.testing.assert_array_equal(joined.labels[:72], PARTS["train"].labels)


def test_the_held_out_distances_are_those_of_before(tmp_path):
    data = partial(training_data, PARTS)
    alone = learn(build_tiny, TRAINED, data(tmp_path / "a"), refit=False, unlike=True)
    found = learn(build_tiny, TRAINED, data(tmp_path / "b"), refit=True, unlike=True)
    np.testing.assert_array_equal(alone.held_out, found.held_out)
    assert len(found.held_out) == len(PARTS["validation"])


def test_where_time_has_run_out_the_first_training_is_kept(tmp_path):
    found, alone = (
        learn(build_tiny, TRAINED, training_data(PARTS, tmp_path), refit=refit, clock=Clock(0.0))
        for refit in (True, False)
    )
    assert not found.refit
    assert found.audits[1]["stopped"] == 1
    for one, other in zip(
        *(f.cut.transfer.model.get_weights() for f in (found, alone)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert learn(
        build_tiny, TRAINED, training_data(PARTS, tmp_path), refit=True, clock=Clock(1e6)
    ).refit
