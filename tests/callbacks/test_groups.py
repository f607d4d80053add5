"""Groups of layers with rates of their own, and numbers that are no learning rate."""

import keras
import numpy as np
import pytest

import callbacks
from recipes.transfer.optimizer import StagewiseAdam
from tests.callbacks.fitting import X, fit, linear_model


def two_groups(rates=(0.4, 0.1), kind=keras.optimizers.SGD):
    """Two weights in a chain; the second one's optimizer is chosen by its path."""
    model = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(1, use_bias=False, name="body", kernel_initializer="ones"),
            keras.layers.Dense(1, use_bias=False, name="head", kernel_initializer="ones"),
        ]
    )
    parts = [kind(rate) for rate in rates]
    mapping = keras.optimizers.OptimizerMap(parts[0], {".*head/.*": parts[1]})
    model.compile(keras.optimizers.MultiOptimizer(mapping), "mse")
    return model, parts


class Rates(keras.callbacks.Callback):
    def __init__(self, parts):
        super().__init__()
        self.parts, self.seen = parts, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append([float(part.learning_rate) for part in self.parts])


def train(model, parts, scheme, epochs=2, **options):
    rates = Rates(parts)
    history = model.fit(
        X, X, batch_size=2, epochs=epochs, verbose=0, callbacks=[scheme, rates], **options
    )
    return np.array(rates.seen), history.history


@pytest.mark.parametrize("per", ["step", "epoch"])
def test_the_groups_of_a_multi_optimizer_keep_their_proportions(per):
    model, parts = two_groups()
    seen, history = train(model, parts, callbacks.ExponentialLR(0.5, per=per))
    steps = np.arange(8) if per == "step" else np.arange(8) // 4
    np.testing.assert_allclose(seen[:, 0], 0.4 * 0.5**steps, rtol=1e-6)
    np.testing.assert_allclose(seen[:, 1], 0.1 * 0.5**steps, rtol=1e-6)
    np.testing.assert_allclose(history["learning_rate"], seen[3::4, 0], rtol=1e-6)
    for part, rates in zip(parts, seen.T, strict=True):
        np.testing.assert_allclose(history[f"learning_rate_{part.name}"], rates[3::4], rtol=1e-6)


def test_a_step_of_each_group_has_its_rate():
    """Plain SGD: a step is the rate times the gradient."""
    model, _ = two_groups()
    body, head = (layer.kernel for layer in model.layers)
    moves = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.before = float(body[0, 0]), float(head[0, 0])

        def on_train_batch_end(self, batch, logs=None):
            (b, h), now = self.before, (float(body[0, 0]), float(head[0, 0]))
            error = 2 * (b * h - 1)  # of inputs and targets that are 1
            moves.append([(b - now[0]) / (error * h), (h - now[1]) / (error * b)])

    scheme = callbacks.ExponentialLR(0.5, per="step", learning_rate=0.04)
    body.assign([[0.5]])
    model.fit(X, X, batch_size=2, verbose=0, callbacks=[scheme, Note()])
    expected = [[0.04 * 0.5**t, 0.01 * 0.5**t] for t in range(4)]
    np.testing.assert_allclose(moves, expected, rtol=1e-3)


def test_one_of_a_multi_optimizer_may_be_led_alone():
    model, parts = two_groups()
    seen, _ = train(model, parts, callbacks.StepLR(1, gamma=0.5, optimizer=parts[1]))
    np.testing.assert_allclose(seen, [[0.4, 0.1]] * 4 + [[0.4, 0.05]] * 4, rtol=1e-6)


def test_one_of_a_multi_optimizer_may_be_named_as_in_the_logs():
    model, parts = two_groups()
    seen, _ = train(model, parts, callbacks.StepLR(1, gamma=0.5, optimizer=parts[1].name))
    np.testing.assert_allclose(seen, [[0.4, 0.1]] * 4 + [[0.4, 0.05]] * 4, rtol=1e-6)
    with pytest.raises(ValueError, match=rf"optimizer of the model: 'fast'.*{parts[1].name}"):
        train(model, parts, callbacks.StepLR(1, optimizer="fast"))


