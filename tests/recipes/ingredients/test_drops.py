"""Drop path and drop block beside timm's, dropout by name and as a layer, constraints."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes.ingredients import activations, regularizers
from recipes.ingredients.drop_layers import DropBlock, DropPath
from recipes.transfer.state import to_numpy

TIMM = json.loads((Path(__file__).parents[2] / "reference" / "timm.json").read_text("utf-8"))
RELU = activations.get("relu")


def test_drop_path_leaves_out_whole_samples_as_timm_does():
    expected = TIMM["dropped"]["drop_path"]
    layer = DropPath(0.25, seed=0)
    y = to_numpy(layer(np.ones((8192, 3, 2), "float32"), training=True))
    assert set(np.unique(y.round(4))) == {0, np.float32(expected["most"]).round(4)}
    assert (y == y[:, :1, :1]).all()
    assert (y[:, 0, 0] > 0).mean() == pytest.approx(expected["kept"], abs=0.02)
    assert y.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("case", TIMM["dropped"]["drop_block"])
def test_drop_block_leaves_as_much_as_timms(case):
    block_size, rate = json.loads(f"[{case}]")
    layer = DropBlock(rate, block_size, seed=0)
    y = to_numpy(layer(np.ones((4096, 12, 10, 2), "float32"), training=True))
    assert (y > 0).mean() == pytest.approx(TIMM["dropped"]["drop_block"][case], abs=0.01)
    assert y.mean() == pytest.approx(1, abs=1e-3)
    assert (y[..., 0] == y[..., 1]).all()


@pytest.mark.parametrize("block_size", [1, 2, 3])
def test_what_drop_block_drops_is_squares(block_size):
    x = np.ones((400, 9, 9, 1), "float32")
    y = to_numpy(DropBlock(0.02, block_size, seed=1)(x, training=True))
    lost = y[..., 0] == 0
    inside = lost.copy()
    inside[:, 2:-2, 2:-2] = False  # at the border a square may be cut
    one = lost[(lost.sum(axis=(1, 2)) == block_size**2) & ~inside.any(axis=(1, 2))]
    assert len(one) > 10
    for picture in one:
        rows, columns = np.nonzero(picture)
        assert np.ptp(rows) == np.ptp(columns) == block_size - 1


@pytest.mark.parametrize("sides", [(9, 8), (3, 8)])
def test_drop_block_takes_maps_of_any_size(sides):
    """Where it does not know the size beforehand, it drops what it drops of a known size."""
    x = np.ones((64, *sides, 2), "float32")
    known, unknown = (
        keras.Sequential([keras.Input((*shape, 2)), DropBlock(0.3, 3, seed=0)])
        for shape in (sides, (None, None))
    )
    np.testing.assert_allclose(*(trained(model, x) for model in (known, unknown)), atol=1e-6)


def test_a_small_map_of_a_size_that_varies_is_one_square():
    model = keras.Sequential([keras.Input((None, None, 1)), DropBlock(0.3, 7, seed=0)])
    y = trained(model, np.ones((512, 2, 3, 1), "float32"))
    assert (y == y[:, :1, :1]).all()
    assert 0 < (y == 0).mean() < 1


def trained(model, x):
    """What a training step gives, where sizes are those of the input."""
    if keras.backend.backend() != "tensorflow":
        return to_numpy(model(x, training=True))
    import tensorflow as tf

    shape = (None, *model.input_shape[1:])
    signature = [tf.TensorSpec(shape, "float32")]
    return tf.function(lambda x: model(x, training=True), input_signature=signature)(x).numpy()


SPATIAL = ["spatial", "SpatialDropout1D", "Dropout1d", layers.SpatialDropout1D(0.3)]


@pytest.mark.parametrize("given", SPATIAL)
def test_channels_of_series_are_dropped_whole(given):
    dropout = (given, {"rate": 0.3}) if isinstance(given, str) else given
    model = recipes.cnn1d((8, 2), 3, widths=(4, 4), depth=1, dropout=dropout, seed=0)
    found = [layer for layer in model.layers if isinstance(layer, layers.SpatialDropout1D)]
    assert [layer.rate for layer in found] == [0.3, 0.3]
    y = to_numpy(found[0](np.ones((64, 8, 4), "float32"), training=True))
    assert (y == y[:, :1]).all()
    assert set(np.unique(y.round(3))) == {0, np.float32(1 / 0.7).round(3)}


@pytest.mark.parametrize("name", ["spatial", "drop_block"])
def test_convnext_has_maps_to_drop_from(name):
    size = {"widths": (8,), "depths": (1,), "patch_size": 2}
    model = recipes.convnext((8, 8, 3), 3, **size, dropout=(name, {"rate": 0.1}))
    kind = regularizers.DROPOUTS[name]
    assert sum(isinstance(layer, kind) for layer in model.layers) == 1


@pytest.mark.parametrize("layer", [DropPath(0.5), DropBlock(0.5, 2)])
def test_nothing_is_dropped_after_training_nor_at_rate_0(layer):
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype("float32")
    np.testing.assert_array_equal(layer(x), x)
    config = {**layer.get_config(), "rate": 0.0}
    np.testing.assert_array_equal(type(layer).from_config(config)(x, training=True), x)


FORMS = {
    "a name": (("gaussian", {"rate": 0.3}), layers.GaussianDropout),
    "a class' name": (("AlphaDropout", {"rate": 0.3}), layers.AlphaDropout),
    "a dictionary": ({"name": "spatial", "rate": 0.3}, layers.SpatialDropout2D),
    "a layer": (layers.GaussianDropout(0.3), layers.GaussianDropout),
    "ours": (("drop_block", {"rate": 0.3, "block_size": 3}), DropBlock),
    "a layer of ours": (DropBlock(0.3, 3), DropBlock),
    "a configuration": (
        keras.saving.serialize_keras_object(layers.GaussianDropout(0.3)),
        layers.GaussianDropout,
    ),
    "a number of NumPy's": (np.float32(0.3), layers.SpatialDropout2D),
}


@pytest.mark.parametrize("form", FORMS)
def test_dropout_comes_in_any_form_and_each_layer_has_its_own_draw(form):
    given, kind = FORMS[form]
    model = recipes.cnn((8, 8, 3), 3, widths=(8, 8), depth=1, dropout=given, seed=0)
    found = [layer for layer in model.layers if isinstance(layer, kind)]
    assert len({id(layer) for layer in found}) == len({layer.seed for layer in found}) == 2
    assert all(layer.rate == pytest.approx(0.3) for layer in found)
    same = recipes.cnn((8, 8, 3), 3, widths=(8, 8), depth=1, dropout=given, seed=0)
    seeds = [layer.seed for layer in same.layers if isinstance(layer, kind)]
    assert seeds == [layer.seed for layer in found]


def test_dropout_for_maps_is_refused_for_vectors():
    with pytest.raises(ValueError, match="DropBlock is for maps"):
        recipes.mlp(4, 3, dropout=("drop_block", {"rate": 0.1}))
    with pytest.raises(ValueError, match="SpatialDropout2D is for maps"):
        recipes.cnn1d((8, 2), 3, dropout=layers.SpatialDropout2D(0.1))
    assert regularizers.dropout(0, RELU) is None


@pytest.mark.parametrize("name", ["max_norm", "unit_norm", "min_max_norm"])
@pytest.mark.parametrize("recipe", ["mobilenet", "mlp"])
def test_constraints_hold_for_each_output_of_every_kernel(name, recipe):
    options = {"kernel_constraint": (name, {"max_value": 0.5} if "max" in name else {})}
    if recipe == "mlp":
        model = recipes.mlp(8, 3, units=(6,), **options)
    else:
        model = recipes.mobilenet((8, 8, 3), 3, width=0.25, stages=((1, 8, 1, 1),), **options)
    recipes.compile_classifier(model, optimizer="sgd", learning_rate=0.5)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (8, *model.input_shape[1:])).astype("float32")
    model.train_on_batch(x, np.arange(8) % 3)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            kernel = to_numpy(layer.kernel)
            axes = tuple(range(kernel.ndim - (2 if depthwise else 1)))
            norms = np.sqrt(np.square(kernel).sum(axis=axes))
            bound = 0.5 if "max" in name else 1
            assert norms.max() <= bound + 1e-5
            if name == "unit_norm":
                np.testing.assert_allclose(norms, 1, atol=1e-5)
