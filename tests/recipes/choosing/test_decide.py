from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recipes.choosing.decide import decide
from recipes.choosing.expected import EQUAL, SHARES, WORTH, Expectation, best, expectations
from recipes.choosing.survey import Survey
from recipes.strategies import STRATEGIES
from recipes.tasks import Multiclass

TASK = Multiclass(("a", "b"))


def found(divergence, linear=None):
    table = pd.DataFrame({"layer": ["a", "b", "c"], "divergence": [divergence] * 3})
    stages = pd.DataFrame(
        {"stage": ["early", "late"], "neighbour_accuracy": [0.4, 0.3], "h_score": [1.0, 2.0]}
    )
    return Survey(table, None if linear is None else stages, linear)


def test_the_table_is_of_the_strategies_with_a_pretrained_start():
    pretrained = [name for name, plan in STRATEGIES.items() if plan.weights == "pretrained"]
    assert list(SHARES) == pretrained
    assert SHARES["small_similar"] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("error", [0.0, 0.02, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("divergence", "kind"), [(0.05, 0), (0.08, 1), (0.2, 1), (0.5, 2)])
@pytest.mark.parametrize("per_class", [10, 2_000])
def test_the_choice_is_what_is_expected_to_bring_most(error, divergence, kind, per_class):
    labels = np.array([0, 1] * per_class)
    decision = decide(TASK, labels, found(divergence, 1 - error))
    many = per_class > 1_000
    gains = {name: share[kind] * error for name, share in SHARES.items()}
    most = max(gains.values())
    assert ("little left to learn" in decision.reason) == (error <= 0.05)
    if error <= 0.05:
        assert decision.strategy == "small_similar"
    elif many and divergence >= 0.13:
        assert decision.strategy == "large_dissimilar"
    else:
        assert decision.strategy != "small_similar"
        assert gains[decision.strategy] >= most - EQUAL
    for name, gain in gains.items():
        assert decision.measurements[f"expected_gain {name}"] == pytest.approx(gain)
    said = (f"{divergence:.3f}", f"{2 * per_class:,} training", f"{1 - error:.1%}", "50.0%")
    assert all(text in decision.reason for text in said)
    assert f"So: {STRATEGIES[decision.strategy].description}." in decision.reason
    assert decision.measurements["best_stage"] == "early"


TEXTBOOK = {
    (10, 0.05): "small_similar",
    (10, 0.5): "small_dissimilar",
    (2_000, 0.05): "large_similar",
    (2_000, 0.5): "large_dissimilar",
}


@pytest.mark.parametrize(("per_class", "divergence"), TEXTBOOK, ids=str)
@pytest.mark.parametrize("linear", [0.2, 1.0])
def test_the_decision_says_where_the_textbook_differs(per_class, divergence, linear):
    decision = decide(TASK, np.array([0, 1] * per_class), found(divergence, linear))
    other = TEXTBOOK[per_class, divergence]
    differs = f"The textbook would say otherwise: {STRATEGIES[other].description}."
    assert (differs in decision.reason) == (other != decision.strategy)


def test_a_gain_that_cannot_be_told_apart_takes_the_least_time():
    near = [
        Expectation("short", 0.0),
        Expectation("middle", 0.05 - EQUAL, 60),
        Expectation("long", 0.05, 600),
    ]
    assert best(near).strategy == "middle"
    assert best([near[0], Expectation("middle", 0.02, 60), near[2]]).strategy == "long"
    assert best([near[0], Expectation("long", 0.0, 1)]).strategy == "long"
    assert best([near[0], Expectation("long", WORTH / 2, 1)], time_left=9).strategy == "short"
    assert best([near[0], Expectation("long", WORTH, 1)], time_left=9).strategy == "long"
    assert best(near, solved=True).strategy == "short"


def test_what_takes_longer_than_there_is_brings_less():
    gains = [
        Expectation("short", 0.0, 10),
        Expectation("middle", 0.05, 100),
        Expectation("long", 0.08, 400),
    ]
    assert [best(gains, left).strategy for left in (1_000, 400, 150, 1, -5)] == [
        "long",
        "long",
        "middle",
        "short",
        "short",
    ]


def test_the_expected_gains_and_times_are_said():
    seconds = dict.fromkeys(SHARES, 120.0)
    decision = decide(TASK, np.array([0, 1] * 20), found(0.2, 0.5), seconds=seconds, time_left=90)
    whole = SHARES["large_similar"][1] * 50
    assert f"training the whole network {whole:+.1f} points in about 2 minutes" in decision.reason
    assert "with 2 minutes left" in decision.reason


def test_from_scratch_is_not_begun_where_time_is_limited():
    labels = np.array([0, 1] * 2_000)
    assert decide(TASK, labels, found(0.5, 0.5)).strategy == "large_dissimilar"
    assert decide(TASK, labels, found(0.5, 0.5), time_left=1e6).strategy == "small_dissimilar"


@pytest.mark.parametrize(
    ("divergence", "second"), [(0.05, "small_dissimilar"), (0.2, "large_similar")]
)
def test_the_second_is_the_one_that_is_expected_to_bring_most(divergence, second):
    decision = decide(TASK, np.array([0, 1] * 20), found(divergence, 0.98))
    assert decision.strategy == "small_similar"
    assert decision.runner_up == second


def test_the_thresholds_can_be_chosen():
    labels = np.array([0, 1] * 50)
    few = {"large_from": 50, "dissimilar_from": 0.05}
    assert decide(TASK, labels, found(0.05), **few).strategy == "large_dissimilar"
    for name in few:
        options = {**few, name: 51}
        assert decide(TASK, labels, found(0.05), **options).strategy != "large_dissimilar"


def test_what_the_likeness_was_measured_with_is_said_where_it_was_another_network():
    labels = np.array([0, 1] * 20)
    own = decide(TASK, labels, found(0.2, 0.8))
    other = decide(TASK, labels, replace(found(0.2, 0.8), yardstick="efficientnet_lite0"))
    assert own.measurements["divergence_measured_with"] is None
    assert "unlike the pretraining data (a divergence of 0.200; unlike" in own.reason
    assert other.measurements["divergence_measured_with"] == "efficientnet_lite0"
    assert "unlike ImageNet's photos" in other.reason
    assert "efficientnet_lite0 since the backbone has no batch normalization" in other.reason


def test_expectations_are_in_the_order_of_their_cost():
    assert [one.strategy for one in expectations(0.3, kind=0)] == list(SHARES)
