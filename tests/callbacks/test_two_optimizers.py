"""A model that is trained by several optimizers: one of them is led, and it must be used."""

import keras
import numpy as np
import pytest

import callbacks
from tests.callbacks.cases import EXAMPLES
from tests.callbacks.fitting import X, linear_model


class TwoSided(keras.Model):
    """Two weights, each with an optimizer; as the two sides of a GAN."""

    def __init__(self, left, right):
        super().__init__()
        self.sides = [keras.layers.Dense(1, use_bias=False) for _ in range(2)]
        self.left, self.right = left, right

    def build(self, shape):
        for side in self.sides:
            side.build(shape)

    def call(self, x):
        return self.sides[0](x) + self.sides[1](x)

    def train_step(self, data):
        for side, optimizer in zip(self.sides, (self.left, self.right), strict=True):
            optimizer.apply([keras.ops.ones((1, 1))], side.trainable_variables)
        return {"loss": keras.ops.zeros(())}


def two_sided(compiled=True, kind=keras.optimizers.SGD):
    left, right = kind(0.5), kind(0.5)
    model = TwoSided(left, right)
    model.build((None, 1))
    left.build(model.sides[0].trainable_variables)
    right.build(model.sides[1].trainable_variables)
    if compiled:
        model.compile("sgd", "mse")
    else:
        model.compile(optimizer=None, loss="mse")
    return model


pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the train step is written for one backend"
)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("by_name", [True, False])
def test_the_optimizer_that_is_named_is_led_and_the_other_is_not(by_name, compiled):
    model = two_sided(compiled)
    before = [float(side.kernel[0, 0]) for side in model.sides]
    scheme = callbacks.ExponentialDecay(0.5, 1, 0.5, optimizer="right" if by_name else model.right)
    model.fit(X, X, batch_size=2, verbose=0, callbacks=[scheme])
    moved = [b - float(s.kernel[0, 0]) for b, s in zip(before, model.sides, strict=True)]
    np.testing.assert_allclose(moved, [2.0, 0.5 * (1 + 1 / 2 + 1 / 4 + 1 / 8)], rtol=1e-4)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_scheme_notices_that_its_optimizer_stands_still(name):
    scheme = EXAMPLES[name]()
    if scheme.drives_momentum:
        scheme.cycle_momentum = False
    with pytest.raises(ValueError, match=r"^optimizer: .*'sgd.*no step.*left, right") as caught:
        two_sided().fit(X, X, batch_size=2, epochs=1, verbose=0, callbacks=[scheme])
    assert type(scheme).__name__ in str(caught.value)


def test_each_may_have_a_scheme_of_its_own():
    model = two_sided()
    schemes = [
        callbacks.ExponentialDecay(0.5, 1, 0.5, optimizer="left"),
        callbacks.StepLR(1, gamma=0.1, optimizer="right"),
    ]
    model.fit(X, X, batch_size=2, epochs=2, verbose=0, callbacks=schemes)
    assert float(model.left.learning_rate) == pytest.approx(0.5 * 0.5**7)
    assert float(model.right.learning_rate) == pytest.approx(0.05)


def test_the_range_test_leads_the_optimizer_that_is_named():
    model = two_sided()
    before = [v.numpy() for v in [*model.variables, *model.left.variables, *model.right.variables]]
    finder = callbacks.LearningRateFinder(1e-4, 0.1, num_steps=4, optimizer="left")
    rates = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(float(model.left.learning_rate))
    )
    model.fit(X, X, batch_size=2, verbose=0, callbacks=[finder, note])
    np.testing.assert_allclose(rates, [1e-4, 1e-3, 1e-2, 1e-1], rtol=1e-5)
    after = [v.numpy() for v in [*model.variables, *model.left.variables, *model.right.variables]]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_momentum_of_the_one_that_is_named_is_driven():
    model = two_sided(kind=callbacks.CyclicMomentumSGD)
    cycle = callbacks.OneCycleLR(0.1, total_steps=4, pct_start=0.5, optimizer="left")
    model.fit(X, X, batch_size=2, verbose=0, callbacks=[cycle])
    assert float(model.left.momentum_variable) == pytest.approx(cycle.momentum(3))
    assert float(model.right.momentum_variable) == pytest.approx(0.9)


def test_members_may_name_it_for_the_whole_and_not_several():
    chain = callbacks.StepLR(1, optimizer="left") * callbacks.ExponentialLR(0.5)
    assert chain.optimizer == "left"
    with pytest.raises(ValueError, match=r"^optimizer: ChainedScheduler leads one"):
        callbacks.StepLR(1, optimizer="left") * callbacks.StepLR(1, optimizer="right")


def test_what_is_no_optimizer_is_refused_by_name():
    with pytest.raises(ValueError, match=r"optimizer of the model: 'rihgt'.*Did you mean 'right'"):
        fit_once(two_sided(), callbacks.StepLR(1, optimizer="rihgt"))
    with pytest.raises(ValueError, match=r"^optimizer: StepLR has none to lead.*left, right"):
        fit_once(two_sided(compiled=False), callbacks.StepLR(1))
    with pytest.raises(ValueError, match="StepLR: optimizer = 3 is not an optimizer"):
        callbacks.StepLR(1, optimizer=3)
    model = two_sided()
    finder = callbacks.LearningRateFinder(num_steps=4, optimizer="rihgt")
    with pytest.raises(ValueError, match=r"Did you mean 'right'"):
        fit_once(model, finder)


def fit_once(model, scheme):
    model.fit(X, X, batch_size=2, verbose=0, callbacks=[scheme])


def test_a_frozen_model_and_a_gradient_that_is_infinite_are_no_fault():
    frozen = linear_model(keras.optimizers.SGD(0.5))
    frozen.trainable = False
    frozen.compile(frozen.optimizer, loss=frozen.loss)
    with pytest.warns(UserWarning, match="trainable"):
        frozen.fit(X, X, verbose=0, callbacks=[callbacks.StepLR(1)])
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=1e38)
    model = linear_model(scaled, run_eagerly=True)
    model.fit(X * 1e3, X, verbose=0, callbacks=[callbacks.StepLR(1)])
    assert int(scaled.inner_optimizer.iterations) == 0


def test_only_a_name_is_saved_with_the_scheme():
    for optimizer, kept in [("right", "right"), (keras.optimizers.SGD(), None), (None, None)]:
        scheme = callbacks.StepLR(1, optimizer=optimizer)
        assert type(scheme).from_config(scheme.get_config()).optimizer == kept
