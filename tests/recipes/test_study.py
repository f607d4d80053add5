from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from matplotlib.figure import Figure
from sklearn.datasets import load_wine

import recipes

X, Y = load_wine(return_X_y=True)
X = ((X - X.mean(0)) / X.std(0)).astype("float32")
DATA = (X[::2], Y[::2]), (X[1::2], Y[1::2])
build = partial(recipes.mlp, 13, 3, units=(8,))
GRID = {"activation": ["relu", keras.activations.softsign], "kernel_initializer": ["he_normal"]}


def test_a_comparison_has_one_row_a_run_and_is_repeatable():
    table = recipes.compare(build, GRID, *DATA, seeds=2, epochs=2, verbose=False)
    assert table["activation"].tolist() == ["relu", "relu", "softsign", "softsign"]
    assert table["seed"].tolist() == [0, 1, 0, 1]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "seconds", "diverged"} <= set(table)
    again = recipes.compare(build, GRID, *DATA, seeds=2, epochs=2, verbose=False)
    np.testing.assert_allclose(table["val_loss"], again["val_loss"], rtol=1e-5)
    assert table["val_loss"].nunique() == 4


def test_a_comparison_goes_on_where_it_stopped(tmp_path):
    output, built = tmp_path / "table.csv", []

    def counting(**choices):
        built.append(choices)
        if len(built) == 3:
            raise KeyboardInterrupt
        return build(**choices)

    options = {"seeds": 2, "epochs": 1, "verbose": False, "output": output}
    with pytest.raises(KeyboardInterrupt):
        recipes.compare(counting, GRID, *DATA, **options)
    assert len(pd.read_csv(output)) == 2
    table = recipes.compare(counting, GRID, *DATA, **options)
    assert len(built) == 5  # two, the interrupted one, two
    assert len(table) == 4
    more = recipes.compare(counting, {**GRID, "activation": ["relu"]}, *DATA, **options)
    assert len(built) == 5
    assert len(more) == 2
    other = {**options, "epochs": 2}
    recipes.compare(counting, {**GRID, "activation": ["relu"]}, *DATA, **other)
    assert len(built) == 7


def test_a_diverged_run_is_a_row():
    def explode(scale, seed):
        model = build(seed=seed)
        return recipes.compile_classifier(model, optimizer=keras.optimizers.SGD(scale))

    table = recipes.compare(explode, {"scale": [0.01, 1e30]}, *DATA, seeds=1, verbose=False)
    assert table["diverged"].tolist() == [False, True]
    summary = recipes.summarize(table)
    assert summary.index.tolist() == [0.01, 1e30]


def test_the_summary_is_pandas_mean_and_deviation_with_the_best_first():
    table = recipes.compare(build, GRID, *DATA, seeds=3, epochs=3, verbose=False)
    for metric, better in (("val_accuracy", max), ("val_loss", min)):
        summary = recipes.summarize(table, metric)
        assert summary["mean"].iloc[0] == better(summary["mean"])
        name = summary.index[0][0]
        runs = table.loc[table["activation"] == name, metric]
        assert summary["std"].iloc[0] == pytest.approx(runs.std())
        assert summary["runs"].tolist() == [3, 3]
    axes = recipes.plot_comparison(table, ax=Figure().subplots())
    assert [text.get_text() for text in axes.get_yticklabels()][-1].startswith(
        recipes.summarize(table).index[0][0]
    )


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match="grid"):
        recipes.compare(build, {}, *DATA)
    with pytest.raises(ValueError, match="activation"):
        recipes.compare(build, {"activation": []}, *DATA)


@pytest.mark.tensorflow_only
def test_statistics_are_numpys_and_gradients_are_tensorflows():
    import tensorflow as tf

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
    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(Y, model(X, training=False))
        loss = tf.reduce_mean(losses)
    gradient = tape.gradient(loss, dense.kernel.value).numpy()
    found = table.loc[dense.name, "gradient"]
    assert found == pytest.approx(np.sqrt((gradient**2).mean()), rel=1e-3)


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


def test_rates_scale_with_the_batch():
    assert recipes.scale_learning_rate(0.1, 256, 1024) == pytest.approx(0.4)
    assert recipes.scale_learning_rate(0.1, 256, 64, "sqrt") == pytest.approx(0.05)
    assert recipes.steps_per_epoch(1000, 1000) == 1
    assert recipes.steps_per_epoch(1001, 1000) == 2
    with pytest.raises(ValueError, match="Did you mean 'linear'"):
        recipes.scale_learning_rate(0.1, 1, 2, "liner")
    with pytest.raises(ValueError, match="batch_size"):
        recipes.steps_per_epoch(10, 0)


def test_a_batch_size_study_takes_each_size_and_scales_the_rate():
    table = recipes.batch_size_study(
        build, [8, 32], *DATA, learning_rate=0.01, rule="sqrt", seeds=2, epochs=1, verbose=False
    )
    assert table["batch_size"].tolist() == [8, 8, 32, 32]
    assert table["learning_rate"].tolist() == pytest.approx([0.01, 0.01, 0.02, 0.02])
    assert table["steps"].tolist() == [12, 12, 3, 3]


def test_the_advice_is_the_knee_of_what_was_measured_and_memory_is_respected():
    model = recipes.cnn((16, 16, 3), 3, widths=(8,), seed=0)
    before = model.get_weights()
    x, y = np.random.default_rng(0).uniform(0, 255, (20, 16, 16, 3)), np.arange(20) % 3
    advice = recipes.suggest_batch_size(model, x, y, largest=64, repeats=3)
    table = advice.table.set_index("batch_size")["samples_per_second"]
    assert table.index.tolist() == [8, 16, 32, 64]
    expected = table[table >= 0.9 * table.max()].index[0]
    assert advice.batch_size == expected
    assert str(expected) in advice.reason
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    tight = recipes.suggest_batch_size(model, x, y, largest=64, memory_limit=1)
    assert tight.table["batch_size"].tolist() == [8]
    assert "16 would not fit" in tight.reason
    with pytest.raises(ValueError, match="largest"):
        recipes.suggest_batch_size(model, x, y, smallest=16, largest=8)
