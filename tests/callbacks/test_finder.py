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
        ({"smoothing": "much"}, "smoothing"),
        ({"stop_factor": 1.0}, "stop_factor"),
        ({"stop_factor": "4"}, "stop_factor"),
    ],
)
def test_bad_parameters_fail_at_construction(parameters, culprit):
    with pytest.raises(ValueError, match=f"^{culprit}:"):
        callbacks.LearningRateFinder(**parameters)


def test_no_suggestion_before_the_test():
    with pytest.raises(ValueError, match="run fit with it first"):
        callbacks.LearningRateFinder().suggestion  # noqa: B018


def test_a_fit_that_is_too_short_is_refused_and_run_goes_on_through_the_data():
    model = build(keras.optimizers.Adam(0.0123))
    finder = callbacks.LearningRateFinder(1e-5, 30.0, num_steps=120)
    with pytest.raises(
        ValueError, match=r"^num_steps: the range test has 120 steps and this fit 8"
    ):
        model.fit(X, Y, batch_size=32, epochs=1, verbose=0, callbacks=[finder])
    assert int(model.optimizer.iterations) == 0
    assert finder.run(model, X, Y, batch_size=32) is finder
    assert len(finder.to_frame()) > 40
    assert 1e-4 < finder.suggestion < 1.0
    assert int(model.optimizer.iterations) == 0
    assert float(model.optimizer.learning_rate) == pytest.approx(0.0123)


@pytest.mark.parametrize("scheduled", [False, True])
def test_a_test_that_is_interrupted_leaves_the_model_as_it_was(scheduled):
    schedule = callbacks.CosineDecay(0.01, 1000).as_schedule(1000)
    model = build(keras.optimizers.SGD(schedule if scheduled else 0.0123))
    before = [v.numpy() for v in model.variables]

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 5:
                raise KeyboardInterrupt

    finder = callbacks.LearningRateFinder(1e-3, 1.0, num_steps=60)
    with pytest.raises(KeyboardInterrupt):
        finder.run(model, X, Y, batch_size=16, callbacks=[Interrupt()])
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    assert int(model.optimizer.iterations) == 0
    if scheduled:
        assert model.optimizer._learning_rate is schedule
    else:
        assert float(model.optimizer.learning_rate) == pytest.approx(0.0123)


def test_without_enough_losses_it_says_what_is_missing():
    finder = callbacks.LearningRateFinder(1e-5, 1.0, num_steps=10)
    finder.run(build(keras.optimizers.SGD(0.1)), X, Y)
    with pytest.raises(ValueError, match=r"fewer than 20 steps with a finite loss: 10.*num_steps"):
        finder.suggestion  # noqa: B018
    finder = callbacks.LearningRateFinder(1e-5, 1.0)
    finder.run(build(keras.optimizers.SGD(0.1)), X * np.nan, Y)
    with pytest.raises(ValueError, match="fewer than 20 steps with a finite loss: 0"):
        finder.suggestion  # noqa: B018


def test_a_test_that_did_not_get_through_suggests_nothing():
    model = build(keras.optimizers.Adam(0.0123))
    finder = callbacks.LearningRateFinder(1e-5, 30.0, num_steps=120)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 7

    model.fit(X, Y, batch_size=16, epochs=20, verbose=0, callbacks=[finder, Stop()])
    with pytest.raises(ValueError, match=r"ended after 8 of its 120 steps, at the rate 2\.4e-05"):
        finder.suggestion  # noqa: B018
    assert all(np.isnan(rate) for rate in finder.suggestions.values())


def test_every_suggestion_has_its_name_and_a_line_in_the_plot(found):
    finder = found[2]
    suggestions = finder.suggestions
    assert list(suggestions) == ["descent", "minimum", "steep", "valley", "slide"]
    assert suggestions["descent"] == finder.suggestion
    table = finder.to_frame()
    assert suggestions["minimum"] < table["learning_rate"].max() / 10
    labels = [text.get_text() for text in finder.plot(ax=Figure().subplots()).get_legend().texts]
    known = [name for name, rate in suggestions.items() if np.isfinite(rate)]
    assert labels == ["loss", "smoothed", *(f"{name} {suggestions[name]:.2g}" for name in known)]
    with pytest.raises(ValueError, match=r"Unknown suggestion: 'vally'\. Did you mean 'valley'"):
        finder.suggest("vally")


@pytest.mark.parametrize("trained", [False, True])
def test_an_optimizer_with_a_schedule_has_it_back(trained):
    schedule = callbacks.CosineDecay(0.01, 1000).as_schedule(1000)
    model = build(keras.optimizers.SGD(schedule))
    if trained:  # the schedule is in the compiled step already
        model.fit(X, Y, batch_size=32, verbose=0)
    before = [v.numpy() for v in [*model.variables, *model.optimizer.variables]]
    finder = callbacks.LearningRateFinder(1e-5, 300.0, num_steps=100).run(
        model, X, Y, batch_size=32
    )
    for variable, value in zip([*model.variables, *model.optimizer.variables], before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    losses = finder.to_frame()["loss"]
    assert losses.iloc[-1] > 2 * losses.min()  # the rates of the test were those of the steps
    assert model.optimizer._learning_rate is schedule
    expected = build(keras.optimizers.SGD(schedule))
    if trained:
        expected.fit(X, Y, batch_size=32, verbose=0)
    for one in (model, expected):
        keras.utils.set_random_seed(1)
        one.layers[3].rate = 0.0
        one.fit(X, Y, batch_size=32, shuffle=False, verbose=0)
    for one, other in zip(model.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=0.02)