def test_optimizers_that_a_function_chooses():
    model, _ = two_groups()
    parts = [keras.optimizers.SGD(0.4), keras.optimizers.SGD(0.1)]
    choose = lambda variable: parts["head" in variable.path]  # noqa: E731
    model.compile(keras.optimizers.MultiOptimizer(choose), "mse")
    seen, _ = train(model, parts, callbacks.StepLR(1, gamma=0.5))
    np.testing.assert_allclose(seen, [[0.4, 0.1]] * 4 + [[0.2, 0.05]] * 4, rtol=1e-6)


def test_momentum_plateau_and_range_test_with_groups():
    model, parts = two_groups(kind=callbacks.CyclicMomentumSGD)
    cycle = callbacks.OneCycleLR(0.1, pct_start=0.5)
    seen, _ = train(model, parts, cycle)
    np.testing.assert_allclose(seen[:, 0], [cycle.value(t) for t in range(8)], rtol=1e-6)
    np.testing.assert_allclose(seen[:, 1], seen[:, 0] / 4, rtol=1e-6)
    for part in parts:
        assert float(part.momentum_variable) == pytest.approx(cycle.momentum(7))
    model, parts = two_groups()
    plateau = callbacks.ReduceLROnPlateau("loss", mode="max", patience=0, factor=0.5)
    model.layers[0].kernel.assign([[0.9]])
    seen, _ = train(model, parts, plateau, epochs=3)
    np.testing.assert_allclose(seen[8], [0.2, 0.05], rtol=1e-6)
    finder = callbacks.LearningRateFinder(1e-4, 0.1, num_steps=4)
    seen, _ = train(model, parts, finder, epochs=1)
    np.testing.assert_allclose(seen[:, 0], [1e-4, 1e-3, 1e-2, 1e-1], rtol=1e-5)
    np.testing.assert_allclose(seen[:, 1], seen[:, 0] / 4, rtol=1e-5)
    np.testing.assert_allclose([float(p.learning_rate) for p in parts], [0.2, 0.05], rtol=1e-5)


def test_a_rate_of_0_has_no_proportion():
    model, parts = two_groups(rates=(0.0, 0.1))
    with pytest.raises(ValueError, match="first rate of the MultiOptimizer is 0"):
        train(model, parts, callbacks.StepLR(1, learning_rate=0.1))


def test_the_librarys_own_optimizer_by_stages_is_led():
    """Adam's first steps are the rate itself, whatever the gradient is."""
    model, _ = two_groups()
    factors = {model.layers[0].kernel.path: 0.25}
    model.compile(StagewiseAdam(0.4, rate_factors=factors), "mse")
    before = [float(v[0, 0]) for v in model.trainable_variables]
    scheme = callbacks.CosineDecay(0.02, 400)
    model.layers[0].kernel.assign([[0.5]])
    before[0] = 0.5
    model.fit(X, X, batch_size=8, verbose=0, callbacks=[scheme])
    after = [float(v[0, 0]) for v in model.trainable_variables]
    np.testing.assert_allclose(np.subtract(after, before), [0.005, 0.02], rtol=1e-3)


@pytest.mark.parametrize("by_name", [True, False])
def test_weight_decay_follows_a_scheme_in_the_compiled_step(by_name):
    """The gradient is 1 and the rate 0.1: each step takes 0.1 and a share of the weight."""
    optimizer = callbacks.CyclicMomentumSGD(0.1, momentum=0.0, weight_decay=0.5)
    model = linear_model(optimizer)
    scheme = callbacks.ExponentialLR(0.5, per="step")
    lead = callbacks.Lead("weight_decay" if by_name else optimizer.weight_decay, scheme)
    watch, history = fit(model, lead, 1)
    weight, expected = 1.0, [1.0]
    for step in range(4):
        weight -= 0.1 * 0.5 * 0.5**step * weight
        weight -= 0.1
        expected.append(weight)
    np.testing.assert_allclose(watch.weights, expected, rtol=1e-5)
    assert history.history["weight_decay"] == [pytest.approx(0.0625)]


