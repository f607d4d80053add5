"""Classes with options, others' names and functions, and what was registered with Keras."""

import functools

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
    scaling,
)
from recipes.ingredients.activation_layers import KerasFunction
from recipes.transfer.state import to_numpy

X = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")


def model(**choices):
    return recipes.cnn((8, 8, 3), 3, widths=(8,), depth=1, **choices)


def rates_of(built):
    return [layer.rate for layer in built.layers if hasattr(layer, "rate")]


@pytest.mark.parametrize("name", ["gelu_tanh", "GELUTanh", "gelu_new", "gelu_pytorch_tanh"])
def test_timms_and_transformers_names_of_the_tanh_gelu(name):
    torch = pytest.importorskip("torch")
    expected = torch.nn.functional.gelu(torch.from_numpy(X), approximate="tanh")
    np.testing.assert_allclose(to_numpy(activations.get(name)(X)), expected, atol=1e-6)
    assert np.abs(to_numpy(activations.get("gelu")(X)) - expected.numpy()).max() > 1e-5


@pytest.mark.parametrize(("name", "torchs"), [("HSwish", "Hardswish"), ("HSigmoid", "Hardsigmoid")])
def test_mmcvs_names_of_activations(name, torchs):
    torch = pytest.importorskip("torch")
    expected = getattr(torch.nn, torchs)()(torch.from_numpy(X))
    np.testing.assert_allclose(to_numpy(activations.get(name)(X)), expected, atol=1e-6)


NORMS = {
    "batch": ["BatchNorm1d", "BatchNorm3d", "BN", "BN1d", "BN2d", "BatchNormAct2d", "batch_norm"],
    "sync_batch": ["SyncBatchNorm", "SyncBN", "SyncBatchNormAct"],
    "frozen_batch": ["FrozenBatchNorm2d", "FrozenBatchNormAct2d"],
    "layer": ["LN2d", "LayerNorm2d", "LayerNormAct2d"],
    "instance": ["InstanceNorm1d", "InstanceNorm3d", "IN2d"],
    "group": ["GN", "GroupNormAct"],
    "rms": ["RMSNorm", "RmsNorm2d"],
    "local_response": ["LRN", "CrossMapLRN2d"],
    "filter_response": ["FilterResponseNormTlu2d", "FRN"],
}


@pytest.mark.parametrize("name", NORMS)
def test_torchs_timms_and_mmcvs_names_of_norms(name):
    assert {normalization.canonical_name(one) for one in NORMS[name]} == {name}
    for none in ("", "norm", "normalization", "2d", "tlu"):
        with pytest.raises(ValueError, match="Unknown normalization"):
            normalization.canonical_name(none)


def test_timms_and_torchs_names_of_initializers():
    assert type(initializers.get("trunc_normal_tf_")) is keras.initializers.TruncatedNormal
    assert type(initializers.get("eye_")) is keras.initializers.Identity


def test_a_class_of_keras_is_what_its_name_is():
    by_class = [float(one) for one in model(kernel_regularizer=keras.regularizers.L1L2).losses]
    assert all(loss > 0 for loss in by_class)
    for given in (keras.regularizers.OrthogonalRegularizer, "orthogonal"):
        assert type(regularizers.get(given)) is regularizers.Orthogonal
    orthogonal = regularizers.get(keras.regularizers.OrthogonalRegularizer)
    assert float(orthogonal(np.ones((3, 3, 2, 4), "float32"))) > 0
    assert normalization.get(layers.GroupNormalization, 48).groups == 24
    assert normalization.wrapper(layers.SpectralNormalization)(layers.Dense(3)).layer.units == 3
    held = constraints.get(keras.constraints.MaxNorm, axis=(0, 1, 2))
    assert held.get_config()["axis"] == [0, 1, 2]
    with pytest.warns(UserWarning, match="stay identical"):
        initializers.get(keras.initializers.Zeros)


class Scaled(layers.Layer):
    """A norm or activation of a user's own."""

    def __init__(self, by, **options):
        super().__init__(**options)
        self.by = by

    def call(self, x):
        return self.by * x

    def get_config(self):
        return {**super().get_config(), "by": self.by}


