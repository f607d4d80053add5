import json

import numpy as np
import pandas as pd
import pytest

from recipes.choosing import race
from recipes.images.parts import Part
from recipes.strategies import FineTuneStrategy, Phase
from tests.recipes.transfer.tiny import SIDE, build_tiny, training_data

RNG = np.random.default_rng(0)


def part(count):
    labels = np.arange(count) % 3
    pixels = RNG.integers(0, 40, (count, SIDE, SIDE, 3)) + 70 * labels[:, None, None, None]
    return Part(pixels.astype("uint8"), labels, f"{count}")


DATA = {"train": part(48), "validation": part(24)}


def plan(name, rate):
    return FineTuneStrategy(name, "pretrained", (Phase("head", 1.0, 8, rate),), name)


PLANS = [plan("slow", 1e-9), plan("good", 3e-2), plan("slower", 1e-10), plan("fair", 2e-3)]


@pytest.fixture
def go(tmp_path):
    def go(plans=PLANS, **options):
        started = []

        def start(one):
            started.append(one.name)
            return build_tiny(dropout=0.0)

        data = training_data(DATA, tmp_path / "cache")
        table = race.race(plans, start, data, **options)
        return table, started, data.cache

    return go


def test_the_better_half_goes_on_and_the_best_wins(go):
    table, started, cache = go()
    assert started == ["slow", "good", "slower", "fair", "good", "fair"]
    assert table["heat"].tolist() == [0] * 4 + [1] * 2
    assert table.iloc[4]["strategy"] == "good"
    for _, heat in table.groupby("heat"):
        assert heat["val_loss"].is_monotonic_increasing
    assert len(cache._arrays) == 2  # the features of two parts, for all trainings


def test_an_interrupted_race_goes_on(go, tmp_path):
    note = tmp_path / "race.json"
    whole, started, _ = go(note=note)
    rows = json.loads(note.read_text())["rows"]
    assert len(rows) == 6
    note.write_text(json.dumps({"rows": rows[:3]}))
    again, later, _ = go(note=note)
    assert later == started[3:]
    columns = ["heat", "strategy", "val_loss", "val_accuracy"]
    pd.testing.assert_frame_equal(again[columns], whole[columns])


def test_a_strategy_that_diverges_loses(go):
    table, _, _ = go([plan("wild", 1e38), plan("good", 1e-2)], heats=(0.5,))
    assert table["strategy"].tolist() == ["good", "wild"]
    assert table["val_loss"].tolist()[1] == np.inf


def test_the_decision_says_how_it_came_about():
    table = pd.DataFrame(
        {
            "heat": [0, 0],
            "strategy": ["large_similar", "small_dissimilar"],
            "val_loss": [0.5, 0.75],
            "val_accuracy": [0.8, 0.7],
        }
    )
    alone = race.decide(table)
    assert alone.strategy == "large_similar"
    assert "large_similar 0.500, small_dissimilar 0.750" in alone.reason
    assert alone.measurements["heat 1 large_similar"] == 0.5
