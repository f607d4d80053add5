"""Which way a metric gets better, as Keras' own callbacks tell it."""

import keras
import numpy as np
import pytest

import callbacks
from callbacks.monitoring import direction_of

WAYS = {
    "loss": "min",
    "val_loss": "min",
    "head_loss": "min",
    "accuracy": "max",
    "val_accuracy": "max",
    "val_acc": "max",
    "auc": "max",
    "val_precision": "max",
    "f1_score": "max",
    "val_mae": "min",
    "mean_squared_error": "min",
    "kl_divergence": "min",
    "r2_score": "max",
}
X = np.arange(8.0).reshape(4, 2)
Y = np.array([0.0, 1.0, 0.0, 1.0])


@pytest.mark.parametrize("name", WAYS)
def test_a_name_that_keras_has_tells_its_direction(name):
    assert direction_of(name) == WAYS[name]
    assert callbacks.ReduceLROnPlateau(name).direction() == WAYS[name]


def own_metrics():
    return [
        "acc",
        "mae",
        keras.metrics.AUC(name="roc"),
        keras.metrics.Recall(name="found"),
    ]


OWN = {"acc": "max", "mae": "min", "roc": "max", "found": "max"}


@pytest.mark.parametrize("name", OWN)
def test_the_models_metric_of_that_name_is_asked_as_keras_asks_it(name):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=own_metrics())
    plateau = callbacks.ReduceLROnPlateau(f"val_{name}")
    theirs = keras.callbacks.EarlyStopping(f"val_{name}")
    model.fit(X, Y, validation_data=(X, Y), verbose=0, callbacks=[plateau])
    theirs.set_model(model)
    theirs._set_monitor_op()
    assert {keras.ops.less: "min", keras.ops.greater: "max"}[theirs.monitor_op] == OWN[name]
    assert plateau.direction() == direction_of(f"val_{name}", model) == OWN[name]


def test_a_metric_of_one_output_is_found_behind_the_outputs_name():
    inputs = keras.Input((2,))
    outputs = {
        name: keras.layers.Dense(1, "sigmoid", name=name)(inputs) for name in ("left", "right")
    }
    model = keras.Model(inputs, outputs)
    metrics = {"left": [keras.metrics.AUC(name="roc")], "right": ["mae"]}
    model.compile("sgd", "binary_crossentropy", metrics=metrics)
    model.fit(X, {"left": Y, "right": Y}, verbose=0)
    assert direction_of("val_left_roc", model) == "max"
    assert direction_of("right_mae", model) == "min"


def test_what_cannot_be_told_is_refused_after_the_first_batch():
    def score(y, prediction):
        return keras.ops.mean(prediction)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[score])
    batches = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(1))
    with pytest.raises(ValueError, match=r'^mode: .*\'score\'.*mode="min" or "max"'):
        model.fit(
            X,
            Y,
            batch_size=1,
            verbose=0,
            callbacks=[count, callbacks.ReduceLROnPlateau("score")],
        )
    assert len(batches) == 1
    told = callbacks.ReduceLROnPlateau("score", mode="max", learning_rate=0.1)
    model.fit(X, Y, verbose=0, callbacks=[told])
    with pytest.raises(ValueError, match="Unknown mode: 'maximum'"):
        callbacks.ReduceLROnPlateau(mode="maximum")
