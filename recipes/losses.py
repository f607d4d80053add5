"""The loss and the accuracy that match a task, of labels that are smoothed or mixed too."""

import math

import keras
from keras import ops

from recipes.lookup import find
from recipes.saving import PACKAGE
from recipes.tasks import TASKS


@keras.saving.register_keras_serializable(PACKAGE)
class SmoothedSparseCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels with label smoothing, which Keras has for one-hot ones only.

    A label outside of 0 to n - 1 is refused as by Keras' own without smoothing; where the backend
    does not (JAX), the loss is NaN. Labels that are mixed come as the shares of classes.

    Args:
        label_smoothing: the share of each label that is spread over all classes.

    Source:
        arXiv 1512.00567, section 7.

    Example:
        >>> import numpy as np
        >>> probabilities = np.array([[0.5, 0.5]])
        >>> round(float(SmoothedSparseCrossentropy(0.1)(np.array([0]), probabilities)), 4)
        0.6931
    """

    def __init__(self, label_smoothing: float = 0.0, **options):
        super().__init__(**{"name": "smoothed_sparse_crossentropy", **options})
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """The loss of each sample."""
        count = y_pred.shape[-1]
        if len(y_true.shape) == 2 and y_true.shape[-1] == count:  # integers are (n, 1)
            return keras.losses.categorical_crossentropy(
                y_true, y_pred, label_smoothing=self.label_smoothing
            )
        given = ops.reshape(ops.cast(y_true, "float32"), (-1,))
        labels = ops.cast(given, "int32")
        loss = keras.losses.sparse_categorical_crossentropy(labels, y_pred)
        if self.label_smoothing:
            even = keras.losses.categorical_crossentropy(ops.ones_like(y_pred) / count, y_pred)
            loss = (1 - self.label_smoothing) * loss + self.label_smoothing * even
        return ops.where((given >= 0) & (given < count), loss, math.nan)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def loss_of(task: str, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """The loss that matches a task's head, for targets as the task encodes them.

    Example:
        >>> loss_of("multilabel").name
        'binary_crossentropy'
    """
    if find(task, TASKS, what="task").activation == "softmax":
        return SmoothedSparseCrossentropy(label_smoothing)
    return keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)


def accuracy_of(task: str, *, mixed: bool = False) -> keras.metrics.Metric:
    """The accuracy that matches a task's head, called "accuracy".

    Args:
        task: its name.
        mixed: whether labels are shares of classes: an answer is right by the share that it names.
    """
    softmax = find(task, TASKS, what="task").activation == "softmax"
    if mixed:
        right = share_named if softmax else share_decided
        return keras.metrics.MeanMetricWrapper(right, name="accuracy")
    if softmax:
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    return keras.metrics.BinaryAccuracy(name="accuracy")


def share_named(y_true, y_pred):
    """The share of the likeliest class in the mixed labels, (n,).

    Example:
        >>> shares = share_named(keras.ops.array([[0.75, 0.25]]), keras.ops.array([[0.9, 0.1]]))
        >>> float(shares[0])
        0.75
    """
    best = ops.argmax(y_pred, axis=-1)
    return ops.take_along_axis(y_true, ops.expand_dims(best, -1), axis=-1)[:, 0]


def share_decided(y_true, y_pred):
    """How much each decision at 0.5 has of a mixed label, (n, units).

    Example:
        >>> float(share_decided(keras.ops.array([[0.75]]), keras.ops.array([[0.4]]))[0, 0])
        0.25
    """
    return ops.where(y_pred > 0.5, y_true, 1 - y_true)
