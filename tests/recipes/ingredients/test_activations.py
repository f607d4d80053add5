import json
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib.figure import Figure

import recipes
from recipes.ingredients import activations
from recipes.transfer.state import to_numpy

TIMM = json.loads((Path(__file__).parents[2] / "reference" / "timm.json").read_text("utf-8"))
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
    "rrelu": lambda x: np.maximum(x, 0) + (1 / 8 + 1 / 3) / 2 * np.minimum(x, 0),
    "tlu": lambda x: np.maximum(x, 0),
    "exponential": np.exp,
    "squareplus": lambda x: (x + np.sqrt(x**2 + 4)) / 2,
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "hard_mish": lambda x: x / 2 * np.clip(x + 2, 0, 2),
    "scaled_tanh": lambda x: 1.7159 * np.tanh(2 / 3 * x),
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
    "rrelu": lambda f: lambda x: f.rrelu(x, training=False),
    "threshold": lambda f: lambda x: f.threshold(x, 1.0, 0.0),
    "celu": lambda f: f.celu,
    "softplus": lambda f: f.softplus,
    "log_sigmoid": lambda f: f.logsigmoid,
    "hard_sigmoid": lambda f: f.hardsigmoid,
    "hard_tanh": lambda f: f.hardtanh,
    "softsign": lambda f: f.softsign,
    "tanh_shrink": lambda f: f.tanhshrink,
    "soft_shrink": lambda f: f.softshrink,
    "hard_shrink": lambda f: f.hardshrink,
}
OF_TIMM = {
    "swish": "silu",
    "hard_swish": "hard_silu",
    "identity": "linear",
    "leaky_relu": ("leaky_relu", 0.01),
}
WIDE = {"crelu": 1, "maxout": 2, "glu": 2, "swiglu": 2, "sparsemax": 2}  # channels for the facts
LEARNED = ("prelu", "tlu")  # their facts are not those of the start


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
    # Where a function has a corner, both are right.
    x = X[(np.abs(X[:, None]) - [0, 0.5, 1, 3, 6] != 0).all(axis=1)]
    x = x[np.abs(np.abs(x)[:, None] - [0.5, 1, 3, 6]).min(axis=1) > 1e-3]
    tensor = torch.tensor(x, requires_grad=True)
    expected = TORCH[name](torch.nn.functional)(tensor)
    expected.sum().backward()
    options = {"negative_slope": 0.3} if name == "leaky_relu" else {}
    value, gradient = value_and_gradient(name, x[:, None], **options)
    np.testing.assert_allclose(value[:, 0], expected.detach(), rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(gradient[:, 0], tensor.grad, rtol=2e-5, atol=2e-6)


def test_the_tables_together_cover_every_activation():
    together = {"crelu", "maxout", "glu", "swiglu", "sparsemax"}
    assert set(FORMULAS) | set(TORCH) | together == set(activations.names())


@pytest.mark.parametrize("name", TIMM["activations"])
def test_values_are_timms(name):
    x = np.array(TIMM["x"], "float32")[:, None]
    ours = OF_TIMM.get(name, name)
    options = {"negative_slope": ours[1]} if isinstance(ours, tuple) else {}
    layer = activations.get(name, **options)
    assert activations.name_of(layer) == (ours[0] if options else ours)
    np.testing.assert_allclose(to_numpy(layer(x))[:, 0], TIMM["activations"][name], atol=2e-6)


@pytest.mark.parametrize("name", ["glu", "swiglu"])
def test_gated_ones_are_timms_and_torchs(name):
    x = np.array(TIMM[name]["x"], "float32")
    layer = activations.get(name)
    np.testing.assert_allclose(to_numpy(layer(x)), TIMM[name]["y"], atol=1e-6)
    if name == "glu":
        torch = pytest.importorskip("torch")
        expected = torch.nn.functional.glu(torch.from_numpy(x))
        np.testing.assert_allclose(to_numpy(layer(x)), expected, atol=1e-6)
    assert layer.compute_output_shape((None, 4, 5, 6)) == (None, 4, 5, 3)
    with pytest.raises(ValueError, match="pieces: 2 does not divide 3 channels"):
        activations.get(name)(np.zeros((1, 3)))


def test_sparsemax_projects_onto_the_simplex():
    x = np.random.default_rng(0).normal(size=(60, 5)).astype("float32") * 2
    y = to_numpy(activations.get("sparsemax")(x))
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-5)
    # The projection is the point of the simplex that is nearest: no vertex's direction is better.
    assert (x - y <= ((x - y) * y).sum(axis=1, keepdims=True) + 1e-5).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sparsemax_of_many_channels_sums_to_1_in_low_precision(dtype):
    x = np.random.default_rng(0).normal(size=(8, 700)).astype("float32") / 4
    layer = type(activations.get("sparsemax"))(dtype=dtype)
    y = layer(keras.ops.cast(x, dtype))
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    sums = to_numpy(keras.ops.cast(y, "float32")).sum(axis=1)
    np.testing.assert_allclose(sums, 1, atol=0.01)


def test_rrelu_draws_slopes_in_training_as_torch_does():
    torch = pytest.importorskip("torch")
    x = np.full((200, 50), -1.0, "float32")
    layer = activations.get("rrelu", seed=3)
    slopes = -to_numpy(layer(x, training=True))
    theirs = -torch.nn.functional.rrelu(torch.from_numpy(x), training=True).numpy()
    assert slopes.min() >= 1 / 8
    assert slopes.max() <= 1 / 3
    assert slopes.mean() == pytest.approx(theirs.mean(), abs=0.005)
    assert slopes.std() == pytest.approx(theirs.std(), rel=0.03)
    again = -to_numpy(activations.get("rrelu", seed=3)(x, training=True))
    np.testing.assert_array_equal(slopes, again)
    assert (to_numpy(layer(-x, training=True)) == 1).all()


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
    width = WIDE.get(name, 1)
    y, gradient = value_and_gradient(name, np.tile(x[:, None], (1, width)), **options)
    assert y.min() >= facts["low"] - 1e-5
    assert y.max() <= facts["high"] + 1e-5
    slow = 0.03 if name in ("softsign", "squareplus") else 2e-4  # they get there like 1 / x
    for bound, extreme in ((facts["low"], y.min()), (facts["high"], y.max())):
        if name not in (*LEARNED, *WIDE):
            assert np.isinf(bound) or extreme == pytest.approx(bound, abs=slow)
    if name not in WIDE or name == "maxout":
        assert facts["monotonic"] == bool((np.diff(y[:, 0]) >= -1e-6).all())
        flat_left, flat_right = (abs(gradient[i]).max() < 1e-3 for i in (0, -1))
        sides = {(1, 1): "both sides", (1, 0): "left side", (0, 1): "right side", (0, 0): "no"}
        if name != "prelu":
            assert sides[flat_left, flat_right] == facts["saturating"]
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
        recipes.plot_activation("swiglu", ax=Figure().subplots())
