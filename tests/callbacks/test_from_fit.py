"""Lengths that `fit` tells: totals that nobody types, and shares of them."""

import json

import keras
import numpy as np
import pytest

import callbacks
from callbacks.spans import NOTE
from tests.callbacks.cases import EXAMPLES
from tests.callbacks.fitting import X, fit, linear_model

EPOCHS, STEPS = 4, 4  # of eight pictures in batches of two
TOTAL = EPOCHS * STEPS

# A scheme without its total, and with it.
TOTALS = {
    "ConstantLR": lambda total: callbacks.ConstantLR(0.5, total),
    "CosineAnnealingLR": lambda total: callbacks.CosineAnnealingLR(total, per="epoch"),
    "CosineDecay": lambda total: callbacks.CosineDecay(0.1, total),
    "CosineDecay by epochs": lambda total: callbacks.CosineDecay(0.1, total, per="epoch"),
    "CosineLRScheduler": lambda total: callbacks.CosineLRScheduler(total),
    "CosineScheduleWithWarmup": lambda total: callbacks.CosineScheduleWithWarmup(3, total),
    "FlatCosine": lambda total: callbacks.FlatCosine(total),
    "LinearCosineDecay": lambda total: callbacks.LinearCosineDecay(0.1, total),
    "LinearLR": lambda total: callbacks.LinearLR(1.0, 0.1, total),
    "LinearScheduleWithWarmup": lambda total: callbacks.LinearScheduleWithWarmup(3, total),
    "NoisyLinearCosineDecay": lambda total: callbacks.NoisyLinearCosineDecay(0.1, total),
    "OneCycleLR": lambda total: callbacks.OneCycleLR(0.1, total, cycle_momentum=False),
    "PolyLRScheduler": lambda total: callbacks.PolyLRScheduler(total),
    "PolynomialDecay": lambda total: callbacks.PolynomialDecay(0.1, total),
    "PolynomialLR": lambda total: callbacks.PolynomialLR(total),
    "TanhLRScheduler": lambda total: callbacks.TanhLRScheduler(total),
    "WSDLRScheduler": lambda total: callbacks.WSDLRScheduler(total, 2),
    "WSDSchedule": lambda total: callbacks.WSDSchedule(3, 5, total),
}


def rates_of(scheme, **options):
    watch, _ = fit(linear_model(keras.optimizers.SGD(0.5)), scheme, EPOCHS, **options)
    return watch.rates


def is_total(parameter):
    return parameter.metadata.get(NOTE) == "total"


@pytest.mark.parametrize("name", TOTALS)
def test_a_total_that_is_not_given_is_that_of_the_training(name):
    scheme = TOTALS[name](None)
    total = TOTAL if scheme.per == "step" else EPOCHS
    rates = rates_of(scheme)
    assert rates == rates_of(TOTALS[name](total))
    other = total - 1 if name == "ConstantLR" else total + 3
    assert rates != rates_of(TOTALS[name](other))


def test_every_scheme_with_a_total_is_tried():
    held = {
        name
        for name in EXAMPLES
        if any(map(is_total, getattr(callbacks, name).__dataclass_fields__.values()))
    }
    named = {type(make(9)).__name__ for make in TOTALS.values()}
    # Their totals stand in for other lengths.
    assert held - named <= {
        "CosineLRSchedule",
        "TriStageLRSchedule",
        "CosineWithMinLRScheduleWithWarmupLRRate",
        "CosineWithHardRestartsScheduleWithWarmup",
        "PolynomialDecayScheduleWithWarmup",
    }


@pytest.mark.parametrize("name", TOTALS)
def test_without_a_total_outside_of_fit_it_says_so(name):
    scheme = TOTALS[name](None)
    with pytest.raises(ValueError, match=rf"^{type(scheme).__name__}: \w+ is known in fit only"):
        scheme.value(0)
    table = scheme.to_frame(9)
    expected = TOTALS[name](9)
    assert table["learning_rate"].tolist() == [expected.value(step) for step in range(9)]
    with pytest.raises(ValueError, match="in fit only"):
        scheme.value(0)
    assert scheme.over(9).value(4) == expected.value(4)


