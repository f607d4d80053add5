"""What turns features into probabilities."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from recipes.ingredients import constraints, regularizers
from recipes.lookup import find
from recipes.pooling import pooled
from recipes.rules import COUNT, DROPOUT, WHOLE, is_number
from recipes.settings import FLOAT32
from recipes.tasks import TASKS


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
    given = [shares] if is_number(shares) else list(shares)
    positive = all(is_number(share) and share > 0 for share in given)
    if len(given) != num_classes or not positive:
        raise ValueError(
            f"class_shares: {shares!r} are not {num_classes} numbers above 0, one for each class."
        )
    if activation == "softmax":
        return keras.initializers.Constant([math.log(s / math.fsum(given)) for s in given])
    if max(given) >= 1:
        raise ValueError(f"class_shares: {shares!r} are not shares between 0 and 1.")
    return keras.initializers.Constant([math.log(share / (1 - share)) for share in given])
