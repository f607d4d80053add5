"""A parameter that its rule refuses."""

from dataclasses import fields

import pytest

import callbacks
from callbacks.rules import rule_of, words_of
from tests.callbacks.cases import EXAMPLES

BAD = [
    ("CosineDecay", {"learning_rate": -0.1, "decay_steps": 10}, "learning_rate"),
    ("CosineDecay", {"learning_rate": "fast", "decay_steps": 10}, "learning_rate"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": -10}, "decay_steps"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": 2.5}, "decay_steps"),
    ("CosineDecay", {"learning_rate": float("nan"), "decay_steps": 10}, "learning_rate"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": 10, "per": "batch"}, "per"),
    ("CosineDecayRestarts", {"learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 0.5}, "t_mul"),
    ("ExponentialDecay", {"learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0}, "decay_rate"),
    ("PolynomialDecay", {"learning_rate": 0.1, "decay_steps": 1, "power": 0}, "power"),
    ("PiecewiseConstantDecay", {"boundaries": [2, 1], "values": [1, 2, 3]}, "boundaries"),
    ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [1, 2]}, "values"),
    ("NoisyLinearCosineDecay", {"learning_rate": 0.1, "decay_steps": 1, "seed": -1}, "seed"),
    ("StepLR", {"step_size": 0}, "step_size"),
    ("MultiStepLR", {"milestones": [-1]}, "milestones"),
    ("ConstantLR", {"factor": 2.0}, "factor"),
    ("LinearLR", {"start_factor": 0.0}, "start_factor"),
    ("LinearLR", {"end_factor": 1.5}, "end_factor"),
    ("ExponentialLR", {"gamma": 0.0}, "gamma"),
    ("PolynomialLR", {"total_iters": 0}, "total_iters"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0"),
    ("CyclicLR", {"base_lr": 0.2, "max_lr": 0.1}, "max_lr"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "mode": "triangle"}, "mode"),
    ("OneCycleLR", {"max_lr": 0.1}, "total_steps"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 0.0}, "pct_start"),
    (
        "OneCycleLR",
        {"max_lr": 0.1, "total_steps": 10, "pct_start": 0.7, "three_phase": True},
        "pct_start",
    ),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "anneal_strategy": "sin"}, "anneal_strategy"),
    ("LambdaLR", {"lr_lambda": 0.5}, "lr_lambda"),
    ("SequentialLR", {"schedulers": [], "milestones": []}, "schedulers"),
    ("SequentialLR", {"schedulers": ["step_lr"], "milestones": []}, "schedulers"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "factor"),
    ("ReduceLROnPlateau", {"mode": "smallest"}, "mode"),
    ("ReduceLROnPlateau", {"threshold_mode": "relative"}, "threshold_mode"),
    ("ReduceLROnPlateau", {"scheduler": "cosine"}, "scheduler"),
    ("Warmup", {"scheduler": None, "steps": 3}, "scheduler"),
]


@pytest.mark.parametrize(("name", "parameters", "culprit"), BAD)
def test_a_bad_parameter_fails_at_construction_by_its_name(name, parameters, culprit):
    with pytest.raises(ValueError, match=rf"\b{culprit}\b"):
        callbacks.get(name, **parameters)


def test_every_scheme_has_a_bad_parameter_in_the_table():
    inherited = {
        "ChainedScheduler",
        "InverseTimeDecay",
        "LinearCosineDecay",
        "NaturalExpDecay",
        "MultiplicativeLR",
    }
    assert {name for name, *_ in BAD} | inherited == set(EXAMPLES)


FREE = {"boundaries", "epochs", "milestones", "monitor", "scheduler", "steps_per_epoch", "values"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_parameter_but_switches_and_those_that_a_scheme_checks_itself_has_a_rule(name):
    for parameter in fields(getattr(callbacks, name)):
        ruled = rule_of(parameter.type) or words_of(parameter.type) or parameter.type is bool
        assert bool(ruled) != (parameter.name in {*FREE, "schedulers"}), parameter.name


def test_the_text_says_whose_parameter_what_came_and_what_is_allowed():
    with pytest.raises(ValueError, match=r"^StepLR: gamma = 'x' is not a number above 0\.$"):
        callbacks.StepLR(3, gamma="x")
    with pytest.raises(ValueError, match=r"^Unknown per: 'batch'\. Allowed: epoch, step\.$"):
        callbacks.StepLR(3, per="batch")
