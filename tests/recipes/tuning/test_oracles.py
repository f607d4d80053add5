"""The genetic algorithm on functions with a known optimum, and state that survives a kill."""

import json
import math

import keras_tuner
import numpy as np
import pytest

from recipes.tuning.oracles import MOST_STARTS, GeneticOracle, ManualOracle, SafeState, safe
from recipes.tuning.trials import ALGORITHMS

pytestmark = pytest.mark.filterwarnings("ignore:.*currentThread.*|.*getName.*:DeprecationWarning")


def sphere(values):
    return sum((values[f"x{i}"] - 0.3) ** 2 for i in range(5))


def learning_curve(values):
    """Logarithmic, whole and chosen parameters, and one that applies under a condition only."""
    loss = (math.log10(values["rate"]) + 2.5) ** 2 + 0.1 * (values["depth"] - 4) ** 2
    loss += {"relu": 0.3, "mish": 0.0, "tanh": 0.6, "elu": 0.2}[values["activation"]]
    if values["optimizer"] == "sgd":
        return loss + (values["momentum"] - 0.9) ** 2
    return loss + 0.5


def sphere_space():
    hp = keras_tuner.HyperParameters()
    for i in range(5):
        hp.Float(f"x{i}", -1.0, 1.0)
    return hp


def mixed_space():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-6, 1.0, sampling="log")
    hp.Int("depth", 1, 12)
    hp.Choice("activation", ["relu", "mish", "tanh", "elu"])
    hp.Choice("optimizer", ["adam", "sgd", "rmsprop"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("momentum", 0.0, 0.99)
    return hp


PROBLEMS = {"sphere": (sphere, sphere_space), "mixed": (learning_curve, mixed_space)}
OBJECTIVE = keras_tuner.Objective("loss", "min")


def run(oracle, function, folder, trials, name="a"):
    """Ask and tell, as a tuner does, and return the values of each trial."""
    oracle._set_project_dir(str(folder), name)
    oracle.verbose = 0
    seen = []
    for _ in range(trials):
        trial = oracle.create_trial("tuner0")
        if trial.status == "STOPPED":
            break
        values = dict(trial.hyperparameters.values)
        oracle.update_trial(trial.trial_id, {"loss": function(values)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        seen.append(values)
    return seen


def genetic(space, seed=1, trials=60, **options):
    return safe(
        GeneticOracle,
        objective=OBJECTIVE,
        max_trials=trials,
        hyperparameters=space(),
        seed=seed,
        **options,
    )


@pytest.mark.parametrize("problem", PROBLEMS)
def test_it_beats_random_search_clearly(problem, tmp_path):
    function, space = PROBLEMS[problem]
    wins, gains = 0, []
    for seed in range(1, 21):
        ours = run(genetic(space, seed), function, tmp_path, 60, f"g{seed}")
        plain = safe(
            keras_tuner.oracles.RandomSearchOracle,
            objective=OBJECTIVE,
            max_trials=60,
            hyperparameters=space(),
            seed=seed,
        )
        theirs = run(plain, function, tmp_path, 60, f"r{seed}")
        best, other = (min(map(function, seen)) for seen in (ours, theirs))
        wins += best < other
        gains.append(best / other)
    assert wins >= 17
    assert np.median(gains) < 0.5


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_setting_is_tried_twice_and_all_lie_in_the_space(problem, tmp_path):
    function, space = PROBLEMS[problem]
    seen = run(genetic(space), function, tmp_path, 60)
    assert len(seen) == 60
    assert len({json.dumps(values, sort_keys=True) for values in seen}) == 60
    for values in seen:
        for parameter in space().space:
            if parameter.name == "momentum":
                assert ("momentum" in values) == (values["optimizer"] == "sgd")
            if parameter.name not in values:
                continue
            value = values[parameter.name]
            if hasattr(parameter, "min_value"):
                assert parameter.min_value <= value <= parameter.max_value
            else:
                assert value in parameter.values


def test_a_small_space_is_exhausted_and_not_repeated(tmp_path):
    def space():
        hp = keras_tuner.HyperParameters()
        hp.Choice("a", [0, 1])
        hp.Choice("b", [0, 1])
        return hp

    oracle = genetic(space, population_size=2, tournament_size=1)
    seen = run(oracle, lambda v: v["a"] + v["b"], tmp_path, 60)
    assert len(seen) == len({tuple(v.values()) for v in seen}) <= 4
    assert len(seen) >= 3


def test_the_seed_decides(tmp_path):
    one, same, other = (
        run(genetic(mixed_space, seed), learning_curve, tmp_path, 30, name)
        for seed, name in ((1, "a"), (1, "b"), (2, "c"))
    )
    assert one == same != other


@pytest.mark.parametrize("stop", [5, 15, 29])
def test_a_search_goes_on_as_if_it_had_not_stopped(tmp_path, stop):
    whole = run(genetic(mixed_space), learning_curve, tmp_path, 30, "whole")
    first = run(genetic(mixed_space), learning_curve, tmp_path, stop, "cut")
    again = genetic(mixed_space)
    again._set_project_dir(str(tmp_path), "cut")
    again.reload()
    rest = run(again, learning_curve, tmp_path, 30 - stop, "cut")
    assert first + rest == whole


def test_children_come_from_the_best(tmp_path):
    oracle = genetic(mixed_space, mutation_rate=0.0)
    seen = run(oracle, learning_curve, tmp_path, 60)
    early, late = (np.mean([learning_curve(v) for v in part]) for part in (seen[:10], seen[40:]))
    assert late < early / 2


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"population_size": 1}, "population_size"),
        ({"tournament_size": 0}, "tournament_size"),
        ({"tournament_size": 11}, "tournament_size"),
        ({"mutation_rate": 1.5}, "mutation_rate"),
        ({"mutation_scale": 0}, "mutation_scale"),
    ],
)
def test_bad_arguments_are_refused(options, culprit):
    with pytest.raises(ValueError, match=culprit):
        genetic(mixed_space, **options)


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_failed_trials_are_no_parents(tmp_path):
    def often_nan(values):
        return float("nan") if values["optimizer"] == "adam" else learning_curve(values)

    oracle = genetic(mixed_space, trials=40)
    run(oracle, often_nan, tmp_path, 40)
    late = list(oracle.trials.values())[20:]
    share = np.mean([trial.hyperparameters.values["optimizer"] == "adam" for trial in late])
    assert share < 0.25