def test_what_was_taken_is_not_saved_and_is_taken_anew():
    scheme = callbacks.CosineDecay(0.1)
    short = rates_of(scheme)
    assert scheme.get_config()["decay_steps"] is None
    assert type(scheme).from_config(scheme.get_config()).missing == ["decay_steps"]
    longer, _ = fit(linear_model(keras.optimizers.SGD(0.5)), scheme, 2 * EPOCHS)
    np.testing.assert_allclose(longer.rates[::2], short, rtol=1e-5, atol=1e-9)


SHARES = {
    "warm-up": (
        lambda: callbacks.Warmup(callbacks.CosineDecay(0.1), 0.25),
        lambda: callbacks.Warmup(callbacks.CosineDecay(0.1, 12), 4),
    ),
    "overlay": (
        lambda: callbacks.Warmup(callbacks.CosineDecay(0.1), 0.25, overlay=True),
        lambda: callbacks.Warmup(callbacks.CosineDecay(0.1, 16), 4, overlay=True),
    ),
    "milestones": (
        lambda: callbacks.MultiStepLR([0.5, 0.75]),
        lambda: callbacks.MultiStepLR([2, 3]),
    ),
    "boundaries": (
        lambda: callbacks.PiecewiseConstantDecay([0.25, 10], [0.3, 0.2, 0.1]),
        lambda: callbacks.PiecewiseConstantDecay([4, 10], [0.3, 0.2, 0.1]),
    ),
    "sequence": (
        lambda: callbacks.SequentialLR(
            [callbacks.PolynomialDecay(0.2), callbacks.CosineDecay(0.1)], [0.25]
        ),
        lambda: callbacks.SequentialLR(
            [callbacks.PolynomialDecay(0.2, 4), callbacks.CosineDecay(0.1, 12)], [4]
        ),
    ),
    "chain": (
        lambda: callbacks.CosineDecay(0.1) * callbacks.MultiStepLR([0.5], per="step"),
        lambda: callbacks.CosineDecay(0.1, 16) * callbacks.MultiStepLR([8], per="step"),
    ),
    "plateau": (
        lambda: callbacks.ReduceLROnPlateau("loss", scheduler=callbacks.CosineDecay(0.1)),
        lambda: callbacks.ReduceLROnPlateau("loss", scheduler=callbacks.CosineDecay(0.1, 16)),
    ),
    "a warm-up in a sequence": (
        lambda: callbacks.SequentialLR(
            [callbacks.Warmup(callbacks.CosineDecay(0.1), 0.5), callbacks.CosineDecay(0.1)], [0.5]
        ),
        lambda: callbacks.SequentialLR(
            [callbacks.Warmup(callbacks.CosineDecay(0.1, 4), 4), callbacks.CosineDecay(0.1, 8)], [8]
        ),
    ),
    "Transformers": (
        lambda: callbacks.CosineScheduleWithWarmup(0.25),
        lambda: callbacks.CosineScheduleWithWarmup(4, 16),
    ),
    "milestones and the whole": (
        lambda: callbacks.MultiStepLR([0.5, 1.0, 1]),
        lambda: callbacks.MultiStepLR([1, 2, 4]),
    ),
    "milestones in an array": (
        lambda: callbacks.MultiStepLR(np.array([0.5, 0.75])),
        lambda: callbacks.MultiStepLR([2, 3]),
    ),
    "timm's milestones": (
        lambda: callbacks.MultiStepLRScheduler([0.5, 0.75], 0.5),
        lambda: callbacks.MultiStepLRScheduler([2, 3], 0.5),
    ),
    "timm's warm-up before its cycles": (
        lambda: callbacks.CosineLRScheduler(warmup_t=0.25, warmup_prefix=True, per="step"),
        lambda: callbacks.CosineLRScheduler(12, warmup_t=4, warmup_prefix=True, per="step"),
    ),
    "timm's three stages": (
        lambda: callbacks.WSDLRScheduler(warmup_t=0.25, per="step"),
        lambda: callbacks.WSDLRScheduler(12, 2, warmup_t=4, per="step"),
    ),
    "timm's noise": (
        lambda: callbacks.StepLRScheduler(9, noise_range_t=(0.25, 0.75), noise_std=0.1),
        lambda: callbacks.StepLRScheduler(9, noise_range_t=(1, 3), noise_std=0.1),
    ),
    "noise": (
        lambda: callbacks.NoisyLR(callbacks.StepLR(9), noise_range_t=0.5, noise_std=0.1),
        lambda: callbacks.NoisyLR(callbacks.StepLR(9), noise_range_t=2, noise_std=0.1),
    ),
    "an inverse square root": (
        lambda: callbacks.InverseSqrtSchedule(0.25),
        lambda: callbacks.InverseSqrtSchedule(4),
    ),
    "Noam": (lambda: callbacks.NoamDecay(4, 0.25), lambda: callbacks.NoamDecay(4, 4)),
    "fairseq's cosine": (
        lambda: callbacks.CosineLRSchedule(0.25),
        lambda: callbacks.CosineLRSchedule(4, lr_period_updates=12),
    ),
    "fairseq's three stages": (
        lambda: callbacks.TriStageLRSchedule(0.25, 0.25, 0.5),
        lambda: callbacks.TriStageLRSchedule(4, 4, 8),
    ),
    "a late beginning": (
        lambda: callbacks.ExponentialTransition(3, 0.5, 0.25),
        lambda: callbacks.ExponentialTransition(3, 0.5, 4),
    ),
    "the middle of a sigmoid": (
        lambda: callbacks.SigmoidDecay(-1.0, 0.5),
        lambda: callbacks.SigmoidDecay(-1.0, 8),
    ),
    "knots": (
        lambda: callbacks.PiecewiseInterpolate("cosine", {0.25: 2.0, 12: 0.1}),
        lambda: callbacks.PiecewiseInterpolate("cosine", {4: 2.0, 12: 0.1}),
    ),
    "Keras' warm-up": (
        lambda: callbacks.CosineDecay(0.01, warmup_target=0.1, warmup_steps=0.25),
        lambda: callbacks.CosineDecay(0.01, 12, warmup_target=0.1, warmup_steps=4),
    ),
}


