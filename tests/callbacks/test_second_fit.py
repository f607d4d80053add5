"""A second call of `fit`: going on, beginning anew, and optimizers that have trained before."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.fitting import Killed, X, fit, kill_at, linear_model


def used(steps=8, rate=0.4, kind=keras.optimizers.SGD):
    model = linear_model(kind(rate))
    model.fit(X, X, batch_size=2, epochs=steps // 4, verbose=0)
    return model


def test_a_scheme_that_is_over_is_refused_rather_than_trained_at_rate_0():
    model = linear_model(keras.optimizers.SGD(0.4))
    fit(model, callbacks.CosineDecay(0.4, 8), 2)
    with pytest.raises(ValueError, match=r'^CosineDecay: 8 steps are done .* 0\. count_from="fit"'):
        fit(model, callbacks.CosineDecay(0.4, 8), 2)
    assert int(model.optimizer.iterations) == 8
    watch, _ = fit(model, callbacks.CosineDecay(0.4, 8, count_from="fit"), 2)
    expected = [callbacks.CosineDecay(0.4, 8).value(t) for t in range(8)]
    np.testing.assert_allclose(watch.rates, expected, rtol=1e-6, atol=1e-9)


def test_the_same_object_is_refused_too_and_a_floor_is_told():
    model, scheme = linear_model(keras.optimizers.SGD(0.4)), callbacks.CosineDecay(0.4, 8)
    fit(model, scheme, 2)
    with pytest.raises(ValueError, match="stays at 0"):
        fit(model, scheme, 2)
    with pytest.warns(UserWarning, match=r"8 steps are done .* stays at 0\.04"):
        fit(model, callbacks.CosineDecay(0.4, 8, alpha=0.1), 2)


FLOORS = {
    "warm-up": lambda: callbacks.Warmup(callbacks.CosineDecay(0.4, 6, alpha=0.1), 2),
    "overlay": lambda: callbacks.Warmup(callbacks.CosineDecay(0.4, 8, alpha=0.1), 2, overlay=True),
    "sequence": lambda: callbacks.SequentialLR(
        [callbacks.ConstantSchedule(learning_rate=0.4), callbacks.PolynomialDecay(0.4, 4, 0.04)],
        [4],
    ),
    "chain": lambda: (
        callbacks.CosineDecay(0.4, 8, alpha=0.1)
        * callbacks.LinearLR(0.5, total_iters=4, per="step")
    ),
    "noise": lambda: callbacks.NoisyLR(callbacks.CosineDecay(0.4, 8, alpha=0.1)),
    "Transformers": lambda: callbacks.WSDSchedule(
        2, 2, num_stable_steps=4, min_lr_ratio=0.1, learning_rate=0.4
    ),
    "fairseq": lambda: callbacks.TriStageLRSchedule(2, 2, 4, final_lr_scale=0.1, learning_rate=0.4),
    "timm": lambda: callbacks.WSDLRScheduler(6, 4, 0.04, warmup_t=2, learning_rate=0.4, per="step"),
    "timm's cycles": lambda: callbacks.CosineLRScheduler(8, 0.04, learning_rate=0.4, per="step"),
}


@pytest.mark.parametrize("name", FLOORS)
def test_every_scheme_that_stays_at_its_least_rate_says_so(name):
    model = linear_model(keras.optimizers.SGD(0.4))
    fit(model, FLOORS[name](), 2)
    with pytest.warns(UserWarning, match=r"8 steps are done before this fit.*stays at 0\.04"):
        fit(model, FLOORS[name](), 2)


def test_a_scheme_that_only_stands_still_for_a_while_says_nothing():
    model = linear_model(keras.optimizers.SGD(0.4))
    for _ in range(2):  # warnings are errors
        long = callbacks.StepLR(30, per="step", learning_rate=0.4)
        fit(model, long * callbacks.LinearLR(per="step"), 2)


def test_what_is_not_over_goes_on():
    model = used()
    watch, _ = fit(model, callbacks.CosineDecay(0.4, 24), 2)
    expected = [callbacks.CosineDecay(0.4, 24).value(t) for t in range(8, 16)]
    np.testing.assert_allclose(watch.rates, expected, rtol=1e-6)
    anew, _ = fit(model, callbacks.CosineDecay(0.4, 24, count_from="fit"), 2)
    np.testing.assert_allclose(anew.rates[0], 0.4)


def test_a_scheme_as_long_as_its_training_begins_with_it():
    model = used()
    for _ in range(2):
        watch, _ = fit(model, callbacks.CosineDecay(0.4), 2)
        expected = [callbacks.CosineDecay(0.4, 8).value(t) for t in range(8)]
        np.testing.assert_allclose(watch.rates, expected, rtol=1e-6)
    half, _ = fit(model, callbacks.CosineDecay(0.4), 2, initial_epoch=1)
    np.testing.assert_allclose(half.rates, expected[4:], rtol=1e-6)
    with pytest.raises(ValueError, match="stays at 0"):
        fit(model, callbacks.CosineDecay(0.4, count_from="optimizer"), 2)


def test_to_begin_with_fit_amid_its_epochs_it_must_know_their_steps():
    def few():
        return ((X[:2], X[:2]) for _ in range(3))

    scheme = callbacks.ExponentialLR(0.5, per="step", count_from="fit", learning_rate=0.4)
    model = used()
    options = {"epochs": 2, "shuffle": False, "verbose": 0, "callbacks": [scheme]}
    with pytest.raises(ValueError, match=r'^ExponentialLR: count_from="fit" with an initial_epoch'):
        model.fit(few(), initial_epoch=1, **options)


def test_a_scheme_in_epochs_follows_fit():
    model = used()
    scheme = callbacks.CosineDecay(0.4, 2, per="epoch")
    watch, _ = fit(model, scheme, 2)
    np.testing.assert_allclose(watch.rates, [0.4] * 4 + [0.2] * 4)
    with pytest.warns(UserWarning, match=r"2 epochs are done before this fit.*stays at 0"):
        fit(model, scheme, 4, initial_epoch=2)


OUTRIGHT = {
    "OneCycleLR": lambda: callbacks.OneCycleLR(0.1, cycle_momentum=False),
    "CyclicLR": lambda: callbacks.CyclicLR(0.1, 0.2, cycle_momentum=False),
    "PiecewiseConstantDecay": lambda: callbacks.PiecewiseConstantDecay([10], [0.3, 0.2]),
    "warm-up": lambda: callbacks.Warmup(callbacks.OneCycleLR(0.1, cycle_momentum=False), 2),
    "sequence": lambda: callbacks.SequentialLR(
        [
            callbacks.PiecewiseConstantDecay([2], [0.3, 0.2]),
            callbacks.CyclicLR(0.1, 0.2, cycle_momentum=False),
        ],
        [10],
    ),
    "product": lambda: (
        callbacks.StepLR(3, per="step") * callbacks.PiecewiseConstantDecay([10], [0.3, 0.2])
    ),
    "plateau": lambda: callbacks.ReduceLROnPlateau(
        "loss", scheduler=callbacks.PiecewiseConstantDecay([10], [0.3, 0.2])
    ),
}


@pytest.mark.parametrize("name", OUTRIGHT)
def test_a_used_optimizer_is_no_matter_where_its_rate_is_not_used(name):
    watch, _ = fit(used(rate=0.4), OUTRIGHT[name](), 2)
    expected, _ = fit(used(rate=0.123), OUTRIGHT[name](), 2)
    assert watch.rates == expected.rates


ASKING = {
    "StepLR": lambda: callbacks.StepLR(3),
    "warm-up": lambda: callbacks.Warmup(callbacks.StepLR(3), 1),
    "product": lambda: callbacks.StepLR(3) * callbacks.ExponentialLR(0.5),
    "later in a sequence": lambda: callbacks.SequentialLR(
        [callbacks.PiecewiseConstantDecay([2], [0.3, 0.2]), callbacks.StepLR(3, per="step")], [12]
    ),
}


@pytest.mark.parametrize("name", ASKING)
def test_where_its_rate_is_used_it_is_asked_for_before_training(name):
    model = used()
    with pytest.raises(ValueError, match=r"has taken 8 steps, .*; give learning_rate"):
        fit(model, ASKING[name](), 2)
    assert int(model.optimizer.iterations) == 8


RESTORED = {
    "a base rate of the optimizer": lambda: callbacks.ExponentialLR(0.5),
    "by steps": lambda: callbacks.ExponentialLR(0.5, per="step"),
    "a total of fit": lambda: callbacks.CosineDecay(0.3),
    "mixed units": lambda: callbacks.Warmup(callbacks.ExponentialLR(0.5), 6, per="step"),
    "smooth": lambda: callbacks.ExponentialLR(0.5, smooth=True),
}


@pytest.mark.parametrize("name", RESTORED)
@pytest.mark.parametrize("first", ["scheme", "backup"])
def test_a_restored_training_goes_on_whichever_callback_is_first(tmp_path, name, first):
    def run(more=(), backup=True):
        model, scheme = linear_model(keras.optimizers.SGD(0.4)), RESTORED[name]()
        keeper = keras.callbacks.BackupAndRestore(tmp_path / "backup") if backup else None
        order = [scheme, keeper] if first == "scheme" else [keeper, scheme]
        rates = []
        note = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: rates.append(
                float(model.optimizer.learning_rate)
            )
        )
        given = [one for one in (*order, note, *more) if one is not None]
        model.fit(X, X, batch_size=2, epochs=4, verbose=0, callbacks=given)
        return rates

    whole = run(backup=False)
    with pytest.raises(Killed):
        run([kill_at(2)])
    assert run() == whole[8:]


def test_a_reused_scheme_takes_the_base_of_the_model_at_hand():
    scheme = callbacks.StepLR(1)
    fit(linear_model(keras.optimizers.SGD(0.4)), scheme, 2)
    watch, _ = fit(linear_model(keras.optimizers.SGD(0.1)), scheme, 1)
    np.testing.assert_allclose(watch.rates, [0.1] * 4)
