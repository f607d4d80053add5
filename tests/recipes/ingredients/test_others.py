"""Initializers, penalties, dropout and scaling."""

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from keras import layers
from sklearn import preprocessing

import recipes
from recipes.ingredients import activations, initializers, regularizers, scaling

FAN_IN, FAN_OUT = 600, 400
EXPECTED = {
    "zeros": 0.0,
    "random_normal": 0.05**2,
    "random_uniform": 0.1**2 / 12,
    "truncated_normal": 0.05**2 * 0.7737,
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
    "lecun_normal": 1 / FAN_IN,
    "lecun_uniform": 1 / FAN_IN,
    "variance_scaling": 1 / FAN_IN,
    "he_normal_fan_out": 2 / FAN_OUT,
    "he_uniform_fan_out": 2 / FAN_OUT,
    "orthogonal": 1 / FAN_IN,
    "delta_orthogonal": 1 / FAN_IN,
    "sparse": 0.9 * 0.01**2,
}


@pytest.mark.parametrize("name", [name for name in initializers.NAMES if name != "dirac"])
@pytest.mark.filterwarnings("ignore:initializer. with zeros")
def test_the_variance_is_the_formulas(name):
    options = {} if name == "zeros" else {"seed": 0}
    values = np.asarray(initializers.get(name, **options)((FAN_IN, FAN_OUT)))
    assert values.mean() == pytest.approx(0, abs=5 * np.sqrt(EXPECTED[name] / values.size) + 1e-9)
    assert values.var() == pytest.approx(EXPECTED[name], rel=0.02)
    again = np.asarray(initializers.get(name, **options)((FAN_IN, FAN_OUT)))
    np.testing.assert_array_equal(values, again)
    assert name in recipes.initializer_table().index


def test_orthogonal_is_orthogonal():
    w = np.asarray(initializers.get("orthogonal", seed=0)((8, 20)))
    np.testing.assert_allclose(w @ w.T, np.eye(8), atol=1e-5)


@pytest.mark.parametrize(("name", "stddev"), [("random_normal", 0.01), ("random_normal", 1.0)])
def test_the_deviation_can_be_chosen(name, stddev):
    w = np.asarray(initializers.get(name, seed=0, stddev=stddev)((300, 300)))
    assert w.std() == pytest.approx(stddev, rel=0.02)


GLOROT = (
    *("sigmoid", "hard_sigmoid", "sparse_sigmoid", "log_sigmoid", "tanh", "hard_tanh", "softsign"),
    *("tanh_shrink", "soft_shrink", "hard_shrink", "exponential", "sparsemax", "glu", "linear"),
)
AUTO = {
    **dict.fromkeys(activations.names(), 2 / FAN_IN),
    **dict.fromkeys(GLOROT, 2 / (FAN_IN + FAN_OUT)),
    **dict.fromkeys(["selu", "scaled_tanh"], 1 / FAN_IN),
    "leaky_relu": 2 / FAN_IN / (1 + 0.3**2),
}


@pytest.mark.parametrize("name", activations.names())
def test_auto_follows_the_activation(name):
    initializer = initializers.get("auto", activation=activations.get(name), seed=1)
    assert np.asarray(initializer((FAN_IN, FAN_OUT))).var() == pytest.approx(AUTO[name], rel=0.02)


def test_the_gain_follows_the_leaky_slope():
    leaky = activations.get("leaky_relu", negative_slope=0.7)
    values = np.asarray(initializers.get("auto", activation=leaky, seed=1)((FAN_IN, FAN_OUT)))
    torch = pytest.importorskip("torch")
    gain = torch.nn.init.calculate_gain("leaky_relu", 0.7)
    assert values.var() == pytest.approx(gain**2 / FAN_IN, rel=0.02)


def test_zeros_warn_and_names_are_checked():
    with pytest.warns(UserWarning, match="stay identical"):
        initializers.get("zeros")
    with pytest.raises(ValueError, match="Did you mean 'he_normal'"):
        initializers.get("he_norml")
    mine = keras.initializers.Constant(0.5)
    assert initializers.get(mine) is mine
    config = keras.initializers.serialize(mine)
    assert initializers.get(config).value == 0.5


weights = arrays.arrays("float32", (3, 4), elements=st.floats(-3, 3, width=32))


@settings(max_examples=50, deadline=None)
@given(w=weights, p=st.floats(1, 4), strength=st.floats(0, 2))
def test_lp_is_its_formula(w, p, strength):
    expected = strength * (np.abs(w.astype("f8")) ** p).sum()
    penalty = float(regularizers.get("lp", p=p, strength=strength)(w))
    assert penalty == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_lp_at_one_and_two_is_keras_own():
    w = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    for p, own in ((1, keras.regularizers.L1(0.3)), (2, keras.regularizers.L2(0.3))):
        assert float(regularizers.Lp(p, 0.3)(w)) == pytest.approx(float(own(w)), rel=1e-5)