@pytest.mark.parametrize("name", SHARES)
def test_shares_are_of_the_training_and_parts_are_of_what_is_left(name):
    by_share, by_step = (make() for make in SHARES[name])
    assert rates_of(by_share) == rates_of(by_step)
    copy = type(by_share).from_config(json.loads(json.dumps(by_share.get_config())))
    assert copy.get_config() == by_share.get_config()
    assert copy.missing


def test_a_generator_is_refused_at_the_start_and_taken_with_its_steps():
    def batches():
        while True:
            yield X[:2], X[:2]

    model = linear_model(keras.optimizers.SGD(0.5))
    scheme = callbacks.Warmup(callbacks.CosineDecay(0.1), 0.25)
    few = ((X[:2], X[:2]) for _ in range(3))
    with pytest.raises(ValueError, match=r"^Warmup: .*this fit, which does not know its steps"):
        model.fit(few, epochs=1, shuffle=False, verbose=0, callbacks=[scheme])
    assert int(model.optimizer.iterations) == 0
    options = {"steps_per_epoch": 4, "epochs": 4, "shuffle": False, "verbose": 0}
    history = model.fit(batches(), callbacks=[scheme], **options)
    expected = callbacks.Warmup(callbacks.CosineDecay(0.1, 12), 4).value(15)
    assert history.history["learning_rate"][-1] == pytest.approx(expected)


def test_knots_that_are_the_same_step_are_refused_before_training():
    model = linear_model(keras.optimizers.SGD(0.5))
    scheme = callbacks.PiecewiseInterpolate("linear", {0.5: 0.1, 8: 0.5})
    with pytest.raises(ValueError, match=r"boundaries_and_scales = {8: 0\.5} is not .* different"):
        fit(model, scheme, epochs=4)