TAKEN = [
    (lambda: activations.get((layers.LeakyReLU, {"negative_slope": 0.5})).negative_slope, 0.5),
    (lambda: activations.get(layers.LeakyReLU, negative_slope=0.5).negative_slope, 0.5),
    (lambda: activations.get((Scaled, {"by": np.float32(0.5)})).by, 0.5),
    (lambda: normalization.get((layers.GroupNormalization, {"groups": 2}), 8).groups, 2),
    (lambda: normalization.get(layers.BatchNormalization, 8, momentum=0.5).momentum, 0.5),
    (lambda: normalization.get((Scaled, {"by": 2.0}), 8).by, 2.0),
    (lambda: initializers.get((keras.initializers.RandomNormal, {"stddev": 3.0})).stddev, 3.0),
    (lambda: regularizers.get((keras.regularizers.L2, {"l2": 0.5})).get_config()["l2"], 0.5),
    (lambda: constraints.get((keras.constraints.MaxNorm, {"max_value": 3})).max_value, 3),
    (lambda: rates_of(model(dropout=(layers.GaussianDropout, {"rate": 0.25}))), [0.25]),
    (lambda: scaling.get(("min_max", {"minimum": -1.0})).minimum, -1.0),
    (lambda: scaling.get({"name": "power", "power": np.float32(0.25)}).power, 0.25),
    (lambda: type(scaling.get("MinMaxScaling")).__name__, "MinMaxScaling"),
    (lambda: type(scaling.get(scaling.Standardization)).__name__, "Standardization"),
]


@pytest.mark.parametrize(("call", "expected"), TAKEN)
def test_options_go_with_a_class_too(call, expected):
    assert call() == expected


LOST = [
    (lambda: activations.get(layers.LeakyReLU(0.1), negative_slope=0.5), "activation"),
    (lambda: activations.get(keras.activations.leaky_relu, negative_slope=0.5), "activation"),
    (lambda: normalization.get(layers.BatchNormalization(), 8, epsilon=0.5), "normalization"),
    (lambda: initializers.get(keras.initializers.RandomNormal(0.1), stddev=3), "initializer"),
    (lambda: regularizers.get(keras.regularizers.L2(0.1), l2=0.5), "regularizer"),
    (lambda: constraints.get(keras.constraints.MaxNorm(1), max_value=3), "kernel_constraint"),
    (lambda: scaling.get(layers.Rescaling(0.1), scale=3), "scaling"),
]


