import keras
import numpy as np
import pytest
from keras import layers
from matplotlib.figure import Figure

import recipes
from tests.recipes.wine import X, Y


@pytest.mark.tensorflow_only
def test_statistics_are_numpys_and_gradients_are_tensorflows():
    model = recipes.mlp(13, 3, units=(16, 8), activation="tanh", seed=0, dropout=0.2)
    before = model.get_weights()
    table = recipes.layer_statistics(model, X, Y).set_index("layer")
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    dense, tanh = model.layers[1], model.layers[2]
    values = np.tanh(X @ dense.kernel.numpy() + dense.bias.numpy())
    row = table.loc[tanh.name]
    assert row["mean"] == pytest.approx(values.mean(), abs=1e-5)
    assert row["variance"] == pytest.approx(values.var(), rel=1e-4)
    assert row["saturated"] == pytest.approx((np.abs(values) > 0.98).mean(), abs=1e-3)
    assert table.loc[dense.name, "gradient"] == pytest.approx(of_tape(model, dense), rel=1e-3)


@pytest.mark.tensorflow_only
def test_a_gradient_below_the_rounding_of_its_kernel_is_seen():
    model = recipes.mlp(13, 3, units=(16,) * 16, activation="sigmoid", seed=0)
    dense = model.layers[1]
    rounding = np.spacing(np.abs(dense.kernel.numpy()).mean())
    table = recipes.layer_statistics(model, X, Y).set_index("layer")
    found = table.loc[dense.name, "gradient"]
    assert 0 < found < 0.1 * rounding
    assert found == pytest.approx(of_tape(model, dense), rel=1e-3)


def of_tape(model, dense):
    """The root mean square of the gradient that TensorFlow gives."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(Y, model(X, training=False))
        loss = tf.reduce_mean(losses)
    gradient = tape.gradient(loss, dense.kernel.value).numpy().astype("float64")
    return np.sqrt((gradient**2).mean())


def test_dead_units_are_found():
    model = keras.Sequential([keras.Input((13,)), layers.Dense(4), layers.ReLU()])
    model.layers[0].bias.assign([-1e3, 0, -1e3, 0])
    table = recipes.layer_statistics(model, X).set_index("kind")
    assert table.loc["relu", "dead"] == 0.5
    assert "gradient" not in table


@pytest.mark.parametrize(("stddev", "grows"), [(0.01, False), (1.0, True)])
def test_bad_deviations_make_signals_vanish_or_saturate(stddev, grows):
    initializer = keras.initializers.RandomNormal(stddev=stddev, seed=0)
    model = recipes.mlp(13, 3, units=(64,) * 6, activation="tanh", kernel_initializer=initializer)
    table = recipes.layer_statistics(model, X, Y)
    tanh = table[table["kind"] == "tanh"]
    if grows:
        assert tanh["saturated"].iloc[-1] > 0.5
    else:
        assert tanh["variance"].iloc[-1] < 1e-6 * tanh["variance"].iloc[0]
    axes = recipes.plot_layer_statistics(table, Figure().subplots(1, 2))
    assert len(axes[1].lines[0].get_xdata()) == 7
