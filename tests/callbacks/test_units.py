"""Steps and epochs together: mixed units, rates within an epoch, warm-ups of every shape."""

import math

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.fitting import fit, linear_model

STEPS = 4  # an epoch of eight pictures in batches of two


def rates_of(scheme, epochs=4, rate=0.5):
    watch, _ = fit(linear_model(keras.optimizers.SGD(rate)), scheme, epochs)
    return watch.rates


def test_a_warm_up_in_steps_over_a_scheme_in_epochs():
    scheme = callbacks.Warmup(callbacks.StepLR(1, gamma=0.5), steps=6, per="step")
    expected = [0.5 * t / 6 for t in range(6)] + [0.5 * 0.5 ** ((t - 6) // 4) for t in range(6, 16)]
    np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6)


def test_an_overlay_in_steps_leaves_the_epochs_where_they_are():
    below = callbacks.StepLR(1, gamma=0.5)
    scheme = callbacks.Warmup(below, steps=6, per="step", overlay=True)
    expected = [0.5 * t / 6 if t < 6 else 0.5 * 0.5 ** (t // 4) for t in range(16)]
    np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6)


def test_a_warm_up_in_epochs_before_a_scheme_in_steps():
    scheme = callbacks.Warmup(callbacks.CosineDecay(0.5, 12), steps=1, per="epoch")
    below = callbacks.CosineDecay(0.5, 12)
    expected = [0.5 * t / 4 if t < 4 else below.value(t - 4) for t in range(16)]
    np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6, atol=1e-9)


def test_milestones_in_epochs_between_schemes_in_steps_and_in_epochs():
    first, second = callbacks.ExponentialLR(0.9, per="step"), callbacks.StepLR(1, gamma=0.5)
    scheme = callbacks.SequentialLR([first, second], [2], per="epoch")
    expected = [0.5 * 0.9**t if t < 8 else 0.5 * 0.5 ** ((t - 8) // 4) for t in range(16)]
    np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6)


def test_a_milestone_between_two_steps_is_reached_at_the_second():
    members = [callbacks.ConstantLR(0.1, 99), callbacks.ConstantLR(0.5, 99)]
    scheme = callbacks.SequentialLR(members, [2.5])
    assert [scheme.value(epoch) for epoch in range(5)] == [0.1] * 3 + [0.5] * 2
    by_step = [callbacks.ExponentialLR(1.0, per="step"), callbacks.ConstantLR(0.5, 99)]
    scheme = callbacks.SequentialLR(by_step, [1.1], per="epoch")
    rates = scheme.to_frame(20, steps_per_epoch=10)["learning_rate"].tolist()
    assert rates == [1.0] * 11 + [0.5] * 9


def test_a_product_of_a_scheme_in_steps_and_one_in_epochs():
    scheme = callbacks.ExponentialLR(0.9, per="step") * callbacks.StepLR(1, gamma=0.5)
    expected = [0.5 * 0.9**t * 0.5 ** (t // 4) for t in range(16)]
    np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6)


def test_mixed_units_need_to_know_the_epoch_outside_of_fit():
    scheme = callbacks.Warmup(callbacks.StepLR(1, gamma=0.5, learning_rate=0.5), 6, per="step")
    with pytest.raises(ValueError, match="the number of steps_per_epoch is known in fit only"):
        scheme.value(3)
    table = scheme.to_frame(16, steps_per_epoch=4)
    assert list(table) == ["step", "learning_rate"]
    np.testing.assert_allclose(table["learning_rate"], rates_of(scheme), rtol=1e-6)
    schedule = scheme.as_schedule(16, steps_per_epoch=4)
    np.testing.assert_allclose(schedule.rates, rates_of(scheme), rtol=1e-6)


def test_mixed_units_follow_the_epochs_of_a_training_that_goes_on():
    scheme = callbacks.Warmup(callbacks.StepLR(1, gamma=0.5), steps=2, per="step", overlay=True)
    model = linear_model(keras.optimizers.SGD(0.5))
    first, _ = fit(model, scheme, 2)
    rest, _ = fit(model, scheme, 4, initial_epoch=2)
    np.testing.assert_allclose(first.rates + rest.rates, rates_of(scheme), rtol=1e-6)


SMOOTH = {
    "CosineAnnealingWarmRestarts": lambda **options: callbacks.CosineAnnealingWarmRestarts(
        2, T_mult=2, eta_min=0.01, **options
    ),
    "CosineAnnealingLR": lambda **options: callbacks.CosineAnnealingLR(3, **options),
    "ExponentialLR": lambda **options: callbacks.ExponentialLR(0.5, **options),
    "StepLR": lambda **options: callbacks.StepLR(2, **options),
    "PolynomialLR": lambda **options: callbacks.PolynomialLR(4, power=2.0, **options),
    "MultiplicativeLR": lambda **options: callbacks.MultiplicativeLR(lambda epoch: 0.5, **options),
    "CosineDecay": lambda **options: callbacks.CosineDecay(0.5, per="epoch", **options),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_scheme_is_read_at_fractions_of_an_epoch(name):
    smooth, plain = SMOOTH[name](smooth=True), SMOOTH[name]()
    rates = rates_of(smooth)
    plain.over(4).take_base(0.5)
    expected = [plain.value(t / STEPS) for t in range(4 * STEPS)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6, atol=1e-9)
    assert rates[::STEPS] == rates_of(plain)[::STEPS]


def test_smooth_restarts_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, T_mult=2)
    expected = []
    for step in range(4 * STEPS):
        theirs.step(step / STEPS)
        expected.append(optimizer.param_groups[0]["lr"])
    scheme = callbacks.CosineAnnealingWarmRestarts(2, T_mult=2, smooth=True)
    np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6)


def test_a_smooth_scheme_of_schemes_and_a_smooth_member():
    expected = [
        0.5 * (t / STEPS) if t < STEPS else 0.5 * 0.5 ** ((t - STEPS) / STEPS) for t in range(16)
    ]
    whole = callbacks.Warmup(callbacks.ExponentialLR(0.5), 1, smooth=True)
    member = callbacks.Warmup(callbacks.ExponentialLR(0.5, smooth=True), 1)
    for scheme in (whole, member):
        np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6)


@pytest.mark.parametrize("smooth", [False, True])
def test_noise_in_epochs_is_that_of_epochs_where_steps_are_led(smooth):
    """The range and the draws are counted as `per` says: an epoch has one draw, as in timm."""
    below = callbacks.ConstantLR(1.0, 9) if smooth else callbacks.ConstantSchedule()
    options = {"noise_range_t": (1, 3), "noise_std": 0.1}
    scheme = callbacks.NoisyLR(below, per="epoch", smooth=smooth, **options)
    plain = callbacks.NoisyLR(callbacks.ConstantLR(1.0, 9, learning_rate=0.5), **options)
    expected = np.repeat([plain.value(epoch) for epoch in range(4)], STEPS)
    assert len(set(expected)) == 3
    np.testing.assert_allclose(rates_of(scheme), expected, rtol=1e-6)


def test_smooth_is_refused_where_steps_are_counted():
    with pytest.raises(ValueError, match="smooth = True is not possible with per"):
        callbacks.CosineDecay(0.1, 10, smooth=True)


# The forms as Transformers, MXNet and Darknet have them, t steps from 0, b the base rate.
SHAPES = {
    "linear, MXNet": (
        {"begin": 0.05, "shape": "linear"},
        lambda t, w, b: 0.05 + (b - 0.05) * t / w,
    ),
    "constant, MXNet": ({"begin": 0.05, "shape": "constant"}, lambda t, w, b: 0.05),
    "power, Darknet": ({"shape": "power", "power": 4.0}, lambda t, w, b: b * (t / w) ** 4),
    "cosine, Transformers": (
        {"shape": "cosine", "start": 0.1},
        lambda t, w, b: b * ((1 - math.cos(math.pi * t / w)) / 2 * 0.9 + 0.1),
    ),
    "from above": ({"start": 2.0}, lambda t, w, b: b * (2 - t / w)),
    "linear, Transformers": ({}, lambda t, w, b: b * t / w),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_shapes_of_a_warm_up(name):
    options, form = SHAPES[name]
    scheme = callbacks.Warmup(callbacks.ConstantLR(1.0, learning_rate=0.8), 20, **options)
    rates = [scheme.value(t) for t in range(30)]
    expected = [form(t, 20, 0.8) for t in range(20)] + [0.8] * 10
    np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_a_warm_up_to_a_target_is_that_of_keras(steps):
    theirs = keras.optimizers.schedules.CosineDecay(
        0.01, 50, alpha=0.1, warmup_target=0.3, warmup_steps=steps
    )
    below = callbacks.CosineDecay(0.01, 50, alpha=0.1)
    ours = callbacks.Warmup(below, steps, warmup_target=0.3)
    expected = [float(theirs(step)) for step in range(80)]
    np.testing.assert_allclose([ours.value(t) for t in range(80)], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="warmup_target"):
        callbacks.Warmup(callbacks.StepLR(3), 2, warmup_target=0.3)


INSIDE = {
    "noise": lambda below: callbacks.NoisyLR(below),
    "a plateau": lambda below: callbacks.ReduceLROnPlateau("loss", scheduler=below),
    "a warm-up": lambda below: callbacks.Warmup(below, 2),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_warm_up_to_a_target_reaches_the_scheme_within_others(name):
    below = INSIDE[name](callbacks.CosineDecay(0.1, 10))
    scheme = callbacks.Warmup(below, 4, warmup_target=0.3)
    expected = INSIDE[name](callbacks.CosineDecay(0.3, 10))
    assert [scheme.value(4 + t) for t in range(12)] == [expected.value(t) for t in range(12)]


def timm(t, warm=5, init=0.01, base=0.4, total=30):
    """`timm.scheduler.CosineLRScheduler(t_initial=total, warmup_t=warm, warmup_lr_init=init)`."""
    if t < warm:
        return init + t * (base - init) / warm
    return 0.5 * base * (1 + math.cos(math.pi * t / total))


def test_an_overlay_is_timms_warm_up():
    below = callbacks.CosineAnnealingLR(30, learning_rate=0.4)
    scheme = callbacks.Warmup(below, 5, begin=0.01, overlay=True)
    expected = [timm(t) for t in range(30)]
    np.testing.assert_allclose([scheme.value(t) for t in range(30)], expected, rtol=1e-12)


def test_the_momentum_below_an_overlay_runs_on():
    cycle = callbacks.OneCycleLR(0.1, total_steps=20)
    prefix, overlay = callbacks.Warmup(cycle, 5), callbacks.Warmup(cycle, 5, overlay=True)
    assert [prefix.momentum(t) for t in (0, 4, 5, 9)] == [cycle.momentum(t) for t in (0, 0, 0, 4)]
    assert [overlay.momentum(t) for t in (0, 4, 9)] == [cycle.momentum(t) for t in (0, 4, 9)]


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "3"])
def test_a_length_of_a_warm_up_is_whole_or_a_share(steps):
    with pytest.raises(ValueError, match=r"Warmup: steps = .* is not a whole number from 1 up, or"):
        callbacks.Warmup(callbacks.StepLR(3), steps)
