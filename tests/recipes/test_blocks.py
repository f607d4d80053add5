"""Blocks: the order of their parts, where a bias is, what is penalized and dropped."""

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes import blocks
from recipes.classifiers import residual
from recipes.ingredients.drop_layers import DropPath
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers.cases import kinds


@pytest.mark.parametrize(
    ("position", "order"),
    [("before", ["kernel", "norm", "act", "drop"]), ("after", ["kernel", "act", "norm", "drop"])],
)
def test_the_order_is_the_one_asked_for(position, order):
    choices = {"normalization": "batch", "norm_position": position, "dropout": 0.1}
    assert kinds(recipes.mlp(4, 3, units=(8, 8), **choices)) == [*order, *order, "kernel"]
    one = recipes.cnn((8, 8, 3), 3, widths=(8,), depth=2, **choices)
    assert kinds(one) == [*order, *order, "kernel"]


def test_a_residual_block_in_its_three_orders():
    def trunk(position):
        config = blocks.BlockConfig(norm_position=position)
        inputs = keras.Input((8, 8, 8))
        return kinds(keras.Model(inputs, residual.residual_block(inputs, 8, config)))

    assert trunk("before") == ["kernel", "norm", "act", "kernel", "norm", "add", "act"]
    assert trunk("after") == ["kernel", "act", "norm", "kernel", "norm", "add", "act"]
    assert trunk("preactivation") == ["norm", "act", "kernel", "norm", "act", "kernel", "add"]


def test_regularization_is_on_kernels_alone():
    model = recipes.cnn((8, 8, 3), 3, widths=(8,), kernel_regularizer="l2", normalization="none")
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            assert layer.kernel_regularizer is not None
            assert layer.bias_regularizer is None
    penalty = sum(float(to_numpy(loss)) for loss in model.losses)
    squares = sum(float((to_numpy(w) ** 2).sum()) for w in model.weights if "kernel" in w.path)
    assert penalty == pytest.approx(0.01 * squares, rel=1e-4)


def test_dropout_zero_costs_nothing_and_selu_gets_its_own():
    assert "drop" not in kinds(recipes.cnn((8, 8, 3), 3, widths=(8,)))
    model = recipes.mlp(4, 3, activation="selu", dropout=0.1)
    assert sum(isinstance(layer, layers.AlphaDropout) for layer in model.layers) == 2


def test_a_shortcut_is_there_where_the_shapes_differ():
    def trunk(filters, strides, bottleneck):
        inputs = keras.Input((8, 8, 16))
        config = blocks.BlockConfig(norm_position="preactivation")
        options = {"strides": strides, "bottleneck": bottleneck}
        y = residual.residual_block(inputs, filters, config, **options)
        return y.shape[1:], kinds(keras.Model(inputs, y)).count("kernel")

    assert trunk(16, 1, False) == ((8, 8, 16), 2)
    assert trunk(16, 2, False) == ((4, 4, 16), 3)
    assert trunk(4, 1, True) == ((8, 8, 16), 3)
    assert trunk(8, 1, True) == ((8, 8, 32), 4)


def test_each_layer_that_draws_has_a_seed_of_its_own():
    config, same, none = (blocks.BlockConfig(seed=seed) for seed in (3, 3, None))
    drawn = [config.next_seed() for _ in range(5)]
    assert len(set(drawn)) == 5
    assert drawn == [same.next_seed() for _ in range(5)]
    assert none.next_seed() is None


NORMS_WITH_SCALE = ["batch", "layer", "group", "instance", "filter_response"]


@pytest.mark.parametrize("normalization", [*NORMS_WITH_SCALE, layers.BatchNormalization()])
@pytest.mark.parametrize("position", blocks.ORDERS)
@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_residual_block_can_begin_as_its_shortcut(normalization, position, bottleneck):
    choices = {"normalization": normalization, "norm_position": position, "seed": 0}
    config = blocks.BlockConfig(**choices, activation="linear", zero_init_last=True)
    inputs = keras.Input((8, 8, 8))
    block = residual.residual_block(inputs, 2 if bottleneck else 8, config, bottleneck=bottleneck)
    model = keras.Model(inputs, block)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 8)).astype("float32")
    np.testing.assert_allclose(to_numpy(model(x)), x, atol=1e-6)
    clone = keras.models.clone_model(model)
    np.testing.assert_allclose(to_numpy(clone(x)), x, atol=1e-6)
    other = keras.Model(inputs, residual.residual_block(inputs, 8, blocks.BlockConfig(**choices)))
    assert np.abs(to_numpy(other(x)) - x).max() > 0.1


