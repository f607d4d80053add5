"""What holds for every scheme: names, parameters, round trips, tables and plots."""

import dataclasses
import inspect

import keras
import pytest
from matplotlib.figure import Figure

import callbacks
from tests.callbacks.cases import EXAMPLES

PUBLIC = sorted(set(callbacks.__all__) - {"get", "names"})


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented_with_an_example(name):
    thing = getattr(callbacks, name)
    text = inspect.getdoc(thing)
    assert ">>>" in text
    assert "Args:" in text
    if name in EXAMPLES:
        assert "Source:" in text
        for parameter in dataclasses.fields(thing):
            if parameter.name not in ("learning_rate", "per") or name == "LearningRateDecay":
                assert f"{parameter.name}:" in text, parameter.name


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_scheme_is_final_and_small(name):
    cls = getattr(callbacks, name)
    assert not cls.__subclasses__()
    method = inspect.getsource(cls.value)
    assert len(method.splitlines()) <= 12
    assert list(inspect.signature(cls.value).parameters) == ["self", "step"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_both_names_give_the_scheme(name):
    short = next(short for short, cls in callbacks.SCHEMES.items() if cls == name)
    scheme = EXAMPLES[name]()
    parameters = {f.name: getattr(scheme, f.name) for f in dataclasses.fields(scheme)}
    for known in (short, name, type(scheme)):
        assert type(callbacks.get(known, **parameters)) is type(scheme)


@pytest.mark.parametrize("name", EXAMPLES)
def test_configuration_and_serialization_round_trip(name):
    scheme = EXAMPLES[name]()
    curve = [scheme.value(step) for step in range(12)]
    by_config = type(scheme).from_config(scheme.get_config())
    by_keras = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(scheme))
    for copy in (by_config, by_keras):
        assert type(copy) is type(scheme)
        assert [copy.value(step) for step in range(12)] == curve
        assert repr(copy.get_config()) == repr(scheme.get_config())


@pytest.mark.parametrize("name", EXAMPLES)
def test_table_and_plot(name):
    scheme = EXAMPLES[name]()
    table = scheme.to_frame(12)
    assert list(table)[:2] == [scheme.per, "learning_rate"]
    assert table["learning_rate"].tolist() == [scheme.value(step) for step in range(12)]
    assert ("momentum" in table) == scheme.drives_momentum
    axes = Figure().subplots()
    assert scheme.plot(12, ax=axes) is axes
    callbacks.StepLR(3).plot(12, ax=axes)
    assert [line.get_label() for line in axes.lines] == [name, "StepLR"]
    assert axes.lines[0].get_ydata().tolist() == table["learning_rate"].tolist()


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
    ("ReduceLROnPlateau", {"mode": "auto"}, "mode"),
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


def test_milestones_and_units_must_match():
    members = [callbacks.StepLR(3), callbacks.LinearLR()]
    for milestones in ([], [1, 2], [0], [-1]):
        with pytest.raises(ValueError, match="milestones"):
            callbacks.SequentialLR(members, milestones)
    with pytest.raises(ValueError, match="CosineDecay counts steps, the whole counts epochs"):
        callbacks.SequentialLR([callbacks.StepLR(3), callbacks.CosineDecay(0.1, 5)], [4])


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'cosine_decay'"):
        callbacks.get("cosine_decy")
    with pytest.raises(ValueError, match="Did you mean 'decay_steps'"):
        callbacks.get("cosine_decay", learning_rate=0.1, decay_step=5)
    with pytest.raises(AttributeError, match="no attribute 'NoSuchLR'"):
        callbacks.NoSuchLR  # noqa: B018


def test_a_product_is_a_chain():
    chain = callbacks.CosineDecay(0.5, 10) * callbacks.StepLR(3, gamma=0.5, per="step")
    cosine = callbacks.CosineDecay(0.5, 10)
    assert chain.value(7) == pytest.approx(cosine.value(7) * 0.25)
    with pytest.raises(TypeError):
        cosine * 2
