"""A training that is killed ends with the weights of the one that was not, bit for bit."""

import json
import signal
import subprocess
import sys

import pytest

from tests.recipes.kills import POINTS

SLOW = {  # their like are among the others
    "pictures are decoded",
    "the first features are computed",
    "features lie in a file without its note",
    "the first step",
    "the first epoch ends",
    "the first state is half-written",
    "the plan is half-written",
    "the state before was moved",
    "the first phase has ended",
    "the second phase's features",
    "a classifier is being solved",
    "in the last phase",
    "probabilities are calibrated",
    "in the second training",
    "the judgement is saved",
    "novelty is measured",
    "the weights are half-written",
    "the run's note is missing",
    "the report is half-written",
    "the folder has its name",
}
SAME = ("weights", "history", "predictions", "audit")


def results(folder, *arguments):
    path = folder / "results.json"
    subprocess.run([sys.executable, "-m", "tests.recipes.kills", path, *arguments], check=True)
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What came of the quick points."""
    quick = [name for name in POINTS if name not in SLOW]
    return results(tmp_path_factory.mktemp("kills"), "points", *quick)


@pytest.fixture(scope="module")
def found_slowly(tmp_path_factory):
    return results(tmp_path_factory.mktemp("kills"), "points", *sorted(SLOW))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("point", [name for name in POINTS if name not in SLOW])
def test_a_killed_training_ends_as_the_whole_one(found, point):
    check(found, point)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("point", sorted(SLOW))
def test_so_it_does_at_the_other_points(found_slowly, point):
    check(found_slowly, point)


def check(found, point):
    whole, killed = found["whole"], found[point]
    assert killed["code"] == signal.SIGKILL, "the point was never reached"
    for name in SAME:
        assert killed[name] == whole[name]
    assert killed["beside"] == ["run"]
    left = {"state.safetensors", "state.previous.safetensors", "settings.json", "lock", "begun"}
    assert set(killed["files"]) - left == set(whole["files"])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_random_kills(tmp_path):
    found = results(tmp_path, "random", "100")
    whole = found.pop("whole")
    assert sum(one["kills"] for one in found.values()) >= 100
    for one in found.values():
        assert {name: one[name] for name in SAME} == {name: whole[name] for name in SAME}
