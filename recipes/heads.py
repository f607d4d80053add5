"""What turns features into probabilities, and the loss and metrics that match it."""

import inspect
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import keras
from keras import layers, ops

from recipes.ingredients import constraints, regularizers
from recipes.keras_setup import require_channels_last
from recipes.lookup import find
from recipes.rules import COUNT, DROPOUT, WHOLE
from recipes.saving import PACKAGE
from recipes.settings import FLOAT32
from recipes.tasks import TASKS

POOLINGS = ("average", "class", "mean", "class_and_mean", "none")
NOT_DECAYED = (  # whatever their rank
    *("bias", "gamma", "beta", "scale", "alpha", "g", "tau", "token", "embedding"),
)
DECIDED = ("loss", "optimizer", "metrics")  # of `compile`, what `compile_classifier` has itself


def classification_head(
    x,
    num_classes: int,
    task: str = "multiclass",
    *,
    pooling: str | None = None,
    prefix: int = 0,
    dropout: float = 0.0,
    kernel_regularizer=None,
    kernel_constraint=None,
    class_shares: Sequence[float] | None = None,
    seed: int | None = None,
    name: str = "predictions",
):
    """Features to probabilities, in float32: pooling, dropout, one dense layer.

    Args:
        x: (batch, height, width, channels), (batch, tokens, channels) or (batch, features).
        num_classes: 2 or more for "multiclass"; 1 for "binary"; the number of labels for
            "multilabel".
        task: decides the activation: softmax, or a sigmoid a unit.
        pooling: one of `POOLINGS`; by default the average of maps, and nothing for features.
        prefix: how many tokens come before those of the patches.
        dropout: the share of features dropped in training.
        kernel_regularizer: name or regularizer.
        kernel_constraint: name or constraint.
        class_shares: what is known of each class before a picture is seen, of which the bias is
            made: how often a class occurs, as a share or a count; for "binary" and "multilabel" the
            share of pictures that have the label.
        seed: of the kernel and the dropout.
        name: of the dense layer; a second head of the same model needs another. Its pooling and
            dropout are then named after it too.

    Returns:
        (batch, num_classes).

    Raises:
        ValueError: the task is unknown, or the number does not suit it; a share is out of its
            range; or Keras is set to channels that come first.

    Source:
        The bias: arXiv 1901.05555, section 4.1, and 1708.02002, section 4.1.

    Example:
        >>> classification_head(keras.Input((8, 8, 16)), 3, class_shares=[90, 9, 1]).shape
        (None, 3)
    """
    activation = find(task, TASKS, what="task").activation
    num_classes = _checked_classes(num_classes, task)
    seed = None if seed is None else WHOLE("seed", seed)
    pool, drop = (
        ("pool", "head_dropout") if name == "predictions" else (f"{name}_pool", f"{name}_dropout")
    )
    if pooling is None and len(x.shape) == 4:
        pooling = "average"
    if pooling is not None:
        x = pooled(x, pooling, prefix, name=pool)
    if DROPOUT("dropout", dropout):
        x = layers.Dropout(float(dropout), seed=seed, name=drop, dtype=FLOAT32)(x)
    return layers.Dense(
        num_classes,
        activation=activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        bias_initializer=_prior(class_shares, num_classes, activation),
        kernel_regularizer=regularizers.get(kernel_regularizer),
        kernel_constraint=constraints.get(kernel_constraint),
        dtype=FLOAT32,
        name=name,
    )(x)