def test_the_zero_scales_are_torchvisions():
    """One for each block with a shortcut: `zero_init_residual` there."""
    net = recipes.resnet((8, 8, 3), 3, depth=(2, 1), width=8, zero_init_last=True)
    zero = [w for w in net.weights if w.name == "gamma" and not to_numpy(w).any()]
    assert len(zero) == 3
    mobile = recipes.mobilenet(
        (8, 8, 3), 3, width=0.25, stages=((1, 8, 1, 1), (2, 8, 3, 1)), zero_init_last=True
    )
    added = sum(isinstance(layer, layers.Add) for layer in mobile.layers)
    zero = [w for w in mobile.weights if w.name == "gamma" and not to_numpy(w).any()]
    assert len(zero) == added == 4


@pytest.mark.parametrize("normalization", ["rms", "unit", "none", "weight", "frozen_batch"])
def test_where_no_scale_is_learned_none_can_be_zero(normalization):
    with pytest.raises(ValueError, match="zero_init_last: the normalization"):
        recipes.resnet((8, 8, 3), 3, depth=(1,), normalization=normalization, zero_init_last=True)


def test_a_preactivated_kernel_of_zeros_needs_a_direction():
    options = {"normalization": "weight", "norm_position": "preactivation", "zero_init_last": True}
    with pytest.raises(ValueError, match="a kernel of zeros has no direction"):
        recipes.resnet((8, 8, 3), 3, depth=(1,), **options)


def test_drop_path_rises_from_block_to_block():
    net = recipes.resnet((8, 8, 3), 3, depth=(2, 1), width=8, drop_path=0.2, seed=0)
    dropped = [layer for layer in net.layers if isinstance(layer, DropPath)]
    assert [layer.rate for layer in dropped] == pytest.approx([0.1, 0.2])
    assert len({layer.seed for layer in dropped}) == 2
    mobile = recipes.mobilenet((8, 8, 3), 3, width=0.25, stages=((1, 8, 3, 1),), drop_path=0.1)
    rates = [layer.rate for layer in mobile.layers if isinstance(layer, DropPath)]
    assert rates == pytest.approx([0.05, 0.1])
    with pytest.raises(ValueError, match=r"drop_path: 1\.0"):
        recipes.resnet((8, 8, 3), 3, depth=(1,), drop_path=1.0)


def test_what_draws_in_training_has_the_models_seed():
    def trained():
        model = recipes.mlp(4, 3, units=(8, 8), activation="rrelu", dropout=0.2, seed=5)
        recipes.compile_classifier(model, optimizer="sgd", learning_rate=0.1)
        model.train_on_batch(np.ones((4, 4)), np.arange(4) % 3)
        return model.get_weights()

    assert all((one == two).all() for one, two in zip(trained(), trained(), strict=True))


def test_a_recipe_may_allow_fewer_positions():
    with pytest.raises(ValueError, match=r"Unknown norm_position.*Allowed: after, before\."):
        blocks.BlockConfig(norm_position="preactivation", positions=blocks.PLAIN)


BAD = [
    (lambda: recipes.mlp(4, 3, activation="rleu"), "activation", "relu"),
    (lambda: recipes.mlp(4, 3, activation="softmax"), "activation", "output layer"),
    (lambda: recipes.mlp(4, 3, normalization="grupo"), "normalization", "group"),
    (lambda: recipes.mlp(4, 3, normalization="instance"), "normalization", "places"),
    (lambda: recipes.mlp(4, 3, kernel_initializer="he"), "initializer", "he_normal"),
    (lambda: recipes.mlp(4, 3, kernel_regularizer="l22"), "regularizer", "l2"),
    (lambda: recipes.mlp(4, 3, dropout=-0.1), "dropout", "-0.1"),
    (lambda: recipes.mlp(4, 3, dropout=1.0), "dropout", "1.0"),
    (lambda: recipes.mlp(4, 3, units=(7,), activation="crelu"), "units", "odd"),
    (
        lambda: recipes.cnn(
            (32, 32, 3), 3, widths=(10,), normalization=layers.GroupNormalization(4)
        ),
        "groups",
        "4 does not divide 10",
    ),
]


@pytest.mark.parametrize(("call", "culprit", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(call, culprit, text):
    with pytest.raises(ValueError, match=culprit) as caught:
        call()
    assert text in str(caught.value)


def test_zeros_for_hidden_kernels_warn():
    with pytest.warns(UserWarning, match="stay identical"):
        recipes.mlp(4, 3, kernel_initializer="zeros")