@pytest.mark.parametrize(("call", "argument"), LOST)
def test_options_that_an_object_would_not_follow_are_refused(call, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: .* are options of a name or a class"):
        call()


STRANGE = [
    ({"activation": ("tanh", {"alpha": 1})}, "it takes no alpha; it has no options"),
    ({"activation": ("elu", {"beta": 1})}, "it takes no beta; its options are alpha"),
    ({"activation": ("gelu", {"tanh": 1})}, "it takes no tanh; its options are approximate"),
    ({"normalization": ("none", {"groups": 8})}, "it takes no groups; it has no options"),
    ({"normalization": ("batch", {"groups": 3})}, "it takes no groups; its options are axis, mom"),
    ({"normalization": ("ws", {"eps": 3})}, "it takes no eps; its options are epsilon"),
    ({"normalization": ("frn", {"eps": 3})}, "it takes no eps; its options are epsilon, gamma"),
    ({"kernel_initializer": ("auto", {"mean": 3})}, "it takes no mean; its options are seed"),
    ({"kernel_initializer": ("trunc_normal", {"std": 3})}, "no std; its options are mean, stddev"),
    ({"kernel_initializer": ("kaiming_normal_fan_out", {"a": 3})}, "no a; its options are seed"),
    ({"kernel_regularizer": ("l2", {"factor": 3})}, "it takes no factor; its options are l2"),
    ({"kernel_constraint": ("max_norm", {"most": 3})}, "no most; its options are max_value, axis"),
    ({"dropout": ("gaussian", {"rate": 0.1, "by": 2})}, "it takes no by; its options are rate, se"),
    ({"scaling": ("min_max", {"low": 0})}, "it takes no low; its options are minimum, maximum"),
]


@pytest.mark.parametrize(("choices", "text"), STRANGE)
def test_an_option_that_there_is_not_is_told_with_those_that_there_are(choices, text):
    with pytest.raises(ValueError, match=text) as caught:
        model(**choices)
    assert "\n" not in str(caught.value)


def glu(x):
    """A user's own, that has the name of one of ours."""
    return x[..., ::2]


def nothing(x):
    return None


NO_FUNCTIONS = {
    "of NumPy": (np.tanh, "tanh makes no tensor of a Keras tensor"),
    "of Python": (len, "len makes no tensor of a Keras tensor"),
    "without a result": (nothing, "nothing makes no tensor of a Keras tensor"),
    "of keras.ops that halves": (keras.ops.glu, r"glu makes \(None, 8, 8, 4\) of .*'glu'"),
    "a user's that halves": (glu, r"glu makes \(None, 8, 8, 4\) of .*'glu'"),
}


@pytest.mark.parametrize("kind", NO_FUNCTIONS)
def test_a_function_that_is_no_activation_is_refused_when_the_model_is_built(kind):
    function, text = NO_FUNCTIONS[kind]
    with pytest.raises(ValueError, match=text) as caught:
        model(activation=function)
    assert "\n" not in str(caught.value)


def test_functions_and_modules_of_torch_are_refused():
    torch = pytest.importorskip("torch")
    for given, name in ((torch.nn.functional.relu, "relu"), (torch.nn.ReLU(), r"ReLU\(\)")):
        with pytest.raises(ValueError, match=f"{name} makes no tensor of a Keras tensor"):
            model(activation=given)
    with pytest.raises(ValueError, match=r"kaiming_normal_ at .* function of shape and dtype"):
        model(kernel_initializer=torch.nn.init.kaiming_normal_)
    for argument in ("activation", "normalization", "kernel_regularizer"):
        with pytest.raises(ValueError, match="is not a name"):
            model(**{argument: torch.nn.ReLU})


@pytest.mark.tensorflow_only
def test_a_function_of_tensorflows_that_doubles_is_refused():
    import tensorflow as tf

    with pytest.raises(ValueError, match=r"crelu\w* makes \(None, 8, 8, 16\) of \(None, 8, 8, 8\)"):
        model(activation=tf.nn.crelu)
    assert model(activation=tf.nn.relu6).predict(np.ones((1, 8, 8, 3)), verbose=0).shape == (1, 3)


def test_partial_functions_are_activations():
    leaky = functools.partial(keras.activations.leaky_relu, negative_slope=0.5)
    assert model(activation=leaky).output_shape == (None, 3)
    with pytest.raises(ValueError, match="is for the output layer"):
        model(activation=functools.partial(keras.activations.softmax, axis=1))


@keras.saving.register_keras_serializable("mine")
def bent(x):
    return keras.ops.tanh(x) * x


@keras.saving.register_keras_serializable("mine")
class Centred(layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable("mine")
class Halves(keras.initializers.Initializer):
    def __init__(self, by=0.5):
        self.by = by

    def __call__(self, shape, dtype=None):
        return self.by * keras.ops.ones(shape, dtype)


@keras.saving.register_keras_serializable("mine")
class Square(keras.regularizers.Regularizer):
    def __call__(self, x):
        return keras.ops.sum(x**2)


@keras.saving.register_keras_serializable("mine")
class Bounded(keras.constraints.Constraint):
    def __call__(self, w):
        return keras.ops.clip(w, -1, 1)


@keras.saving.register_keras_serializable("mine")
class Losing(layers.Layer):
    """A dropout without a seed."""

    def __init__(self, rate=0.5, **options):
        super().__init__(**options)
        self.rate = rate

    def call(self, x):
        return x

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


def test_what_was_registered_with_keras_is_taken_by_its_name():
    assert activations.get("mine>bent").activation is bent
    assert isinstance(normalization.get("mine>Centred", 8), Centred)
    assert initializers.get(("mine>Halves", {"by": 0.25})).by == 0.25
    assert isinstance(regularizers.get("mine>Square"), Square)
    assert isinstance(constraints.get("mine>Bounded"), Bounded)
    with pytest.raises(ValueError, match="it takes no to; its options are by"):
        initializers.get(("mine>Halves", {"to": 0.25}))
    with pytest.raises(ValueError, match="is not a name"):
        activations.get("mine>Halves")
    found = model(
        activation="mine>bent",
        normalization="mine>Centred",
        kernel_initializer="mine>Halves",
        kernel_regularizer="mine>Square",
        kernel_constraint="mine>Bounded",
        dropout=("mine>Losing", {"rate": 0.25}),
        seed=0,
    )
    assert rates_of(found) == [0.25]
    assert float(found.losses[0]) == pytest.approx(8 * 27 * 0.25)


def test_a_dropout_of_a_users_own_need_not_have_a_seed():
    found = model(dropout=Losing(0.125), seed=3)
    assert rates_of(found) == [0.125]


def test_what_keras_calls_by_a_name_needs_no_shape_of_its_own():
    assert not isinstance(activations.get(keras.activations.gelu), KerasFunction)
    assert model(activation=keras.activations.gelu).output_shape == (None, 3)
