"""What turns features into probabilities, and the loss and metrics that match it."""

import keras
from keras import layers, ops

from recipes.ingredients import regularizers
from recipes.lookup import find
from recipes.tasks import TASKS


def classification_head(
    x,
    num_classes: int,
    task: str = "multiclass",
    *,
    dropout: float = 0.0,
    kernel_regularizer=None,
    seed: int | None = None,
):
    """Features to probabilities: average pooling of maps, dropout, one dense layer in float32.

    Args:
        x: (batch, height, width, channels) or (batch, features).
        num_classes: 2 or more for "multiclass"; 1 for "binary"; the number of labels for
            "multilabel".
        task: decides the activation: softmax, or a sigmoid a unit.
        dropout: the share of features dropped in training.
        kernel_regularizer: name or regularizer.
        seed: of the kernel and the dropout.

    Returns:
        (batch, num_classes).

    Raises:
        ValueError: the task is unknown, or the number does not suit it.

    Example:
        >>> classification_head(keras.Input((8, 8, 16)), 3).shape
        (None, 3)
    """
    activation = find(task, TASKS, what="task").activation
    least = 2 if task == "multiclass" else 1
    whole = isinstance(num_classes, int) and num_classes >= least
    if not whole or (task == "binary" and num_classes != 1):
        allowed = {"multiclass": "2 or more", "binary": "1"}.get(task, "1 or more")
        raise ValueError(f"num_classes: {num_classes!r}; {task} takes {allowed}.")
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=seed, name="head_dropout")(x)
    return layers.Dense(
        num_classes,
        activation=activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        kernel_regularizer=regularizers.get(kernel_regularizer),
        dtype="float32",
        name="predictions",
    )(x)


@keras.saving.register_keras_serializable("recipes")
class SmoothedSparseCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels with label smoothing, which Keras has for one-hot ones only.

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
        labels = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            labels, y_pred, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def compile_classifier(
    model: keras.Model,
    *,
    optimizer="adam",
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float = 0.0,
    one_hot: bool = False,
    **options,
) -> keras.Model:
    """Compile a classifier with the loss and the metrics that match its head.

    Args:
        model: with a softmax or sigmoid output.
        optimizer: a name, or an optimizer.
        learning_rate: of a named optimizer; Keras' own by default.
        weight_decay: decoupled, of a named optimizer; biases and norms are left out.
        label_smoothing: from 0 to below 1.
        one_hot: whether the labels of a softmax come as one-hot vectors, not as integers.
        **options: of `model.compile`.

    Returns:
        The model.

    Raises:
        ValueError: the output is neither softmax nor sigmoid, or a rate is out of its range.

    Example:
        >>> from recipes import mlp
        >>> model = compile_classifier(mlp(4, 3), learning_rate=1e-2, label_smoothing=0.1)
        >>> model.loss.name
        'smoothed_sparse_crossentropy'
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing: {label_smoothing!r} is not from 0 to below 1.")
    for name, value in (("learning_rate", learning_rate), ("weight_decay", weight_decay)):
        if value is not None and not value >= 0:
            raise ValueError(f"{name}: {value!r} is negative.")
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
        given = {"learning_rate": learning_rate, "weight_decay": weight_decay}
        config = {k: v for k, v in given.items() if v is not None}
        optimizer = type(optimizer).from_config({**optimizer.get_config(), **config})
        if weight_decay:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    elif learning_rate is not None or weight_decay is not None:
        raise ValueError("learning_rate: set it and weight_decay on the optimizer itself.")
    loss, metrics = _loss_and_metrics(model, label_smoothing, one_hot)
    model.compile(optimizer, loss=loss, metrics=metrics, **options)
    return model


def loss_of(task: str, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """The loss that matches a task's head, for targets as the task encodes them.

    Example:
        >>> loss_of("multilabel").name
        'binary_crossentropy'
    """
    if find(task, TASKS, what="task").activation == "softmax":
        return SmoothedSparseCrossentropy(label_smoothing)
    return keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)


def accuracy_of(task: str) -> keras.metrics.Metric:
    """The accuracy that matches a task's head, called "accuracy"."""
    if find(task, TASKS, what="task").activation == "softmax":
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    return keras.metrics.BinaryAccuracy(name="accuracy")


def _loss_and_metrics(model: keras.Model, label_smoothing: float, one_hot: bool):
    activation = getattr(model.layers[-1], "activation", None)
    if activation is keras.activations.softmax:
        if one_hot:
            return keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing), [
                "accuracy"
            ]
        if label_smoothing:
            return SmoothedSparseCrossentropy(label_smoothing), ["accuracy"]
        return keras.losses.SparseCategoricalCrossentropy(), ["accuracy"]
    if activation is keras.activations.sigmoid:
        loss = keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)
        auc = keras.metrics.AUC(name="auc", multi_label=model.output_shape[-1] > 1)
        return loss, [keras.metrics.BinaryAccuracy(name="accuracy"), auc]
    raise ValueError("model: its last layer is neither a softmax nor a sigmoid.")
