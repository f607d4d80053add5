import keras
import numpy as np
import pytest

from recipes.tuning.trials import ALGORITHMS, TrialCurve, read_curves

pytestmark = [
    pytest.mark.usefixtures("eager"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions"),
]


def test_the_algorithms_are_six():
    assert ALGORITHMS.keys() == {
        "manual", "grid", "random", "bayesian", "hyperband", "genetic"
    }  # fmt: skip


def values_by_epoch(values):
    """A model whose validation loss follows a list."""

    class Told(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = values[epoch]

    return Told()


def test_a_trial_below_the_median_ends_early(tmp_path):
    def train(name, values):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        stopping = TrialCurve(tmp_path / "curves", "val_loss", prune=True, from_epoch=3)
        stopping.trial = name
        told = values_by_epoch(values)
        history = model.fit(
            np.ones((2, 1)), np.ones((2, 1)), epochs=6, verbose=0, callbacks=[told, stopping]
        )
        return len(history.epoch)

    for number in range(5):  # the median of the best after 3, 4, … epochs is 2.0
        assert train(f"0{number}", [9, 9, number, number, number, number]) == 6
    assert train("05", [9, 9, 2, 2, 2, 2]) == 6
    assert train("06", [9, 9, 2.5, 1, 1, 1]) == 3
    assert train("07", [9, 2, 9, 9, 9, 9]) == 6  # its best so far is not worse


@pytest.mark.parametrize("objective", ["val_loss", "val_error", "val_mae"])
def test_a_trial_above_the_median_ends_early_where_less_is_worse(tmp_path, objective):
    """Whatever the name: the direction says so."""
    curve = TrialCurve(tmp_path, objective, direction="max", prune=True, from_epoch=1)
    for number in range(5):
        curve.trial = f"0{number}"
        curve.keep([float(number)])
    for value, ends in ((1.0, True), (3.0, False)):
        curve.trial = "05"
        curve.set_model(keras.Sequential())
        curve.model.stop_training = False
        curve.on_train_begin()
        curve.on_epoch_end(0, {objective: value})
        assert curve.model.stop_training == ends


def test_curves_are_those_of_the_other_trials(tmp_path):
    curve = TrialCurve(tmp_path, "val_loss", prune=False)
    for name, values in {"00": [2.0, 1.0], "01": [3.0]}.items():
        curve.trial = name
        curve.keep(values)
    assert read_curves(tmp_path) == {"00": [2.0, 1.0], "01": [3.0]}
    assert read_curves(tmp_path, but="00") == {"01": [3.0]}
