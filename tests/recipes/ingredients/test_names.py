"""Every name of Keras', in every spelling; options with names; odd objects are one error."""

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes.ingredients import (
    activations,
    constraints,
    initializers,
    normalization,
    regularizers,
)
from recipes.transfer.state import to_numpy


def public(module, base):
    """The names that Keras gives to the classes of a module, those in snake case among them."""
    things = {name: getattr(module, name) for name in dir(module) if name[0] != "_"}
    return {
        name: thing
        for name, thing in things.items()
        if isinstance(thing, type) and issubclass(thing, base) and thing is not base
    }


ACTIVATIONS = [
    name
    for name in dir(keras.activations)
    if name[0] != "_" and name not in ("deserialize", "get", "serialize", "softmax", "log_softmax")
]
INITIALIZERS = public(keras.initializers, keras.initializers.Initializer)
REGULARIZERS = public(keras.regularizers, keras.regularizers.Regularizer)
CONSTRAINTS = public(keras.constraints, keras.constraints.Constraint)
NORMS = [name for name in dir(keras.layers) if name.endswith("Normalization")]
NORMS.remove("Normalization")  # of inputs, by their statistics: `recipes.scaling`
NOT_SO = {"sparsemax", "threshold", "glu", "leaky_relu"}  # see their own tests
X = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_of_keras_is_taken_by_name_and_class_name(name):
    spelled = [name, name.replace("_", ""), name.title().replace("_", ""), name.upper()]
    found = [to_numpy(activations.get(one)(X)) for one in spelled]
    for values in found[1:]:
        np.testing.assert_array_equal(values, found[0])
    if name not in NOT_SO:
        expected = to_numpy(keras.activations.get(name)(X))
        np.testing.assert_allclose(found[0], expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore:initializer. with")
@pytest.mark.parametrize("name", INITIALIZERS)
def test_every_initializer_of_keras_is_taken(name):
    assert type(initializers.get(name, seed=1)) is INITIALIZERS[name]


@pytest.mark.parametrize("name", REGULARIZERS)
def test_every_regularizer_of_keras_is_taken(name):
    assert isinstance(regularizers.get(name), REGULARIZERS[name])


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_constraint_of_keras_is_taken(name):
    assert type(constraints.get(name)) is CONSTRAINTS[name]


@pytest.mark.parametrize("name", NORMS)
def test_every_normalization_of_keras_is_taken(name):
    made = normalization.get(name, 8) or normalization.wrapper(name)(layers.Dense(3))
    assert isinstance(made, getattr(keras.layers, name))


TORCH = {
    "activation": ["ReLU6", "SiLU", "GELU", "CELU", "Hardswish", "Hardtanh", "Hardsigmoid", "Mish"],
    "more": ["Softplus", "Softshrink", "Hardshrink", "Tanhshrink", "LogSigmoid", "RReLU", "GLU"],
    "norm": ["BatchNorm2d", "GroupNorm", "LayerNorm", "InstanceNorm2d", "LocalResponseNorm"],
}


@pytest.mark.parametrize("name", TORCH["activation"] + TORCH["more"])
def test_torchs_class_names_are_taken(name):
    torch = pytest.importorskip("torch")
    expected = getattr(torch.nn, name)().eval()(torch.from_numpy(X))
    np.testing.assert_allclose(to_numpy(activations.get(name)(X)), expected, atol=1e-5)


@pytest.mark.parametrize("name", TORCH["norm"])
def test_torchs_names_of_norms_are_taken(name):
    assert isinstance(normalization.get(name, 8), layers.Layer)


OPTIONS = [
    (lambda: activations.get(("leaky_relu", {"negative_slope": 0.5})).negative_slope, 0.5),
    (lambda: activations.get(["leaky_relu", {"negative_slope": 0.5}]).negative_slope, 0.5),
    (lambda: activations.get({"name": "celu", "alpha": 2.0}).parameters, {"alpha": 2.0}),
    (lambda: activations.get({"name": "elu", "alpha": np.float32(0.5)}).get_config()["alpha"], 0.5),
    (lambda: activations.get(("gelu", {"approximate": True})).function, "gelu"),
    (lambda: normalization.get(("group", {"groups": np.int64(2)}), 8).groups, 2),
    (lambda: normalization.get({"name": "batch", "momentum": 0.5}).momentum, 0.5),
    (lambda: normalization.get(("bn", {"epsilon": 1e-5}), 8, momentum=0.5).momentum, 0.5),
    (lambda: initializers.get(("normal", {"stddev": 0.5})).stddev, 0.5),
    (lambda: regularizers.get({"name": "l2", "l2": 0.5}).get_config()["l2"], 0.5),
    (lambda: constraints.get(("max_norm", {"max_value": 3}), axis=(0, 1, 2)).axis, [0, 1, 2]),
    (lambda: constraints.get(("max_norm", {"axis": 1}), axis=0).axis, 1),
]


@pytest.mark.parametrize(("call", "expected"), OPTIONS)
def test_options_come_with_the_name(call, expected):
    assert call() == expected


def test_classes_stand_for_their_objects():
    assert isinstance(activations.get(layers.ReLU), layers.ReLU)
    assert isinstance(normalization.get(layers.LayerNormalization, 8), layers.LayerNormalization)
    assert isinstance(initializers.get(keras.initializers.HeNormal), keras.initializers.HeNormal)
    assert isinstance(regularizers.get(keras.regularizers.L2), keras.regularizers.L2)
    assert isinstance(constraints.get(keras.constraints.NonNeg), keras.constraints.NonNeg)


@keras.saving.register_keras_serializable("tests")
class Doubling(layers.Layer):
    def call(self, x):
        return keras.ops.concatenate([x, x], axis=-1)


def halved(x):
    return x[..., ::2]


def model(**choices):
    return recipes.cnn((8, 8, 3), 3, widths=(8,), depth=1, **choices)


def used(layer):
    layer.build((None, 8, 8, 8))
    return layer


ODD = {
    "a number": 3,
    "a boolean": True,
    "a set": {"relu"},
    "a type": int,
    "one name in a tuple": ("relu",),
    "three in a tuple": ("group", 8, 3),
    "an array": np.ones(3),
    "an array of several lines": np.ones((3, 3, 3, 8)),
    "a model": keras.Sequential([keras.Input((8,))]),
    "a kernel layer": layers.Conv2D(8, 3),
    "a kernel layer's class": layers.Conv2D,
    "a wrapped kernel": layers.SpectralNormalization(layers.Conv2D(8, 3)),
    "an unknown name": "nothing_like_it",
    "a name that is not one": "",
    "an unknown name with options": ("nothing_like_it", {"rate": 0.1}),
    "a configuration of nothing": {"class_name": "Nothing", "config": {}},
}
ARGUMENTS = {
    "activation": "swiglu",
    "normalization": "group",
    "kernel_initializer": "he_normal",
    "bias_initializer": "he_normal",
    "kernel_regularizer": "l1_l2",
    "kernel_constraint": "max_norm",
    "dropout": "gaussian",
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_an_odd_object_is_one_error_that_says_what_is_allowed(argument, kind):
    if (argument, kind) == ("bias_initializer", "a number"):
        return
    with pytest.raises(ValueError, match=argument.rpartition("_")[2]) as caught:
        model(**{argument: ODD[kind]})
    text = str(caught.value)
    assert "\n" not in text
    numeric = argument == "dropout" and kind in ("a number", "a boolean")
    assert numeric or kind == "a configuration of nothing" or ARGUMENTS[argument] in text


REFUSED = [
    ({"activation": keras.activations.glu}, "take 'glu'"),
    ({"activation": halved}, r"halved makes \(None, 8, 8, 4\) of .*'swiglu'"),
    ({"activation": Doubling()}, r"Doubling makes \(None, 8, 8, 16\)"),
    ({"activation": layers.Activation("softmax")}, "softmax"),
    ({"activation": layers.Activation(keras.activations.glu)}, "take 'glu'"),
    ({"activation": layers.Lambda(lambda x: x)}, "python lambda|Python lambda"),
    ({"activation": layers.Softmax()}, "is for the output layer"),
    ({"activation": used(layers.PReLU())}, "has weights of its own"),
    ({"activation": ("tanh", {"alpha": 1})}, "'tanh' with {'alpha': 1}"),
    ({"activation": ("leaky_relu", {"slope": 1})}, "'leaky_relu' with {'slope': 1}"),
    ({"normalization": used(layers.BatchNormalization())}, "has weights of its own"),
    ({"normalization": Doubling()}, "the shape has to stay"),
    ({"normalization": lambda x: x}, "is not a name"),
    ({"normalization": layers.Normalization()}, "is not a name"),
    ({"normalization": ("group", {"groups": 3})}, "groups: 3 does not divide 8"),
    ({"normalization": ("batch", {"groups": 3})}, "'batch' with {'groups': 3}"),
    ({"kernel_initializer": ("he_normal", {"stddev": 3})}, "'he_normal' with"),
    ({"kernel_initializer": keras.regularizers.L2()}, "is not a name"),
    ({"kernel_regularizer": ("lp", {"p": 0.5})}, "p: 0.5"),
    ({"kernel_regularizer": ("l2", {"l2": "much"})}, "l2: 'much'"),
    ({"kernel_constraint": ("max_norm", {"most": 1})}, "'max_norm' with"),
    ({"dropout": layers.GaussianDropout}, "'gaussian' needs a rate"),
    ({"dropout": "gaussian"}, "needs a rate"),
    ({"dropout": ("gaussian", {"rate": 1})}, "dropout: 1 is not a share"),
    ({"dropout": "0.1"}, "Unknown dropout"),
    ({"dropout": layers.ReLU()}, "is not a name"),
    ({"dropout": layers.SpatialDropout1D(0.1)}, "SpatialDropout1D is for series"),
    ({"bias_initializer": float("nan")}, "bias_initializer: nan is not a finite number"),
    ({"seed": -1}, "seed: -1"),
    ({"seed": "a"}, "seed: 'a'"),
]


@pytest.mark.parametrize(("choices", "text"), REFUSED)
def test_what_does_not_suit_is_refused_when_the_model_is_built(choices, text):
    with pytest.raises(ValueError, match=text) as caught:
        model(**choices)
    assert "\n" not in str(caught.value)


def test_functions_of_a_users_own_still_work():
    def bent(x):
        return keras.ops.tanh(x) * x

    for given in (bent, lambda x: x / 2, keras.ops.sin):
        assert model(activation=given).output_shape == (None, 3)
    penalty = recipes.mlp(4, 3, units=(4,), kernel_regularizer=lambda w: keras.ops.sum(w**2))
    assert float(penalty.losses[0]) > 0
