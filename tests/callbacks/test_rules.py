"""A parameter that its rule refuses."""

import json
from dataclasses import fields

import numpy as np
import pytest

import callbacks
from callbacks.rules import rule_of, words_of
from tests.callbacks.cases import EXAMPLES

UNTIL = {"num_warmup_steps": 3, "num_training_steps": 9}
DECAY = {"learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}
BAD = [
    ("CosineDecay", {"learning_rate": -0.1, "decay_steps": 10}, "learning_rate"),
    ("CosineDecay", {"learning_rate": "fast", "decay_steps": 10}, "learning_rate"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": -10}, "decay_steps"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": 0}, "decay_steps"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": 9, "exponent": -1}, "exponent"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": 9, "warmup_target": -1}, "warmup_target"),
    ("CosineDecay", {"learning_rate": float("nan"), "decay_steps": 10}, "learning_rate"),
    ("CosineDecay", {"learning_rate": 0.1, "decay_steps": 10, "per": "batch"}, "per"),
    ("CosineDecayRestarts", {"learning_rate": 0.1, "first_decay_steps": 5, "t_mul": 0}, "t_mul"),
    ("ExponentialDecay", {"learning_rate": 0.1, "decay_steps": 1, "decay_rate": -1}, "decay_rate"),
    ("PolynomialDecay", {"learning_rate": 0.1, "decay_steps": 1, "power": -1}, "power"),
    ("PiecewiseConstantDecay", {"boundaries": [2, 1], "values": [1, 2, 3]}, "boundaries"),
    ("PiecewiseConstantDecay", {"boundaries": [1, 2], "values": [1, 2]}, "values"),
    ("NoisyLinearCosineDecay", {"learning_rate": 0.1, "decay_steps": 1, "seed": -1}, "seed"),
    ("StepLR", {"step_size": 0}, "step_size"),
    ("MultiStepLR", {"milestones": [-1]}, "milestones"),
    ("ConstantLR", {"factor": 2.0}, "factor"),
    ("LinearLR", {"start_factor": 0.0}, "start_factor"),
    ("LinearLR", {"end_factor": 1.5}, "end_factor"),
    ("ExponentialLR", {"gamma": float("inf")}, "gamma"),
    ("PolynomialLR", {"total_iters": -1}, "total_iters"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0"),
    ("CyclicLR", {"base_lr": 0.2, "max_lr": -0.1}, "max_lr"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "mode": "triangle"}, "mode"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 0}, "total_steps"),
    ("GreedyLR", {"factor": 1.0}, "factor"),
    ("GreedyLR", {"window_size": 0}, "window_size"),
    ("StepLR", {"step_size": 3, "count_from": "here"}, "count_from"),
    ("StepLR", {"step_size": 3, "per": "step", "smooth": True}, "smooth"),
    ("Warmup", {"scheduler": callbacks.StepLR(3), "steps": 3, "shape": "round"}, "shape"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 0.1}, "pct_start"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "pct_start": 1.5}, "pct_start"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 10, "anneal_strategy": "sin"}, "anneal_strategy"),
    ("LambdaLR", {"lr_lambda": 0.5}, "lr_lambda"),
    ("SequentialLR", {"schedulers": [], "milestones": []}, "schedulers"),
    ("SequentialLR", {"schedulers": ["step_lr"], "milestones": []}, "schedulers"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "factor"),
    ("ReduceLROnPlateau", {"mode": "smallest"}, "mode"),
    ("ReduceLROnPlateau", {"threshold_mode": "relative"}, "threshold_mode"),
    ("ReduceLROnPlateau", {"scheduler": "cosine"}, "scheduler"),
    ("Warmup", {"scheduler": None, "steps": 3}, "scheduler"),
    ("ConstantSchedule", {"learning_rate": -1}, "learning_rate"),
    ("ConstantScheduleWithWarmup", {"num_warmup_steps": -1}, "num_warmup_steps"),
    ("CosineLRSchedule", {"max_update": 9, "warmup_updates": 9}, "lr_period_updates"),
    ("CosineLRScheduler", {"t_initial": 0}, "t_initial"),
    ("CosineLRScheduler", {"t_initial": 9, "noise_range_t": (1, 2, 3)}, "noise_range_t"),
    ("CosineLRScheduler", {"t_initial": 9, "noise_range_t": "all"}, "noise_range_t"),
    ("CosineRestartLR", {"periods": [], "restart_weights": [], "eta_min": 0.0}, "periods"),
    ("CosineRestartLR", {"periods": [2.5], "eta_min": 0.0}, "periods"),
    ("CosineRestartLR", {"periods": [2, 3], "eta_min": 0.0}, "restart_weights"),
    ("CosineRestartLR", {"periods": [2]}, "eta_min"),
    ("CosineRestartLR", {"periods": [2], "eta_min": 0.0, "eta_min_ratio": 0.0}, "eta_min"),
    ("CosineScheduleWithWarmup", {**UNTIL, "min_lr": 0.1, "min_lr_rate": 0.1}, "min_lr"),
    (
        "CosineWithMinLRScheduleWithWarmupLRRate",
        {**UNTIL, "min_lr": 0.1, "min_lr_rate": 0.1},
        "min_lr",
    ),
    ("CosineWithHardRestartsScheduleWithWarmup", {**UNTIL, "num_cycles": "two"}, "num_cycles"),
    ("ExponentialTransition", {"transition_steps": 3, "decay_rate": -1}, "decay_rate"),
    ("FlatCosine", {"total_steps": 9, "pct_start": 2}, "pct_start"),
    ("InvDecay", {"gamma": -0.1, "power": 1}, "gamma"),
    ("InverseSqrtSchedule", {"num_warmup_steps": 3, "timescale": 0}, "timescale"),
    ("LinearScheduleWithWarmup", {**UNTIL, "num_training_steps": -1}, "num_training_steps"),
    ("MultiStepLRScheduler", {"decay_t": [5, 2]}, "decay_t"),
    ("NoamDecay", {"d_model": 0, "warmup_steps": 4}, "d_model"),
    ("NoamDecay", {"d_model": 64, "warmup_steps": 4, "learning_rate": None}, "learning_rate"),
    ("NoisyLR", {"scheduler": None}, "scheduler"),
    (
        "PiecewiseInterpolate",
        {"interpolate_type": "cos", "boundaries_and_scales": {}},
        "interpolate_type",
    ),
    (
        "PiecewiseInterpolate",
        {"interpolate_type": "linear", "boundaries_and_scales": {3: -1}},
        "boundaries_and_scales",
    ),
    (
        "PiecewiseInterpolate",
        {"interpolate_type": "linear", "boundaries_and_scales": [3]},
        "boundaries_and_scales",
    ),
    (
        "PiecewiseInterpolate",
        {"interpolate_type": "linear", "boundaries_and_scales": {"three": 1}},
        "boundaries_and_scales",
    ),
    ("PolyLRScheduler", {"t_initial": 9, "power": -1, "k_decay": 0}, "power"),
    ("PolynomialDecayScheduleWithWarmup", {**UNTIL, "power": -1}, "power"),
    ("RandomDecay", {"power": 1, "seed": -1}, "seed"),
    ("SWALR", {"swa_lr": 0.1, "anneal_epochs": -1}, "anneal_epochs"),
    ("SWALR", {"swa_lr": 0.1, "anneal_strategy": "cosine"}, "anneal_strategy"),
    ("SigmoidDecay", {"gamma": 1, "stepsize": None}, "stepsize"),
    ("StepLRScheduler", {"decay_t": 0}, "decay_t"),
    ("TanhLRScheduler", {"t_initial": 9, "lb": 3.0, "ub": 3.0}, "lb"),
    ("TriStageLRSchedule", {"warmup_steps": 3}, "decay_steps"),
    ("TriStageLRSchedule", {"phase_ratio": [0.5, 0.5, 0.5], "max_update": 9}, "phase_ratio"),
    ("TriangularLRSchedule", {"max_lr": 1.0, "lr_period_updates": 1.5}, "lr_period_updates"),
    ("WSDLRScheduler", {"t_initial": 9, "decay_t": 10}, "decay_t"),
    ("WSDLRScheduler", {"t_initial": 9, "decay_t": 5, "decay_fn": "sqrt"}, "decay_fn"),
    ("WSDLRScheduler", {"t_initial": 9, "decay_t": 5, "stable_fn": "rsqrt"}, "stable_timescale"),
    ("WSDSchedule", {**UNTIL, "num_decay_steps": -1}, "num_decay_steps"),
    ("MultiStepLR", {"milestones": 30}, "milestones"),
    ("MultiStepLR", {"milestones": ["half", 0.5]}, "milestones"),
    ("MultiStepLR", {"milestones": None}, "milestones"),
    ("MultiStepLRScheduler", {"decay_t": 5}, "decay_t"),
    ("PiecewiseConstantDecay", {"boundaries": 10, "values": [0.1, 0.2]}, "boundaries"),
    ("PiecewiseConstantDecay", {"boundaries": [10], "values": [0.1, None]}, "values"),
    ("SequentialLR", {"schedulers": [callbacks.StepLR(3)] * 2, "milestones": 5}, "milestones"),
    ("SequentialLR", {"schedulers": callbacks.StepLR(3), "milestones": []}, "schedulers"),
    ("ChainedScheduler", {"schedulers": callbacks.StepLR(3)}, "schedulers"),
    ("LinearScheduleWithWarmup", {"num_warmup_steps": None}, "num_warmup_steps"),
    ("CosineDecay", {"learning_rate": 0.1, "warmup_steps": "few"}, "warmup_steps"),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": -1, "steps_per_epoch": 4}, "epochs"),
    ("OneCycleLR", {"max_lr": 0.1, "epochs": 3}, "epochs"),
    ("OneCycleLR", {"max_lr": 0.1, "steps_per_epoch": 3}, "epochs"),
    ("ReduceLROnPlateau", {"monitor": None}, "monitor"),
    ("ReduceLROnPlateau", {"verbose": "yes"}, "verbose"),
    ("GreedyLR", {"smooth": True}, "smooth"),
    ("ExponentialDecay", {**DECAY, "staircase": "no"}, "staircase"),
    ("StepLRScheduler", {"decay_t": 9, "warmup_prefix": 4}, "warmup_prefix"),
    ("StepLR", {"step_size": 3, "smooth": "yes"}, "smooth"),
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


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_parameter_but_the_schemes_in_a_scheme_has_a_rule(name):
    for parameter in fields(getattr(callbacks, name)):
        ruled = rule_of(parameter.type) or words_of(parameter.type)
        assert bool(ruled) != (parameter.name in {"scheduler", "schedulers"}), parameter.name