def test_what_over_tells_holds_where_fit_does_not_know():
    def few():
        return ((X[:2], X[:2]) for _ in range(3))

    scheme = callbacks.Warmup(callbacks.CosineDecay(0.1), 0.5).over(6)
    model = linear_model(keras.optimizers.SGD(0.5))
    with pytest.warns(UserWarning, match="ran out of data"):
        history = model.fit(few(), epochs=1, shuffle=False, verbose=0, callbacks=[scheme])
    expected = callbacks.Warmup(callbacks.CosineDecay(0.1, 3), 3)
    # On TensorFlow Keras begins a fourth batch before it finds that there is none.
    last = 3 if keras.backend.backend() == "tensorflow" else 2
    assert history.history["learning_rate"] == [pytest.approx(expected.value(last))]
    known = rates_of(scheme)
    assert known == rates_of(callbacks.Warmup(callbacks.CosineDecay(0.1, 8), 8))


@pytest.mark.parametrize("wrong", [0, -3, 2.5, "100", None])
def test_a_length_outside_of_fit_is_a_whole_number(wrong):
    scheme = callbacks.CosineDecay(0.1)
    for name, tell in {
        "total": scheme.over,
        "steps": scheme.to_frame,
        "num_steps": scheme.as_schedule,
    }.items():
        with pytest.raises(ValueError, match=rf"^{name}: .* is not a whole number from 1 up"):
            tell(wrong)
    with pytest.raises(ValueError, match=r"^steps_per_epoch: 0 is not a whole number from 1 up"):
        callbacks.StepLR(1, learning_rate=0.1).as_schedule(4, steps_per_epoch=0)


def test_a_scheme_that_is_over_too_soon_is_refused_before_training():
    model = linear_model(keras.optimizers.SGD(0.5))
    scheme = callbacks.OneCycleLR(0.1, total_steps=7, cycle_momentum=False)
    with pytest.raises(ValueError, match=r"the cycle has 7 steps and step 7 is beyond it"):
        fit(model, scheme, epochs=2)
    assert int(model.optimizer.iterations) == 0
    with pytest.raises(ValueError, match="beyond"):
        fit(model, callbacks.SequentialLR([scheme, scheme], [3]), epochs=3)


@pytest.mark.parametrize("per", ["step", "epoch"])
def test_a_rate_that_is_no_number_is_refused_before_training(per):
    model = linear_model(keras.optimizers.SGD(0.5))
    wrong = callbacks.LambdaLR(lambda step: float("nan") if step == 1 else 1.0, per=per)
    with pytest.raises(ValueError, match=rf"^LambdaLR: the rate of {per} 1 is nan"):
        fit(model, wrong, epochs=2)
    assert int(model.optimizer.iterations) == 0


# Formulas that divide by zero, overflow, or leave the real numbers; a function without an answer.
NO_NUMBERS = {
    "zero": lambda: callbacks.InverseTimeDecay(0.1, 1, -0.5),
    "overflow": lambda: callbacks.ExponentialLR(1e200, per="step"),
    "complex": lambda: callbacks.ExponentialLR(-0.5, smooth=True),
    "None": lambda: callbacks.LambdaLR(lambda epoch: None),
    "inside": lambda: callbacks.Warmup(callbacks.NaturalExpDecay(0.1, 1, -800.0), 2),
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_a_rate_that_cannot_be_computed_is_refused_before_training(name):
    model, scheme = linear_model(keras.optimizers.SGD(0.5)), NO_NUMBERS[name]()
    with pytest.raises(ValueError, match=rf"^{type(scheme).__name__}: the rate of \w+ \d is none"):
        fit(model, scheme, epochs=2)
    assert int(model.optimizer.iterations) == 0
    with pytest.raises(ValueError, match="which is no number to train with"):
        scheme.with_rate(0.1).as_schedule(9, steps_per_epoch=3)


def test_an_infinite_rate_that_was_not_foreseen_ends_the_training_at_once():
    model = linear_model(keras.optimizers.SGD(0.5))
    state = []
    wrong = callbacks.LambdaLR(
        lambda step: float("inf") if state and step == 5 else 1.0, per="step"
    )
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: state.append(1))
    with pytest.raises(ValueError, match="the rate of step 5 is inf"):
        fit(model, wrong, epochs=2, more=[note])
    assert int(model.optimizer.iterations) == 5