def test_a_variable_of_a_layer_follows_a_scheme():
    class Scale(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(
                shape=(), initializer="ones", trainable=False, name="scale"
            )

        def call(self, x):
            return x * self.scale

    model = keras.Sequential([keras.Input((1,)), Scale(), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.0), loss=lambda y, prediction: prediction)
    variable = model.layers[0].scale
    lead = callbacks.Lead(variable, callbacks.CosineDecay(2.0, count_from="fit"))
    history = model.fit(X, X, batch_size=2, epochs=2, verbose=0, callbacks=[lead])
    expected = [callbacks.CosineDecay(2.0, 8).value(t) for t in (3, 7)]
    np.testing.assert_allclose(history.history["scale"], expected, rtol=1e-6)
    assert float(variable) == pytest.approx(expected[-1])


@pytest.mark.parametrize(
    ("kind", "name"), [("CyclicMomentumSGD", "momentum"), ("CyclicMomentumAdam", "beta_1")]
)
def test_the_momentum_is_led_by_its_usual_name(kind, name):
    optimizer = getattr(callbacks, kind)(0.1, **{name: 0.8})
    lead = callbacks.Lead(name, callbacks.StepLR(1, gamma=0.5))
    watch, history = fit(linear_model(optimizer), lead, 2)
    np.testing.assert_allclose(watch.momenta, [0.8] * 4 + [0.4] * 4, rtol=1e-6)
    np.testing.assert_allclose(history.history[name], [0.8, 0.4], rtol=1e-6)


def test_what_is_no_single_number_or_is_not_there_is_refused():
    model = linear_model(callbacks.CyclicMomentumSGD(0.1))
    scheme = callbacks.StepLR(1)
    with pytest.raises(ValueError, match=r"^variable: 'kernel' has the shape \(1, 1\)"):
        fit(model, callbacks.Lead(model.layers[0].kernel, scheme))
    with pytest.raises(ValueError, match=r"'iteration' has the shape \(\) and the dtype int"):
        fit(model, callbacks.Lead(model.optimizer.iterations, scheme))
    with pytest.raises(ValueError, match="this CyclicMomentumSGD was made without weight_decay"):
        fit(model, callbacks.Lead("weight_decay", scheme))


def test_a_number_that_is_no_variable_is_refused_by_name():
    with pytest.raises(ValueError, match=r"variable of SGD: 'momentun'"):
        fit(
            linear_model(keras.optimizers.SGD(0.1)), callbacks.Lead("momentun", callbacks.StepLR(1))
        )
    with pytest.raises(ValueError, match=r"SGD holds momentum as a constant"):
        fit(
            linear_model(keras.optimizers.SGD(0.1)), callbacks.Lead("momentum", callbacks.StepLR(1))
        )
    with pytest.raises(ValueError, match=r"^variable: 0\.9 is not a keras\.Variable"):
        callbacks.Lead(0.9, callbacks.StepLR(1))
    with pytest.raises(ValueError, match=r"^scheme: 'cosine' is not a scheme"):
        callbacks.Lead("momentum", "cosine")
    cycle = callbacks.OneCycleLR(0.5)
    with pytest.raises(ValueError, match="cannot drive the momentum too"):
        fit(
            linear_model(callbacks.CyclicMomentumSGD(0.1)),
            callbacks.Lead("momentum_variable", cycle),
        )


@pytest.mark.parametrize("kind", [callbacks.CyclicMomentumSGD, callbacks.CyclicMomentumAdam])
def test_an_optimizer_with_a_led_weight_decay_is_saved_with_its_state(tmp_path, kind):
    model = linear_model(kind(0.1, weight_decay=0.5))
    fit(model, callbacks.Lead("weight_decay", callbacks.StepLR(1, gamma=0.5)), 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config()["weight_decay"] == 0.5
    for one, other in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
