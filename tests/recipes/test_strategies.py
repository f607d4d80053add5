import pytest

import callbacks
from recipes.strategies import STRATEGIES, WAYS, FineTuneStrategy, Phase, get, names

ALL = {**STRATEGIES, **WAYS}


@pytest.mark.parametrize("name", ALL)
def test_a_strategy_survives_its_dictionary(name):
    assert FineTuneStrategy.from_dict(ALL[name].to_dict()) == ALL[name]


@pytest.mark.parametrize("name", ALL)
def test_the_classifier_is_trained_before_what_lies_below_it(name):
    strategy = ALL[name]
    if strategy.weights == "pretrained" and strategy.phases:
        assert strategy.phases[0].trainable_from == 1.0
    for phase in strategy.phases:
        assert phase.decay in callbacks.names()


def test_names_are_those_that_get_takes():
    for name in names():
        if name not in ("auto", "race"):
            assert get(name).name == name
    with pytest.raises(ValueError, match="Did you mean 'small_similar'"):
        get("small-similer")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"trainable_from": 1.2}, "trainable_from: 1.2"),
        ({"epochs": 0}, "epochs: 0"),
        ({"learning_rate": 0.0}, "learning_rate: 0.0"),
        ({"warmup": 1.0}, "warmup: 1.0"),
        ({"lora_rank": -1}, "lora_rank: -1"),
        ({"lora_rank": 1.5}, "lora_rank: 1.5"),
        ({"lora_rank": 4, "trainable_from": 1.0}, "lora_rank: the classifier"),
    ],
)
def test_unusable_phases_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Phase(
            **{"name": "x", "trainable_from": 0.5, "epochs": 1, "learning_rate": 0.1, **arguments}
        )