@pytest.mark.parametrize("name", regularizers.names())
def test_penalties_round_trip(name):
    regularizer = regularizers.get(name)
    if name == "none":
        assert regularizer is None
        return
    config = keras.regularizers.serialize(regularizer)
    assert regularizers.get(config).get_config() == regularizer.get_config()
    assert regularizers.get(regularizer) is regularizer


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: regularizers.get("l1-l3"), "Did you mean .l1"),
        (lambda: regularizers.get("l2", l2=-0.1), "l2: -0.1"),
        (lambda: regularizers.Lp(0.5), "p: 0.5"),
        (lambda: regularizers.Lp(2, -1), "strength: -1"),
        (lambda: regularizers.dropout(1.0, activations.get("relu")), "dropout: 1.0"),
        (lambda: regularizers.dropout(-0.1, activations.get("relu")), "dropout: -0.1"),
    ],
)
def test_bad_penalties_and_rates_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_dropout_suits_what_it_drops_from():
    relu, selu = activations.get("relu"), activations.get("selu")
    assert regularizers.dropout(0.0, relu) is None
    assert isinstance(regularizers.dropout(0.5, relu), layers.Dropout)
    maps, series = regularizers.MAPS, regularizers.SERIES
    assert isinstance(regularizers.dropout(0.5, relu, rank=maps), layers.SpatialDropout2D)
    assert isinstance(regularizers.dropout(0.5, relu, rank=series), layers.Dropout)
    assert isinstance(regularizers.dropout(0.5, selu, rank=maps), layers.AlphaDropout)


def test_orthogonal_is_keras_own_and_takes_kernels_of_any_rank():
    w = np.random.default_rng(0).normal(size=(3, 3, 4, 6)).astype("float32")
    for mode in ("rows", "columns"):
        theirs = keras.regularizers.OrthogonalRegularizer(0.3, mode)(
            keras.ops.array(w.reshape(-1, 6))
        )
        ours = regularizers.get(("OrthogonalRegularizer", {"factor": 0.3, "mode": mode}))(w)
        assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
        object_ = regularizers.get(keras.regularizers.OrthogonalRegularizer(0.3, mode))
        assert float(object_(w)) == pytest.approx(float(theirs), rel=1e-5)
    assert float(regularizers.get("orthogonal")(w[..., :1])) == 0


@pytest.mark.parametrize("name", [name for name in regularizers.names() if name != "none"])
def test_every_penalty_by_name_penalizes(name):
    model = recipes.cnn((8, 8, 3), 3, widths=(4,), depth=1, kernel_regularizer=name, seed=0)
    assert len(model.losses) == 2
    assert all(float(loss) > 0 for loss in model.losses)


DATA = np.random.default_rng(0).normal([0, 5, -3], [1, 10, 0.1], size=(200, 3))


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("min_max", preprocessing.MinMaxScaler()),
        ("standard", preprocessing.StandardScaler()),
    ],
)
def test_scaling_is_scikit_learns(name, theirs):
    data = np.column_stack([DATA, np.full(200, 7.0)])  # the last feature is constant
    layer = scaling.get(name, data=data)
    np.testing.assert_allclose(layer(data), theirs.fit_transform(data), rtol=1e-4, atol=1e-5)


def test_the_range_can_be_chosen():
    layer = scaling.get("min_max", data=DATA, minimum=-2.0, maximum=3.0)
    expected = preprocessing.MinMaxScaler((-2, 3)).fit_transform(DATA)
    np.testing.assert_allclose(layer(DATA), expected, rtol=1e-4, atol=1e-5)


def test_the_non_linear_ones_are_their_formulas():
    u, z = DATA / DATA.std(axis=0), (DATA - DATA.mean(axis=0)) / DATA.std(axis=0)
    expected = {
        "log": np.sign(u) * np.log1p(np.abs(u)),
        "arctan": 2 / np.pi * np.arctan(z),
        "power": np.sign(u) * np.sqrt(np.abs(u)),
    }
    for name, values in expected.items():
        found = scaling.get(name, data=DATA)(DATA)
        np.testing.assert_allclose(found, values, rtol=1e-3, atol=1e-4)


ADAPTING = ["min_max", "standard", "log", "arctan", "power"]
odd_values = st.one_of(
    st.floats(-1e6, 1e6), st.just(np.nan), st.just(np.inf), st.just(-np.inf), st.just(0.0)
)


@pytest.mark.parametrize("name", ADAPTING)
@settings(max_examples=40, deadline=None)
@given(data=arrays.arrays("float64", (6, 2), elements=odd_values))
def test_missing_infinite_and_constant_values_never_give_infinity(name, data):
    data[0] = 1.0  # each feature has a finite value
    layer = scaling.get(name, data=data)
    assert np.isfinite(np.asarray(layer(data))).all()
    np.testing.assert_allclose(
        layer(np.full((1, 2), np.nan)), layer(np.asarray(layer.mean)[None]), atol=1e-5
    )


@pytest.mark.parametrize("name", ADAPTING)
def test_scaling_lives_in_the_saved_model(name, tmp_path):
    layer = scaling.get(name, data=DATA)
    model = recipes.mlp(3, 2, units=(4,), scaling=layer, seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict_on_batch(DATA), model.predict_on_batch(DATA))
    table = pd.DataFrame(DATA)
    np.testing.assert_allclose(scaling.get(name, data=table)(DATA), layer(DATA), rtol=1e-5)


def test_bad_scaling_is_refused():
    with pytest.raises(ValueError, match=r"features \[1\] have no finite value"):
        scaling.get("standard", data=[[1.0, np.nan], [2.0, np.inf]])
    with pytest.raises(ValueError, match="no axis of features"):
        scaling.get("standard", data=[1.0, 2.0])
    with pytest.raises(ValueError, match="Did you mean 'standard'"):
        scaling.get("standrad")
    with pytest.raises(ValueError, match="maximum: 0"):
        scaling.get("min_max", minimum=1, maximum=0)
    with pytest.raises(ValueError, match="power: 0"):
        scaling.get("power", power=0)
