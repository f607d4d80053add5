"""Trainings in which each step can be followed, and other backends."""

import os
import subprocess
import sys

import keras
import numpy as np

X = np.ones((8, 1), "float32")


def linear_model(optimizer, **options):
    """The gradient of the loss to the one weight is 1, at every step."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model.compile(optimizer, loss=mean_prediction, **options)
    return model


@keras.saving.register_keras_serializable("tests")
def mean_prediction(y, prediction):
    return keras.ops.mean(prediction, axis=-1)


class Watch(keras.callbacks.Callback):
    """The weight after each step, and the rate that the optimizer then had."""

    def __init__(self):
        super().__init__()
        self.weights, self.rates, self.momenta = [], [], []

    def on_train_begin(self, logs=None):
        self.weights.append(self.weight())

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.weight())
        optimizer = self.model.optimizer
        self.rates.append(float(optimizer.learning_rate))
        momentum = getattr(optimizer, "momentum_variable", getattr(optimizer, "beta_1", None))
        self.momenta.append(None if momentum is None else float(momentum))

    def weight(self):
        return float(keras.ops.convert_to_numpy(self.model.trainable_variables[0])[0, 0])

    @property
    def moves(self):
        return -np.diff(self.weights)


def fit(model, scheme, epochs=2, more=(), **options):
    watch = Watch()
    options = {"batch_size": 2, "shuffle": False, "verbose": 0, **options}
    history = model.fit(X, X, epochs=epochs, callbacks=[scheme, watch, *more], **options)
    return watch, history


class Killed(Exception):
    pass


def kill_at(epoch):
    """A callback that ends training as a signal does, when an epoch begins."""

    def begin(number, logs):
        if number == epoch:
            raise Killed

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin)


def run_with_backend(backend, code):
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
