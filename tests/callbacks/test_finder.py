import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import callbacks

RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 8)).astype("float32")
Y = (X @ RNG.normal(size=8) > 0).astype("int64")


def build(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def found():
    model = build(keras.optimizers.Adam(0.0123))
    model.fit(X, Y, epochs=1, verbose=0)
    state = [v.numpy() for v in [*model.variables, *model.optimizer.variables]]
    finder = callbacks.LearningRateFinder(1e-5, 30.0, num_steps=120)
    model.fit(X, Y, batch_size=16, epochs=100, verbose=0, callbacks=[finder])
    return model, state, finder


def test_everything_is_as_it_was(found):
    model, state, _ = found
    for variable, value in zip([*model.variables, *model.optimizer.variables], state, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0123)


def test_the_table_rises_geometrically_and_ends_when_the_loss_explodes(found):
    table = found[2].to_frame()
    assert list(table) == ["learning_rate", "loss", "smoothed_loss"]
    assert 40 < len(table) <= 120
    ratios = table["learning_rate"].to_numpy()[1:] / table["learning_rate"].to_numpy()[:-1]
    np.testing.assert_allclose(ratios, (30.0 / 1e-5) ** (1 / 119))
    expected = table["loss"].ewm(alpha=0.1).mean()  # pandas' own bias-corrected mean
    np.testing.assert_allclose(table["smoothed_loss"], expected)


def test_the_suggestion_trains_well(found):
    suggestion = found[2].suggestion
    assert 1e-4 < suggestion < 1.0
    model = build(keras.optimizers.Adam(suggestion))
    history = model.fit(X, Y, batch_size=16, epochs=5, verbose=0).history["loss"]
    slow = build(keras.optimizers.Adam(1e-5))
    assert history[-1] < slow.fit(X, Y, batch_size=16, epochs=5, verbose=0).history["loss"][-1]
    axes = Figure().subplots()
    assert found[2].plot(ax=axes) is axes


def test_noise_in_the_first_steps_is_not_taken_for_a_descent():
    x, y = load_digits(return_X_y=True)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    finder = callbacks.LearningRateFinder(1e-4, 30.0, num_steps=150)
    model.fit(x / 16, y, batch_size=32, epochs=50, verbose=0, callbacks=[finder])
    assert 0.02 < finder.suggestion < 2.0


def test_losses_are_those_of_single_batches():
    model = build(keras.optimizers.SGD(0.1))
    batches = [slice(start, start + 16) for start in range(0, 64, 16)]
    expected = [model.evaluate(X[batch], Y[batch], verbose=0) for batch in batches]
    still = callbacks.LearningRateFinder(1e-9, 1e-8, num_steps=4)
    model.layers[3].rate = 0.0
    model.layers[1].trainable = False
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(X[:64], Y[:64], batch_size=16, shuffle=False, verbose=0, callbacks=[still])
    np.testing.assert_allclose(still.to_frame()["loss"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "culprit"),
    [
        ({"min_learning_rate": 0}, "min_learning_rate"),
        ({"max_learning_rate": 1e-9}, "max_learning_rate"),
        ({"num_steps": 1}, "num_steps"),
        ({"smoothing": 1.0}, "smoothing"),
    ],
)
def test_bad_parameters_fail_at_construction(parameters, culprit):
    with pytest.raises(ValueError, match=f"^{culprit}:"):
        callbacks.LearningRateFinder(**parameters)


def test_no_suggestion_before_the_test():
    with pytest.raises(ValueError, match="run fit with it first"):
        callbacks.LearningRateFinder().suggestion  # noqa: B018