def test_manual_tries_the_list_in_order(tmp_path):
    settings = [{"rate": 0.1}, {"rate": 0.2, "optimizer": "sgd", "momentum": 0.5}]
    oracle = safe(
        ManualOracle, settings=settings, objective=OBJECTIVE, hyperparameters=mixed_space()
    )
    seen = run(oracle, learning_curve, tmp_path, 10)
    assert [values["rate"] for values in seen] == [0.1, 0.2]
    assert [values.get("momentum") for values in seen] == [None, 0.5]


@pytest.mark.parametrize("moment", ["before the oracle's file", "after the trial's file"])
def test_a_kill_between_two_files_loses_and_repeats_nothing(tmp_path, monkeypatch, moment):
    class Killed(BaseException):
        pass

    whole = run(genetic(mixed_space), learning_curve, tmp_path, 20, "whole")
    oracle = genetic(mixed_space)
    seen = run(oracle, learning_curve, tmp_path, 7, "cut")
    begins = moment.startswith("before")

    def die(self):
        raise Killed

    if begins:
        monkeypatch.setattr(SafeState, "save", die)
        with pytest.raises(Killed):
            oracle.create_trial("tuner0")
    else:
        trial = oracle.create_trial("tuner0")
        seen.append(dict(trial.hyperparameters.values))
        oracle.update_trial(trial.trial_id, {"loss": learning_curve(seen[-1])})
        trial.status = "COMPLETED"
        monkeypatch.setattr(SafeState, "save", die)
        with pytest.raises(Killed):
            oracle.end_trial(trial)
    monkeypatch.undo()
    again = genetic(mixed_space)
    again._set_project_dir(str(tmp_path), "cut")
    again.reload()
    rest = run(again, learning_curve, tmp_path, 20 - len(seen), "cut")
    assert seen + rest == whole


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_failed_trials_do_not_stop_the_search(tmp_path):
    oracle = genetic(mixed_space, trials=12)
    run(oracle, lambda values: float("nan"), tmp_path, 12)
    assert [trial.status for trial in oracle.trials.values()] == ["FAILED"] * 12


def grid_space():
    hp = keras_tuner.HyperParameters()
    hp.Choice("optimizer", ["adam", "sgd"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Choice("momentum", [0.0, 0.5, 0.9])
    hp.Choice("width", [4, 8, 16])
    return hp


def make(kind, **options):
    return safe(ALGORITHMS[kind], hyperparameters=grid_space(), objective=OBJECTIVE, **options)


@pytest.mark.parametrize("before", range(13))
def test_a_grid_goes_on_after_a_restart(tmp_path, before):
    def width(values):
        return values["width"]

    done = run(make("grid", max_trials=50), width, tmp_path, before)
    again = make("grid", max_trials=50)
    again._set_project_dir(str(tmp_path), "a")
    if before:
        again.reload()
    done += run(again, width, tmp_path, 50)
    whole = {("adam", None, w) for w in (4, 8, 16)}
    whole |= {("sgd", m, w) for m in (0.0, 0.5, 0.9) for w in (4, 8, 16)}
    found = [(v["optimizer"], v.get("momentum"), v["width"]) for v in done]
    assert sorted(found, key=str) == sorted(whole, key=str)


def test_a_trial_ends_once_although_two_workers_come_with_it(tmp_path):
    oracle = make("random", max_trials=3, seed=1)
    oracle._set_project_dir(str(tmp_path), "a")
    oracle.verbose = 0
    slow = oracle.create_trial("slow")
    assert oracle.give_up(1000) == []
    assert oracle.give_up(0) == ["slow"]
    quick = oracle.create_trial("quick")
    assert quick.trial_id == slow.trial_id
    for trial in (quick, slow):
        trial.status = "COMPLETED"
        oracle.update_trial(trial.trial_id, {"loss": 1.0})
        oracle.end_trial(trial)
    assert oracle.end_order == [slow.trial_id]
    assert not oracle.ongoing_trials
    assert oracle.create_trial("slow").trial_id != slow.trial_id


def test_a_late_worker_takes_its_trial_out_of_the_queue(tmp_path):
    oracle = make("random", max_trials=3, seed=1)
    oracle._set_project_dir(str(tmp_path), "a")
    oracle.verbose = 0
    slow = oracle.create_trial("slow")
    oracle.give_up(0)
    slow.status = "COMPLETED"
    oracle.update_trial(slow.trial_id, {"loss": 1.0})
    oracle.end_trial(slow)
    assert oracle.create_trial("quick").trial_id != slow.trial_id


def test_a_trial_that_ends_its_process_again_and_again_fails(tmp_path):
    oracle = make("random", max_trials=2, seed=1)
    oracle._set_project_dir(str(tmp_path), "a")
    oracle.verbose = 0
    ids = [oracle.create_trial("worker0").trial_id for _ in range(MOST_STARTS + 1)]
    assert len(set(ids[:-1])) == 1
    assert ids[-1] != ids[0]
    assert oracle.trials[ids[0]].status == "FAILED"
    assert "ended 5 times" in oracle.trials[ids[0]].message
