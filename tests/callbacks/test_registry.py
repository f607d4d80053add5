"""The names: public ones, those of `get`, and those that editors and type checkers see."""

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest

import callbacks
from callbacks.registry import MODULE_OF
from tests.callbacks.cases import EXAMPLES

SHARED = ("learning_rate", "per", "smooth", "count_from", "optimizer")  # said at the base
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
            if parameter.name not in SHARED:
                assert f"{parameter.name}:" in text, parameter.name


def test_type_checkers_see_the_names_that_are_loaded():
    (branch,) = (
        node
        for node in ast.parse(Path(callbacks.__file__).read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {name.asname: imported.module for imported in branch.body for name in imported.names}
    assert seen == MODULE_OF
    assert {*seen, "get", "names"} == set(callbacks.__all__)
    assert Path(callbacks.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_name_is_loaded_from_its_module(name):
    thing = getattr(callbacks, name)
    assert (thing.__name__, thing.__module__) == (name, f"callbacks.{MODULE_OF[name]}")
    assert name in dir(callbacks)


@pytest.mark.parametrize("name", EXAMPLES)
def test_both_names_give_the_scheme(name):
    short = next(short for short, cls in callbacks.SCHEMES.items() if cls == name)
    scheme = EXAMPLES[name]()
    parameters = {f.name: getattr(scheme, f.name) for f in dataclasses.fields(scheme)}
    for known in (short, name, type(scheme)):
        assert type(callbacks.get(known, **parameters)) is type(scheme)


def test_a_scheme_passes_through_and_what_is_none_is_refused():
    scheme = callbacks.StepLR(3)
    assert callbacks.get(scheme) is scheme
    with pytest.raises(ValueError, match="StepLR is made already: gamma"):
        callbacks.get(scheme, gamma=0.5)
    for wrong in (5, None, callbacks.LearningRateFinder, str):
        with pytest.raises(ValueError, match=r"^Unknown learning-rate decay scheme: "):
            callbacks.get(wrong)


def positional(cls):
    return [field.name for field in dataclasses.fields(cls) if not field.kw_only]


# `inspect.signature` of timm 1.0.31, up to the first parameter that is by name only here.
TIMM_ORDER = {
    "CosineLRScheduler": ["t_initial", "lr_min", "cycle_mul", "cycle_decay", "cycle_limit"],
    "TanhLRScheduler": [
        *("t_initial", "lb", "ub", "lr_min", "cycle_mul", "cycle_decay", "cycle_limit")
    ],
    "PolyLRScheduler": ["t_initial", "power", "lr_min", "cycle_mul", "cycle_decay", "cycle_limit"],
    "StepLRScheduler": ["decay_t", "decay_rate"],
    "MultiStepLRScheduler": ["decay_t", "decay_rate"],
    "WSDLRScheduler": [
        *("t_initial", "decay_t", "lr_min", "stable_fn", "stable_timescale", "stable_power"),
        *("decay_fn", "decay_power", "decay_ratio"),
    ],
}


@pytest.mark.parametrize("name", TIMM_ORDER)
def test_parameters_without_their_names_are_timms(name):
    assert positional(getattr(callbacks, name)) == TIMM_ORDER[name]


def test_parameters_without_their_names_are_pytorchs():
    torch = pytest.importorskip("torch")
    theirs = {**vars(torch.optim.lr_scheduler), "SWALR": torch.optim.swa_utils.SWALR}
    known = (set(EXAMPLES) & set(theirs)) - {"ReduceLROnPlateau"}  # ours begins as Keras' does
    assert len(known) >= 15
    for name in known:
        names = list(inspect.signature(theirs[name]).parameters)
        expected = [n for n in names if n not in ("optimizer", "last_epoch", "verbose")]
        assert positional(getattr(callbacks, name)) == expected, name


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'cosine_decay'"):
        callbacks.get("cosine_decy")
    with pytest.raises(ValueError, match="Did you mean 'decay_steps'"):
        callbacks.get("cosine_decay", learning_rate=0.1, decay_step=5)
    with pytest.raises(AttributeError, match="no attribute 'NoSuchLR'"):
        callbacks.NoSuchLR  # noqa: B018


# `transformers.SchedulerType` but for "greedy", and `timm.scheduler.create_scheduler_v2`.
TRANSFORMERS = {
    "linear": "LinearScheduleWithWarmup",
    "cosine": "CosineScheduleWithWarmup",
    "cosine_with_restarts": "CosineWithHardRestartsScheduleWithWarmup",
    "polynomial": "PolynomialDecayScheduleWithWarmup",
    "constant": "ConstantSchedule",
    "constant_with_warmup": "ConstantScheduleWithWarmup",
    "inverse_sqrt": "InverseSqrtSchedule",
    "reduce_lr_on_plateau": "ReduceLROnPlateau",
    "cosine_with_min_lr": "CosineScheduleWithWarmup",
    "cosine_warmup_with_min_lr": "CosineWithMinLRScheduleWithWarmupLRRate",
    "warmup_stable_decay": "WSDSchedule",
}
TIMM = {
    "tanh": "TanhLRScheduler",
    "step": "StepLRScheduler",
    "multistep": "MultiStepLRScheduler",
    "plateau": "ReduceLROnPlateau",
    "poly": "PolyLRScheduler",
    "wsd": "WSDLRScheduler",
    "rsqrt": "WSDLRScheduler",
    "cosine": "CosineScheduleWithWarmup",  # Transformers' have the names that both have
    "constant": "ConstantSchedule",
}


@pytest.mark.parametrize(("short", "cls"), [*TRANSFORMERS.items(), *TIMM.items()])
def test_the_names_of_transformers_and_timm_give_their_schemes(short, cls):
    scheme = EXAMPLES[cls]()
    parameters = {f.name: getattr(scheme, f.name) for f in dataclasses.fields(scheme)}
    assert type(callbacks.get(short, **parameters)) is type(scheme)
    assert short in callbacks.names()


def test_a_short_name_brings_its_parameters_and_they_can_be_given():
    scheme = callbacks.get("rsqrt", t_initial=9, decay_t=3, stable_timescale=2)
    assert (scheme.stable_fn, scheme.decay_fn) == ("rsqrt", "linear")
    assert (
        callbacks.get("rsqrt", t_initial=9, decay_t=3, warmup_t=1, decay_fn="exp").decay_fn == "exp"
    )
