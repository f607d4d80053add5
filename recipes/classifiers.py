"""Recipe functions: classifiers as plain, uncompiled Keras models."""

import keras
from keras import layers


def classification_head(x, num_classes: int, *, dropout: float = 0.0, seed: int | None = None):
    """Features to probabilities: average pooling of maps, dropout, one dense layer."""
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=seed, name="head_dropout")(x)
    return layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        dtype="float32",
        name="predictions",
    )(x)
