import inspect

import keras
import keras_tuner
import pytest
from keras_tuner.engine import metrics_tracking

from recipes.tuning.objective import checked, direction_of

DIRECTIONS = {
    "val_loss": "min",
    "loss": "min",
    "val_mae": "min",
    "val_mse": "min",
    "val_mean_absolute_error": "min",
    "val_root_mean_squared_error": "min",
    "val_kl_divergence": "min",
    "val_false_positives": "min",
    "val_calibrated_loss": "min",
    "val_accuracy": "max",
    "val_acc": "max",
    "accuracy": "max",
    "val_auc": "max",
    "val_auc_1": "max",
    "val_precision_2": "max",
    "val_recall": "max",
    "val_true_positives": "max",
    "val_f1_score": "max",
    "val_r2_score": "max",
    "val_pearson_correlation": "max",
    "val_cosine_similarity": "max",
    "val_binary_io_u": "max",
    "val_sparse_top_k_categorical_accuracy": "max",
}


@pytest.mark.parametrize(("name", "direction"), DIRECTIONS.items())
def test_the_direction_follows_from_the_metric(name, direction):
    assert direction_of(name) == direction
    assert checked(name).direction == direction
    assert checked(name).name == name


def metrics_of_keras():
    for name, kind in inspect.getmembers(keras.metrics, inspect.isclass):
        try:  # each class has several names
            if kind.__name__ == name:
                yield name, kind()
        except TypeError:  # it takes arguments
            continue


@pytest.mark.parametrize(("name", "metric"), list(metrics_of_keras()), ids=str)
def test_no_metric_of_keras_is_taken_the_wrong_way(name, metric):
    """Keras' own word, as its EarlyStopping takes it; else keras-tuner's, or none."""
    own = {"up": "max", "down": "min", None: None}[getattr(metric, "_direction", None)]
    found = direction_of(f"val_{metric.name}")
    assert found == direction_of(f"val_{name}")
    if own:
        assert found == own
    else:
        assert found in (None, metrics_tracking.infer_metric_direction(metric.name))


UNTOLD = ["val_mine", "val_error", "val_lossy", "val_mean", "val_sum", "val_io_u", "val_mean_io_u",
          "val_precision_at_recall", "val_accurcy", "val_", "no loss"]  # fmt: skip


@pytest.mark.parametrize("name", UNTOLD)
def test_what_cannot_be_told_is_refused_and_can_be_said(name):
    with pytest.raises(ValueError, match=r"^objective: .*keras_tuner.Objective"):
        checked(name)
    for direction in ("min", "max"):
        said = checked(keras_tuner.Objective(name, direction))
        assert (said.name, said.direction) == (name, direction)


@pytest.mark.parametrize(
    "objective",
    [None, "", 3, ["val_loss", "val_mae"], keras_tuner.Objective("val_loss", "less"), len],
    ids=str,
)
def test_what_is_no_objective_is_refused(objective):
    with pytest.raises(ValueError, match=r"^objective: "):
        checked(objective)
