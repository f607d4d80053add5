"""One scheme for one training after another: it begins anew with another optimizer."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.cases import EXAMPLES
from tests.callbacks.fitting import X, fit, linear_model
from tests.marking import slow_but

# Schemes of schemes with members that take the optimizer's rate, two floors deep.
NESTED = {
    "chain": lambda: callbacks.StepLR(1, gamma=0.5) * callbacks.ExponentialLR(0.9),
    "sequence": lambda: callbacks.SequentialLR(
        [callbacks.Warmup(callbacks.StepLR(1), steps=2), callbacks.ExponentialLR(0.5)], [2]
    ),
    "warm-up": lambda: callbacks.Warmup(callbacks.ExponentialLR(0.5), steps=1),
    "own rate below": lambda: callbacks.SequentialLR(
        [callbacks.Warmup(callbacks.StepLR(1), steps=2, learning_rate=0.3), callbacks.StepLR(1)],
        [2],
    ),
    "plateau over a scheme": lambda: callbacks.ReduceLROnPlateau(
        "loss", mode="max", patience=0, scheduler=callbacks.ExponentialLR(0.9)
    ),
}
# Without EXAMPLES["ReduceLROnPlateau"], which never cuts in so short a training.
PLATEAU = {
    "ReduceLROnPlateau": lambda: callbacks.ReduceLROnPlateau(
        "loss", mode="max", patience=0, factor=0.5, cooldown=1
    )
}
SCHEMES = {**EXAMPLES, **PLATEAU, **NESTED}
# What remembers, draws, or has members; the others are functions of the step and the first rate.
QUICK = [
    *(*PLATEAU, *NESTED, "ChainedScheduler", "CyclicLR", "ExponentialLR", "GreedyLR", "LambdaLR"),
    *("MultiplicativeLR", "NoisyLR", "NoisyLinearCosineDecay", "OneCycleLR", "RandomDecay"),
    *("SWALR", "SequentialLR", "StepLR", "Warmup"),
]


def model_for(scheme, rate):
    kind = callbacks.CyclicMomentumSGD if scheme.drives_momentum else keras.optimizers.SGD
    return linear_model(kind(rate))


def test_every_scheme_is_tried():
    assert set(callbacks.SCHEMES.values()) <= set(SCHEMES)


@pytest.mark.parametrize("name", slow_but(QUICK, SCHEMES))
def test_a_second_model_is_led_as_by_a_new_scheme(name):
    scheme, new = SCHEMES[name](), SCHEMES[name]()
    fit(model_for(scheme, 0.5), scheme, epochs=3)
    second, _ = fit(model_for(scheme, 0.125), scheme, epochs=3)
    expected, _ = fit(model_for(new, 0.125), new, epochs=3)
    assert second.rates == expected.rates
    assert second.momenta == expected.momenta
    np.testing.assert_allclose(second.weights, expected.weights)


@pytest.mark.parametrize("name", ["StepLR", "ReduceLROnPlateau", *NESTED])
def test_a_model_compiled_anew_counts_as_another(name):
    scheme, new = SCHEMES[name](), SCHEMES[name]()
    model = linear_model(keras.optimizers.SGD(0.5))
    fit(model, scheme, epochs=3)
    model.compile(keras.optimizers.SGD(0.125), loss=model.loss)
    second, _ = fit(model, scheme, epochs=3)
    expected, _ = fit(linear_model(keras.optimizers.SGD(0.125)), new, epochs=3)
    assert second.rates == expected.rates


@pytest.mark.parametrize("name", ["StepLR", "ReduceLROnPlateau", *NESTED])
def test_the_same_optimizer_goes_on(name):
    """Two calls of `fit` are one training; between them another model may have been trained."""
    halves, whole = SCHEMES[name](), SCHEMES[name]()
    model = linear_model(keras.optimizers.SGD(0.5))
    first, _ = fit(model, halves, epochs=2)
    second, _ = fit(model, halves, epochs=4, initial_epoch=2)
    expected, _ = fit(linear_model(keras.optimizers.SGD(0.5)), whole, epochs=4)
    np.testing.assert_allclose(first.rates + second.rates, expected.rates)


def test_a_member_that_served_alone_or_elsewhere_starts_from_the_rate_at_hand():
    step = callbacks.StepLR(1, gamma=0.5)
    sequence = callbacks.SequentialLR([step, callbacks.ConstantLR(1.0)], [1])
    own = callbacks.SequentialLR([step, callbacks.ConstantLR(1.0)], [1], learning_rate=0.25)
    for scheme, rate, first in [(sequence, 0.5, 0.5), (step, 0.125, 0.125), (own, 0.5, 0.25)]:
        watch, _ = fit(linear_model(keras.optimizers.SGD(rate)), scheme, epochs=1)
        assert watch.rates == [first] * 4


def test_a_training_that_broke_off_before_its_first_step_is_not_taken_for_the_base():
    scheme = callbacks.Warmup(callbacks.ConstantLR(1.0), steps=4, start=0.5)
    model = linear_model(keras.optimizers.SGD(0.5))

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, scheme, more=[Stop()])
    watch, _ = fit(model, scheme, epochs=1)
    assert watch.rates == [0.25] * 4


def test_another_optimizer_that_has_taken_steps_is_refused_as_for_a_new_scheme():
    scheme, used = callbacks.StepLR(1), linear_model(keras.optimizers.SGD(0.1))
    used.fit(X, X, verbose=0)
    fit(linear_model(keras.optimizers.SGD(0.5)), scheme)
    with pytest.raises(ValueError, match=r"has taken 1 steps.*give learning_rate"):
        fit(used, scheme)


def test_the_plateau_that_was_replayed_keeps_its_cuts():
    plateau = callbacks.ReduceLROnPlateau("loss", mode="max", patience=0, factor=0.5)
    fit(linear_model(keras.optimizers.SGD(0.5)), plateau, epochs=3)
    plateau.replay([3.0, 2.0])
    watch, _ = fit(linear_model(keras.optimizers.SGD(0.5)), plateau, epochs=1)
    assert watch.rates == [0.25] * 4


def test_a_plateau_that_led_alone_forgets_in_another_scheme_and_what_was_replayed_stays():
    def rates_of(scheme):
        return fit(linear_model(keras.optimizers.SGD(0.5)), scheme, epochs=3)[0].rates[::4]

    plateau = PLATEAU["ReduceLROnPlateau"]()
    warm = callbacks.Warmup(plateau, 1, start=0.5)
    assert rates_of(plateau) == [0.5, 0.5, 0.25]
    assert rates_of(warm) == [0.25, 0.5, 0.5]
    assert rates_of(plateau) == [0.5, 0.5, 0.25]
    plateau.replay([3.0, 2.0])
    assert rates_of(warm) == [0.125, 0.25, 0.25]


def test_a_scheme_that_led_one_number_begins_anew_with_another():
    scheme = callbacks.StepLR(1, gamma=0.5)
    model = linear_model(callbacks.CyclicMomentumSGD(0.4, momentum=0.8))
    fit(model, scheme, epochs=2)
    with pytest.raises(ValueError, match=r"has taken 8 steps, so its momentum may not"):
        fit(model, callbacks.Lead("momentum", scheme))
    fresh = linear_model(callbacks.CyclicMomentumSGD(0.4, momentum=0.8))
    watch, _ = fit(fresh, callbacks.Lead("momentum", scheme), epochs=2)
    np.testing.assert_allclose(watch.momenta, [0.8] * 4 + [0.4] * 4, rtol=1e-6)
    again, _ = fit(fresh, callbacks.Lead("momentum", scheme), epochs=3, initial_epoch=2)
    np.testing.assert_allclose(again.momenta, [0.2] * 4, rtol=1e-6)


def test_a_training_that_was_refused_at_its_start_gives_no_base():
    scheme, used = callbacks.StepLR(1), linear_model(keras.optimizers.SGD(0.1))
    used.fit(X, X, verbose=0)
    fit(linear_model(keras.optimizers.SGD(0.5)), scheme)

    class Refuses(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(used, scheme, more=[Refuses()])
    with pytest.raises(ValueError, match=r"has taken 1 steps.*give learning_rate"):
        fit(used, scheme)


def test_the_range_test_begins_anew_with_each_model():
    finder = callbacks.LearningRateFinder(1e-4, 1.0, num_steps=25)
    tables = []
    for _ in range(2):
        model = linear_model(keras.optimizers.SGD(0.5))
        model.fit(X, X, batch_size=2, epochs=20, verbose=0, callbacks=[finder])
        tables.append(finder.to_frame())
        assert float(model.optimizer.learning_rate) == pytest.approx(0.5)
    assert tables[0].equals(tables[1])