GOOD = {
    "verbose of Keras and Transformers": lambda: callbacks.ReduceLROnPlateau(verbose=True),
    "a switch as a number": lambda: callbacks.ExponentialDecay(0.1, 3, 0.5, staircase=1),
    "constant in optax": lambda: callbacks.PiecewiseInterpolate("linear", None),
    "a tuple": lambda: callbacks.MultiStepLR((2, 4)),
    "no milestones": lambda: callbacks.MultiStepLR([]),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_a_reference_takes_is_taken(name):
    scheme = GOOD[name]()
    assert isinstance(scheme.value(0), float)
    assert type(scheme).from_config(scheme.get_config()).value(3) == scheme.value(3)


# Arrays and numbers of NumPy, and the same of Python.
NUMPY = {
    "milestones": (
        lambda: callbacks.MultiStepLR(np.array([2, 4])),
        lambda: callbacks.MultiStepLR([2, 4]),
    ),
    "pieces": (
        lambda: callbacks.PiecewiseConstantDecay(np.array([2, 4]), np.array([0.3, 0.2, 0.1])),
        lambda: callbacks.PiecewiseConstantDecay([2, 4], [0.3, 0.2, 0.1]),
    ),
    "a sequence": (
        lambda: callbacks.SequentialLR([callbacks.StepLR(1), callbacks.StepLR(2)], np.array([3])),
        lambda: callbacks.SequentialLR([callbacks.StepLR(1), callbacks.StepLR(2)], [3]),
    ),
    "numbers": (
        lambda: callbacks.CosineDecay(np.float64(0.1), np.int64(7), alpha=np.float32(0.5)),
        lambda: callbacks.CosineDecay(0.1, 7, alpha=0.5),
    ),
    "knots": (
        lambda: callbacks.PiecewiseInterpolate("linear", {np.int64(3): np.float64(0.5)}),
        lambda: callbacks.PiecewiseInterpolate("linear", {3: 0.5}),
    ),
    "a switch": (
        lambda: callbacks.ExponentialDecay(0.1, 3, 0.5, staircase=np.True_),
        lambda: callbacks.ExponentialDecay(0.1, 3, 0.5, staircase=True),
    ),
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpys_numbers_are_taken_and_saved_as_pythons(name):
    theirs, ours = (make() for make in NUMPY[name])
    assert [theirs.value(t) for t in range(9)] == [ours.value(t) for t in range(9)]
    assert json.dumps(theirs.get_config()) == json.dumps(ours.get_config())


def test_the_text_says_whose_parameter_what_came_and_what_is_allowed():
    with pytest.raises(ValueError, match=r"^StepLR: gamma = 'x' is not a number that is finite\.$"):
        callbacks.StepLR(3, gamma="x")
    with pytest.raises(ValueError, match=r"^StepLR: step_size = 0 is not a whole number from 1 up"):
        callbacks.StepLR(0)
    with pytest.raises(ValueError, match=r"^Unknown per: 'batch'\. Allowed: epoch, step\.$"):
        callbacks.StepLR(3, per="batch")
