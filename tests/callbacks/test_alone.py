"""Only one callback leads the rate: a second one is noticed, in one epoch too."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.fitting import fit, linear_model

OTHERS = {
    "a scheme by steps": lambda: callbacks.CosineDecay(0.1, 40),
    "a scheme by epochs": lambda: callbacks.ExponentialLR(0.5, learning_rate=0.1),
    "Keras' scheduler": lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1),
}


class Sets(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = 0.07


OTHERS["a callback of one's own, by batches"] = Sets
SCHEMES = {
    "by steps": lambda: callbacks.PolynomialDecay(0.3, 40),
    "by epochs": lambda: callbacks.StepLR(2, learning_rate=0.3),
}


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_second_one_is_noticed(scheme, other, order, epochs):
    model = linear_model(keras.optimizers.SGD(0.5))
    first, second = [SCHEMES[scheme](), OTHERS[other]()][::order]
    with pytest.raises(ValueError, match=r"had (set|found) the learning rate .* another callback"):
        fit(model, first, epochs, more=[second])
    assert int(model.optimizer.iterations) <= 4


def test_one_scheme_that_is_to_lead_two_numbers_is_refused():
    """Its base is that of one of them."""
    for part in (False, True):
        scheme = callbacks.ExponentialLR(0.5)
        whole = callbacks.Warmup(scheme, 1) if part else scheme
        model = linear_model(callbacks.CyclicMomentumSGD(0.4, weight_decay=0.1))
        with pytest.raises(ValueError, match=r"one ExponentialLR is to lead the .* for each"):
            fit(model, whole, 3, more=[callbacks.Lead("weight_decay", scheme)])
        assert int(model.optimizer.iterations) == 0
        watch, _ = fit(model, whole, 2)  # alone it leads, also after that
        assert watch.rates[-1] == pytest.approx(0.4 if part else 0.2)


def test_one_callback_that_stands_twice_is_refused():
    plateau = callbacks.ReduceLROnPlateau("loss", mode="max", patience=1)
    model = linear_model(keras.optimizers.SGD(0.4))
    with pytest.raises(ValueError, match="one ReduceLROnPlateau stands twice"):
        fit(model, plateau, 3, more=[plateau])
    assert int(model.optimizer.iterations) == 0


REPEATED = {
    "a length": lambda: [callbacks.CosineDecay(0.4)] * 2,
    "a memory": lambda: [callbacks.ReduceLROnPlateau("loss")] * 2,
    "a base": lambda: base_of_its_own(callbacks.StepLR(1)),
    "deeper": lambda: deeper(callbacks.CosineDecay(0.4)),
}


def base_of_its_own(scheme):
    return [callbacks.Warmup(scheme, 2, learning_rate=0.3), scheme]


def deeper(scheme):
    return [callbacks.Warmup(scheme, 2), scheme]


@pytest.mark.parametrize("name", REPEATED)
def test_one_object_at_two_places_that_differ_is_refused(name):
    with pytest.raises(ValueError, match=r"^SequentialLR: one \w+ stands in it twice"):
        callbacks.SequentialLR(REPEATED[name](), [3])


def test_one_object_at_two_places_that_are_alike_is_taken():
    scheme = callbacks.StepLR(1, gamma=0.5)
    twice = callbacks.SequentialLR([scheme, scheme], [2])
    assert [twice.value(t) for t in range(4)] == [1.0, 0.5, 1.0, 0.5]


def test_beside_others_that_lead_something_else_it_is_alone():
    model = linear_model(callbacks.CyclicMomentumSGD(0.5, momentum=0.8))
    more = [callbacks.Lead("momentum_variable", callbacks.StepLR(1, gamma=0.5))]
    watch, _ = fit(model, callbacks.StepLR(1), 2, more=more)
    np.testing.assert_allclose(watch.momenta, [0.8] * 4 + [0.4] * 4)
    both = [
        callbacks.Lead("momentum_variable", callbacks.StepLR(1, learning_rate=rate))
        for rate in (0.2, 0.4)
    ]
    with pytest.raises(ValueError, match=r"the momentum .* another callback"):
        fit(model, both[0], 1, more=both[1:])
