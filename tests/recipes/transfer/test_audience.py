"""The user's own callbacks hear of one training, whatever its phases."""

import keras
import numpy as np
import pandas as pd
import pytest

import recipes
from recipes.strategies import FineTuneStrategy, Phase
from tests.recipes.images import pictures

PLAN = FineTuneStrategy(
    "two",
    "pretrained",
    (Phase("classifier", 1.0, 2, 1e-2), Phase("everything", 0.0, 2, 1e-3)),
    "a frozen phase and an open one",
)
PHASES = ["classifier"] * 2 + ["everything"] * 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 12)


@pytest.fixture(scope="module")
def fit(folder, tiny):
    def fit(output, *listeners, strategy=PLAN):
        options = {"backbone": tiny, "batch_size": 8, "strategy": strategy, "verbose": False}
        return recipes.fit_folder(folder, output=output, callbacks=listeners, **options)

    return fit


class Listener(keras.callbacks.Callback):
    """Writes down what it hears."""

    def __init__(self):
        super().__init__()
        self.heard, self.batches, self.outputs = [], 0, []

    def on_train_begin(self, logs=None):
        self.heard.append("begin")

    def on_train_end(self, logs=None):
        self.heard.append("end")

    def on_epoch_begin(self, epoch, logs=None):
        self.heard.append(("epoch", epoch))

    def on_train_batch_end(self, batch, logs=None):
        assert np.isfinite(logs["loss"])
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        self.heard.append((logs["phase"], epoch, sorted(logs)))
        self.outputs.append((self.model.input_shape, self.model.output_shape))
        self.rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


@pytest.fixture(scope="module")
def heard(fit, tmp_path_factory):
    """A run with everything listening."""
    place = tmp_path_factory.mktemp("heard")
    listener = Listener()
    log = keras.callbacks.CSVLogger(place / "log.csv")
    board = keras.callbacks.TensorBoard(place / "board")
    best = keras.callbacks.ModelCheckpoint(place / "best.keras", monitor="val_loss")
    run = fit(place / "run", listener, log, board, best)
    return place, run, listener


def test_epochs_are_counted_through_all_phases(heard):
    _, run, listener = heard
    names = ["accuracy", "learning_rate", "loss", "phase"]
    names += ["val_accuracy", "val_calibrated_loss", "val_loss"]
    expected = ["begin"]
    for epoch, phase in enumerate(PHASES):
        expected += [("epoch", epoch), (phase, epoch, names)]
    assert listener.heard == [*expected, "end"]
    assert listener.batches == sum(
        phase.epochs * -(-(run.dataset["part"] == "train").sum() // 8) for phase in PLAN.phases
    )


def test_they_are_given_the_whole_model(heard):
    _, _, listener = heard
    assert set(listener.outputs) == {((None, 32, 32, 3), (None, 2))}
    assert 0 < listener.rate < 1e-3


def test_a_csv_log_has_a_row_an_epoch(heard):
    place, run, _ = heard
    table = pd.read_csv(place / "log.csv")
    assert table["epoch"].tolist() == [0, 1, 2, 3]
    assert table["phase"].tolist() == PHASES == run.history["phase"].tolist()
    for name in ("loss", "val_loss", "learning_rate"):
        np.testing.assert_allclose(table[name], run.history[name], rtol=1e-6)


@pytest.mark.tensorflow_only
def test_tensorboard_has_a_point_an_epoch(heard):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    place, _, _ = heard
    events = EventAccumulator(str(place / "board" / "train")).Reload()
    assert "epoch_loss" in events.Tags()["tensors"]
    assert [event.step for event in events.Tensors("epoch_loss")] == [0, 1, 2, 3]


def test_a_checkpoint_is_the_whole_model(heard, folder):
    place, _, _ = heard
    model = keras.models.load_model(place / "best.keras", compile=False)
    pixels = pictures.read(folder, ["cat/000.png"])
    assert model.predict(pixels, verbose=0).shape == (1, 2)


def test_they_change_nothing(heard, fit, tmp_path):
    _, run, _ = heard
    alone = fit(tmp_path / "run")
    weights = alone.weights()
    for name, value in run.weights().items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)


class Fails(keras.callbacks.Callback):
    """Raises once, in an epoch of the second phase."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise RuntimeError("the disk of the listener is full")


@pytest.mark.parametrize("epoch", [1, 2])
def test_one_that_fails_ends_the_run_and_the_next_call_goes_on(heard, fit, tmp_path, epoch):
    _, whole, _ = heard
    with pytest.raises(RuntimeError, match="the disk of the listener is full"):
        fit(tmp_path / "run", Fails(epoch))
    assert (tmp_path / "run.partial" / "state.safetensors").exists()
    listener = Listener()
    run = fit(tmp_path / "run", listener)
    epochs = [entry[1] for entry in listener.heard if entry[0] == "epoch"]
    assert epochs == list(range(epoch + 1, 4))
    weights = run.weights()
    for name, value in whole.weights().items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)
    assert len(run.history) == 4


class Stops(keras.callbacks.Callback):
    """Asks the training to stop after an epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.model.stop_training = True


def test_one_that_asks_for_an_end_ends_the_phase(fit, tmp_path):
    run = fit(tmp_path / "run", Stops())
    assert run.history["phase"].tolist() == ["classifier", "everything", "everything"]
