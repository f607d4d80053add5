import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib.figure import Figure

import recipes
from recipes.ingredients import activations

X = np.concatenate([np.linspace(-8, 8, 161), [-50.0, 50.0]]).astype("float32")
sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
FORMULAS = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.maximum(x, 0) + 0.3 * np.minimum(x, 0),
    "prelu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    ),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "hard_silu": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "linear": lambda x: x,
}
TORCH = {
    "sigmoid": lambda f: f.sigmoid,
    "tanh": lambda f: f.tanh,
    "relu": lambda f: f.relu,
    "leaky_relu": lambda f: lambda x: f.leaky_relu(x, 0.3),
    "relu6": lambda f: f.relu6,
    "silu": lambda f: f.silu,
    "mish": lambda f: f.mish,
    "selu": lambda f: f.selu,
    "elu": lambda f: f.elu,
    "gelu": lambda f: f.gelu,
    "hard_silu": lambda f: f.hardswish,
}


def value_and_gradient(name, x, **options):
    import tensorflow as tf

    layer = activations.get(name, **options)
    with tf.GradientTape() as tape:
        tensor = tf.constant(x)
        tape.watch(tensor)
        y = layer(tensor)
    return y.numpy(), tape.gradient(y, tensor).numpy()


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_the_formulas(name):
    options = {"negative_slope": 0.3} if name == "leaky_relu" else {}
    value, _ = value_and_gradient(name, X[:, None], **options)
    np.testing.assert_allclose(value[:, 0], FORMULAS[name](X.astype("f8")), rtol=2e-5, atol=2e-6)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", TORCH)
def test_values_and_gradients_are_torchs(name):
    torch = pytest.importorskip("torch")
    x = X[np.abs(np.abs(X) - 3) > 1e-3]  # hard_silu has a corner there, where both are right
    x = x[(x != 0) & (x != 6)]
    tensor = torch.tensor(x, requires_grad=True)
    expected = TORCH[name](torch.nn.functional)(tensor)
    expected.sum().backward()
    options = {"negative_slope": 0.3} if name == "leaky_relu" else {}
    value, gradient = value_and_gradient(name, x[:, None], **options)
    np.testing.assert_allclose(value[:, 0], expected.detach(), rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(gradient[:, 0], tensor.grad, rtol=2e-5, atol=2e-6)


def test_the_tables_together_cover_every_activation():
    assert set(FORMULAS) | set(TORCH) | {"crelu", "maxout"} == set(activations.names())


@pytest.mark.tensorflow_only
def test_crelu_is_tensorflows():
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(2, 4, 5, 6)).astype("float32")
    np.testing.assert_array_equal(activations.CReLU()(x), tf.nn.crelu(x))
    assert activations.CReLU().compute_output_shape((None, 4, 5, 6)) == (None, 4, 5, 12)


@settings(max_examples=30, deadline=None)
@given(pieces=st.integers(2, 5), units=st.integers(1, 6), seed=st.integers(0, 99))
def test_maxout_is_numpys_maximum_of_neighbours(pieces, units, seed):
    x = np.random.default_rng(seed).normal(size=(3, 2, units * pieces)).astype("float32")
    expected = np.max(np.split(x, units, axis=-1), axis=-1).transpose(1, 2, 0)
    np.testing.assert_array_equal(activations.Maxout(pieces)(x), expected)


def test_prelu_learns_one_slope_a_channel():
    layer = activations.get("prelu")
    layer(np.zeros((2, 4, 5, 3)))
    assert [tuple(w.shape) for w in layer.weights] == [(1, 1, 3)]
    layer.alpha.assign(np.full((1, 1, 3), 0.5))
    assert float(layer(np.full((1, 1, 1, 3), -2.0))[0, 0, 0, 0]) == -1.0


@pytest.mark.parametrize("name", activations.names())
def test_the_facts_are_true(name):
    facts = recipes.activation_table().loc[name]
    x = np.sort(np.concatenate([X, np.linspace(-3, 3, 6001).astype("float32")]))
    options = {"negative_slope": 0.3} if name == "leaky_relu" else {}
    width = {"crelu": 1, "maxout": 2}.get(name, 1)
    y, gradient = value_and_gradient(name, np.tile(x[:, None], (1, width)), **options)
    assert y.min() >= facts["low"] - 1e-5
    assert y.max() <= facts["high"] + 1e-5
    for bound, extreme in ((facts["low"], y.min()), (facts["high"], y.max())):
        if name not in ("prelu", "crelu"):
            assert np.isinf(bound) or extreme == pytest.approx(bound, abs=2e-4)
    if name != "crelu":
        assert facts["monotonic"] == bool((np.diff(y[:, 0]) >= -1e-6).all())
        flat_left, flat_right = (abs(gradient[i]).max() < 1e-3 for i in (0, -1))
        found = {(1, 1): "both sides", (1, 0): "left side", (0, 0): "no"}[flat_left, flat_right]
        if name != "prelu":
            assert found == facts["saturating"]
    layer = activations.get(name)
    layer.build((None, 2 * width))
    assert facts["parameters"] * 2 == sum(int(np.prod(w.shape)) for w in layer.weights)


@pytest.mark.parametrize("name", activations.names())
def test_names_copies_and_configurations_round_trip(name):
    layer = activations.get(name)
    assert activations.name_of(layer) == name
    assert activations.name_of(activations.get(layer)) == name
    config = keras.saving.serialize_keras_object(layer)
    assert activations.name_of(activations.get(config)) == name
    assert activations.get(layer) is not layer


def test_functions_and_aliases():
    assert activations.get(keras.activations.softsign)(np.ones((1, 1))).numpy() == 0.5
    assert activations.name_of(activations.get("swish")) == "silu"
    assert activations.name_of(activations.get(None)) == "linear"


@pytest.mark.parametrize("softmax", ["softmax", keras.activations.softmax, "log_softmax"])
def test_softmax_is_refused_as_a_hidden_activation(softmax):
    with pytest.raises(ValueError, match="is for the output layer"):
        activations.get(softmax)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'mish'"):
        activations.get("mihs")
    with pytest.raises(ValueError, match="pieces: 1"):
        activations.Maxout(1)
    with pytest.raises(ValueError, match="pieces: 3 does not divide 4 channels"):
        activations.Maxout(3)(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="units: 3 is odd"):
        activations.kernel_units(activations.CReLU(), 3)


def test_cost_is_measured_when_asked_for():
    assert "cost" not in recipes.activation_table()
    table = recipes.activation_table(measure_cost=True, repeats=3)
    assert table.loc["relu", "cost"] == 1
    assert (table["cost"] > 0).all()


def test_the_plot_shows_function_and_derivative():
    axes = recipes.plot_activation("tanh", ax=Figure().subplots())
    x, y = axes.lines[0].get_data()
    np.testing.assert_allclose(y, np.tanh(x), atol=1e-6)
    np.testing.assert_allclose(
        axes.lines[1].get_ydata()[1:-1], 1 - np.tanh(x[1:-1]) ** 2, atol=1e-3
    )
    with pytest.raises(ValueError, match="has no curve"):
        recipes.plot_activation("maxout", ax=Figure().subplots())
