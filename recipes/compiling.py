"""Compiling a classifier: the loss and the metrics of its head, and what weight decay spares."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras

from recipes.lookup import find
from recipes.losses import SmoothedSparseCrossentropy
from recipes.rules import is_number

NOT_DECAYED = (  # whatever their rank
    *("bias", "gamma", "beta", "scale", "alpha", "g", "tau", "token", "embedding"),
)
DECIDED = ("loss", "optimizer", "metrics")  # of `compile`, what `compile_classifier` has itself


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
    if not (is_number(label_smoothing) and 0 <= label_smoothing < 1):
        raise ValueError(f"label_smoothing: {label_smoothing!r} is not from 0 to below 1.")
    label_smoothing = float(label_smoothing)
    _check_rates(learning_rate, weight_decay)
    _check_options(options)
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
        given = {"learning_rate": learning_rate, "weight_decay": weight_decay}
        config = {k: float(v) if is_number(v) else v for k, v in given.items() if v is not None}
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


def _check_rates(learning_rate, weight_decay) -> None:
    for name, value in (("learning_rate", learning_rate), ("weight_decay", weight_decay)):
        if name == "learning_rate" and isinstance(value, keras.callbacks.Callback):
            raise ValueError(
                f"learning_rate: {type(value).__name__} is a callback; give it to fit, or take "
                "its as_schedule(num_steps)."
            )
        if value is None or (name == "learning_rate" and callable(value)):
            continue
        if not (is_number(value) and value >= 0):
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
            loss = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)
        elif label_smoothing:
            loss = SmoothedSparseCrossentropy(label_smoothing)
        else:
            loss = keras.losses.SparseCategoricalCrossentropy()
        return loss, ["accuracy"]
    if activation is keras.activations.sigmoid:
        loss = keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)
        auc = keras.metrics.AUC(name="auc", multi_label=model.output_shape[-1] > 1)
        return loss, [keras.metrics.BinaryAccuracy(name="accuracy"), auc]
    raise ValueError("model: its last layer is neither a softmax nor a sigmoid.")
