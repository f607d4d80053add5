"""Structured initializers, each layer's own draw, gains, and a model's start by its signals."""

import itertools
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes import blocks
from recipes.ingredients import activations, initializers
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers.cases import RECIPES

TIMM = json.loads((Path(__file__).parents[2] / "reference" / "timm.json").read_text("utf-8"))
SHAPES = [(3, 3, 4, 6), (3, 3, 6, 4), (1, 1, 5, 5), (2, 4, 3, 3), (5, 7)]


def drawn(name, shape, **options):
    return to_numpy(initializers.get(name, **options)(shape))


def as_torch(kernel):
    """(places…, in, out) to (out, in, places…)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


@pytest.mark.parametrize("shape", SHAPES[:-1])
def test_dirac_is_torchs(shape):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.dirac_(torch.empty(*as_torch(np.empty(shape)).shape))
    np.testing.assert_array_equal(as_torch(drawn("dirac", shape)), theirs)


def test_dirac_of_a_depthwise_kernel_is_torchs_by_groups():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.dirac_(torch.empty(6, 1, 3, 3), groups=6).numpy()
    kernel = to_numpy(initializers.for_depthwise(initializers.get("dirac"))((3, 3, 6, 1)))
    np.testing.assert_array_equal(kernel[..., 0].transpose(2, 0, 1), theirs[:, 0])


def test_a_dirac_network_passes_its_input_on():
    inputs = keras.Input((7, 7, 4))
    options = {"normalization": "none", "activation": "linear", "kernel_initializer": "dirac"}
    config = blocks.BlockConfig(**options)
    x = blocks.depthwise_block(blocks.conv_block(inputs, 4, config), config)
    pictures = np.random.default_rng(0).normal(size=(2, 7, 7, 4)).astype("float32")
    np.testing.assert_allclose(to_numpy(keras.Model(inputs, x)(pictures)), pictures, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_delta_orthogonal_is_orthogonal_in_the_middle_as_jaxs(shape):
    jax = pytest.importorskip("jax")
    kernel = drawn(("delta_orthogonal", {"gain": 1.5}), shape, seed=0)
    middle = kernel[tuple(side // 2 for side in shape[:-2])]
    few = min(middle.shape)
    product = middle @ middle.T if middle.shape[0] == few else middle.T @ middle
    np.testing.assert_allclose(product, 1.5**2 * np.eye(few), atol=1e-5)
    assert np.abs(kernel).sum() == pytest.approx(np.abs(middle).sum())
    if len(shape) == 4 and shape[0] == shape[1] and shape[2] <= shape[3]:  # what JAX's takes
        theirs = np.asarray(
            jax.nn.initializers.delta_orthogonal(1.5)(jax.random.key(0), shape, "float32")
        )
        assert ((theirs != 0) == (kernel != 0)).all()
        assert (theirs**2).sum() == pytest.approx((kernel**2).sum(), rel=1e-4)


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.75])
def test_sparse_is_torchs(sparsity):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.sparse_(torch.empty(30, 40), sparsity, std=0.02).numpy()
    kernel = drawn(("sparse", {"sparsity": sparsity, "stddev": 0.02}), (40, 30), seed=0).T
    np.testing.assert_array_equal((kernel == 0).sum(axis=0), (theirs == 0).sum(axis=0))
    assert kernel[kernel != 0].std() == pytest.approx(0.02, rel=0.1)
    assert len({tuple(column) for column in (kernel == 0).T}) > 1
    assert drawn("sparse", (3, 3, 8, 16), seed=1).shape == (3, 3, 8, 16)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_he_by_fan_out_has_torchs_variance(kind):
    torch = pytest.importorskip("torch")
    fill = getattr(torch.nn.init, f"kaiming_{kind}_")
    theirs = fill(torch.empty(400, 60, 3, 3), mode="fan_out", nonlinearity="relu").numpy()
    kernel = drawn(f"kaiming_{kind}_fan_out", (3, 3, 60, 400), seed=0)
    assert kernel.var() == pytest.approx(theirs.var(), rel=0.02)
    assert kernel.var() == pytest.approx(2 / (9 * 400), rel=0.02)


@pytest.mark.parametrize("name", [name for name in initializers.NAMES if name != "zeros"])
def test_a_seed_gives_the_same_values_and_configurations_come_back(name):
    initializer = initializers.get(name, seed=4)
    first = to_numpy(initializer((3, 3, 8, 8)))
    np.testing.assert_array_equal(first, to_numpy(initializer((3, 3, 8, 8))))
    config = keras.initializers.serialize(initializer)
    np.testing.assert_array_equal(first, to_numpy(initializers.get(config)((3, 3, 8, 8))))
    other = to_numpy(initializers.get(name, seed=5)((3, 3, 8, 8)))
    assert (name == "dirac") == (first == other).all()


OBJECTS = {
    "without a seed": keras.initializers.HeNormal,
    "with a seed": lambda: keras.initializers.HeNormal(seed=3),
    "its class": lambda: keras.initializers.HeNormal,
    "its configuration": lambda: keras.initializers.serialize(keras.initializers.HeNormal(seed=3)),
    "a name with a seed": lambda: ("he_normal", {"seed": 3}),
    "auto with a seed": lambda: ("auto", {"seed": 3}),
    "ours": lambda: initializers.get("delta_orthogonal", seed=3),
}


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("seed", [None, 7])
def test_an_initializer_object_gives_each_layer_its_own_draw(kind, seed):
    def kernels():
        model = recipes.mlp(8, 3, units=(8, 8, 8), seed=seed, kernel_initializer=OBJECTS[kind]())
        return [to_numpy(layer.kernel) for layer in model.layers[1:] if hasattr(layer, "kernel")][
            :-1
        ]

    first, again = kernels(), kernels()
    assert not any((one == two).all() for one, two in itertools.pairwise(first))
    same = all((one == two).all() for one, two in zip(first, again, strict=True))
    drawn_by_itself = kind not in ("without a seed", "its class")
    assert same == (seed is not None or drawn_by_itself)


def test_gains_are_torchs_and_those_measured_timms():
    torch = pytest.importorskip("torch")
    for name in ("linear", "sigmoid", "tanh", "relu", "selu"):
        assert recipes.gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    for slope in (0.01, 0.3, 1.0):
        expected = torch.nn.init.calculate_gain("leaky_relu", slope)
        assert recipes.gain("leaky_relu", negative_slope=slope) == pytest.approx(expected, rel=1e-5)
    # timm's constants are measured on centred values, which these are by themselves.
    assert recipes.gain("softsign") == pytest.approx(TIMM["gamma"]["softsign"], rel=0.01)
    assert set(recipes.gain_table().index) == set(activations.names()) - {
        *("maxout", "glu", "swiglu", "sparsemax")
    }
    with pytest.raises(ValueError, match="'swiglu' takes several values"):
        recipes.gain("swiglu")


def test_a_gain_follows_the_options():
    torch = pytest.importorskip("torch")
    leaky = torch.nn.init.calculate_gain("leaky_relu", 0.5)
    for given in (("relu", {"negative_slope": 0.5}), layers.ReLU(negative_slope=0.5)):
        assert recipes.gain(given) == pytest.approx(leaky, rel=1e-5)
        auto = initializers.get("auto", activation=activations.get(given))
        assert auto.scale == pytest.approx(leaky**2)
    z = np.random.default_rng(0).normal(size=200_000)
    assert recipes.gain("relu", max_value=1.0) ** -2 == pytest.approx(
        np.square(z.clip(0, 1)).mean(), rel=0.02
    )


@pytest.mark.parametrize("name", ["silu", "elu", "hard_tanh", "squareplus", "quick_gelu"])
def test_a_measured_gain_keeps_the_mean_square(name):
    z = np.random.default_rng(0).normal(size=(200_000, 1)).astype("float32")
    values = to_numpy(activations.get(name)(z))
    assert recipes.gain(name) ** 2 * np.square(values).mean() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("recipe", ["mlp", "cnn", "resnet"])
@pytest.mark.parametrize("normalization", ["none", "weight"])
def test_lsuv_gives_every_layer_unit_variance(recipe, normalization):
    model = RECIPES[recipe](normalization=normalization, kernel_initializer="random_normal", seed=0)
    x = np.random.default_rng(0).uniform(0, 255, (32, *model.input_shape[1:])).astype("float32")
    assert recipes.lsuv(model, x, tolerance=0.05, seed=1) is model
    head = model.layers[-1]
    assert head.activation is keras.activations.softmax
    kernels = [m for m in model.layers if hasattr(getattr(m, "layer", m), "kernel")][:-1]
    assert len(kernels) > 1
    for layer in kernels:
        outputs = to_numpy(keras.Model(model.input, layer.output)(x))
        assert outputs.var() == pytest.approx(1, abs=0.05)


def test_lsuv_begins_with_orthogonal_kernels():
    model = recipes.mlp(8, 3, units=(6,), seed=0)
    recipes.lsuv(model, np.random.default_rng(0).normal(size=(64, 8)), seed=1)
    kernel = to_numpy(model.layers[1].kernel)
    product = kernel.T @ kernel
    np.testing.assert_allclose(product, product[0, 0] * np.eye(6), atol=1e-5)


def test_lsuv_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match=r"'dense.*' makes of it has the variance 0"):
        recipes.lsuv(recipes.mlp(4, 3), np.zeros((8, 4)))
    with pytest.raises(ValueError, match="model: list is no functional"):
        recipes.lsuv([], np.zeros((8, 4)))
    with pytest.raises(ValueError, match="tolerance: 0"):
        recipes.lsuv(recipes.mlp(4, 3), np.zeros((8, 4)), tolerance=0)


def test_bias_initializers_of_any_form():
    for given, expected in [
        ("zeros", 0),
        ("Ones", 1),
        (("constant", {"value": 0.25}), 0.25),
        (keras.initializers.Constant(0.5), 0.5),
        (np.float32(0.125), 0.125),
        (1, 1),
    ]:
        model = recipes.mlp(4, 3, units=(5,), bias_initializer=given)
        np.testing.assert_allclose(to_numpy(model.layers[1].bias), expected)
    biases = [
        to_numpy(layer.bias)
        for layer in recipes.mlp(4, 3, units=(5, 5), bias_initializer="normal", seed=1).layers
        if isinstance(layer, layers.Dense)
    ]
    assert (biases[0] != biases[1]).all()
    for given in (None, "auto", [0, 1]):
        with pytest.raises(ValueError, match=r"bias_initializer|initializer: \[0, 1\]"):
            recipes.mlp(4, 3, bias_initializer=given)