def pooled(x, pooling: str, prefix: int = 0, *, name: str = "pool"):
    """What a network gives as one vector a picture, in float32.

    Args:
        x: maps (batch, height, width, channels), tokens (batch, tokens, channels) or features.
        pooling: one of `POOLINGS`.
        prefix: how many tokens come before those of the patches.
        name: of the layer.

    Raises:
        ValueError: the pooling is unknown.

    Example:
        >>> pooled(keras.Input((17, 8)), "class_and_mean", 1).shape
        (None, 16)
    """
    find(pooling, dict.fromkeys(POOLINGS), what="pooling")
    if pooling == "average":
        require_channels_last()
        return layers.GlobalAveragePooling2D(name=name, dtype=FLOAT32)(x)
    if pooling == "none":
        return layers.Identity(name=name, dtype=FLOAT32)(x)
    return TokenPooling(pooling, prefix, name=name, dtype=FLOAT32)(x)


@keras.saving.register_keras_serializable(PACKAGE)
class TokenPooling(layers.Layer):
    """One vector of a transformer's tokens.

    Args:
        kind: "class" for the first token, "mean" for the average of the patches' tokens, or
            "class_and_mean" for one behind the other.
        prefix: how many tokens come before those of the patches.

    Source:
        arXiv 2010.11929, section 3.1 (class token); arXiv 2304.07193, appendix B.3 (both).

    Example:
        >>> import numpy as np
        >>> tokens = np.array([[[5.0], [1.0], [3.0]]])
        >>> ops.convert_to_numpy(TokenPooling("class_and_mean", 1)(tokens)).tolist()
        [[5.0, 2.0]]
    """

    def __init__(self, kind: str, prefix: int = 0, **options):
        super().__init__(**options)
        self.kind = kind
        self.prefix = prefix

    def call(self, inputs):
        """(batch, tokens, channels) to (batch, features)."""
        first = inputs[:, 0]
        if self.kind == "class":
            return first
        mean = ops.mean(inputs[:, self.prefix :], axis=1)
        return mean if self.kind == "mean" else ops.concatenate([first, mean], axis=-1)

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "kind": self.kind, "prefix": self.prefix}


def _checked_classes(num_classes, task: str) -> int:
    least = 2 if task == "multiclass" else 1
    try:
        whole = COUNT("num_classes", num_classes)
    except ValueError:
        whole = 0
    if whole < least or (task == "binary" and whole != 1):
        allowed = {"multiclass": "2 or more", "binary": "1"}.get(task, "1 or more")
        raise ValueError(f"num_classes: {num_classes!r}; {task} takes {allowed}.")
    return whole


def _prior(shares, num_classes: int, activation: str) -> keras.initializers.Initializer:
    """The bias by which a head of weights 0 gives each class its share."""
    if shares is None:
        return keras.initializers.Zeros()
    given = [shares] if _is_number(shares) else list(shares)
    positive = all(_is_number(share) and share > 0 for share in given)
    if len(given) != num_classes or not positive:
        raise ValueError(
            f"class_shares: {shares!r} are not {num_classes} numbers above 0, one for each class."
        )
    if activation == "softmax":
        return keras.initializers.Constant([math.log(s / math.fsum(given)) for s in given])
    if max(given) >= 1:
        raise ValueError(f"class_shares: {shares!r} are not shares between 0 and 1.")
    return keras.initializers.Constant([math.log(share / (1 - share)) for share in given])


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


