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