def compile_classifier(
    model: keras.Model,
    *,
    optimizer="adam",
    learning_rate: float | Callable | None = None,
    weight_decay: float | None = None,
    label_smoothing: float = 0.0,
    one_hot: bool = False,
    metrics: Any = (),
    **options,
) -> keras.Model:
    """Compile a classifier with the loss and the metrics that match its head.

    Args:
        model: with a softmax or sigmoid output.
        optimizer: a name, or an optimizer.
        learning_rate: of a named optimizer: a number, or a schedule of Keras or of
            `callbacks` (`scheme.as_schedule(num_steps)`); Keras' own by default.
        weight_decay: decoupled, of a named optimizer; biases, scales and slopes are left out.
        label_smoothing: from 0 to below 1.
        one_hot: whether the labels of a softmax come as one-hot vectors, not as integers.
        metrics: besides those of the head, as `model.compile` takes them: one, several, or a
            dictionary by output. One of the same name takes the place of the head's.
        **options: of `model.compile`.

    Returns:
        The model.

    Raises:
        ValueError: the output is neither softmax nor sigmoid, or an argument is out of its range
            or unknown.

    Example:
        >>> from recipes import mlp
        >>> model = compile_classifier(mlp(4, 3), learning_rate=1e-2, label_smoothing=0.1)
        >>> model.loss.name
        'smoothed_sparse_crossentropy'
    """
    if not (_is_number(label_smoothing) and 0 <= label_smoothing < 1):
        raise ValueError(f"label_smoothing: {label_smoothing!r} is not from 0 to below 1.")
    label_smoothing = float(label_smoothing)
    _check_rates(learning_rate, weight_decay)
    _check_options(options)
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
        given = {"learning_rate": learning_rate, "weight_decay": weight_decay}
        config = {k: float(v) if _is_number(v) else v for k, v in given.items() if v is not None}
        optimizer = type(optimizer).from_config({**optimizer.get_config(), **config})
        spare(optimizer, model)
    elif learning_rate is not None or weight_decay is not None:
        raise ValueError("learning_rate: set it and weight_decay on the optimizer itself.")
    loss, own = _loss_and_metrics(model, label_smoothing, one_hot)
    model.compile(optimizer, loss=loss, metrics=_with_own(metrics, own), **options)
    return model


def spare(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
    """Leave everything but kernels out of an optimizer's weight decay.

    Args:
        optimizer: that was not used yet.
        model: whose biases, scales, offsets, slopes, thresholds, class tokens and places are
            spared, by rank as in timm, and by name where a rank does not tell.

    Example:
        >>> from recipes import mlp
        >>> model, optimizer = mlp(4, 3, activation="prelu"), keras.optimizers.AdamW()
        >>> spare(optimizer, model)
        >>> [w.name for w in model.weights if optimizer._use_weight_decay(w)]
        ['kernel', 'kernel', 'kernel']
    """
    if optimizer.weight_decay:
        weights = model.trainable_weights
        spared = [w for w in weights if len(w.shape) < 2 or w.name in NOT_DECAYED]
        optimizer.exclude_from_weight_decay(var_list=spared)


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


def _is_number(value) -> TypeGuard[float]:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)


def _check_rates(learning_rate, weight_decay) -> None:
    for name, value in (("learning_rate", learning_rate), ("weight_decay", weight_decay)):
        if name == "learning_rate" and isinstance(value, keras.callbacks.Callback):
            raise ValueError(
                f"learning_rate: {type(value).__name__} is a callback; give it to fit, or take "
                "its as_schedule(num_steps)."
            )
        if value is None or (name == "learning_rate" and callable(value)):
            continue
        if not (_is_number(value) and value >= 0):
            raise ValueError(f"{name}: {value!r} is negative, or no number.")


def _check_options(options: dict) -> None:
    """Refuse what is decided here, and what `compile` does not know."""
    for name in options:
        if name in DECIDED:
            raise ValueError(f"{name}: the head decides it; use model.compile for another.")
        allowed = dict.fromkeys(inspect.signature(keras.Model.compile).parameters)
        known = {key: key for key in allowed if key not in ("self", *DECIDED)}
        find(name, known, what="option of compile")


def _with_own(metrics, own: Sequence) -> Any:
    """The metrics that were given, and those of the head that none of them replaces."""
    if isinstance(metrics, dict):
        return metrics
    single = isinstance(metrics, str) or callable(metrics)
    given = [metrics] if single else list(metrics or ())
    replaced = {_name_of(metric) for metric in given}
    return [*(metric for metric in own if _name_of(metric) not in replaced), *given]


def _name_of(metric) -> str:
    name = getattr(metric, "name", None) or getattr(metric, "__name__", None) or str(metric)
    return "accuracy" if name == "acc" else name


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
