"""Models of one's own, and a layer that no file may name."""

import json

import keras
import numpy as np
from keras import layers, ops

import recipes
from recipes.backbones import described
from tests.recipes.classifiers.cases import RECIPES

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
OF_PICTURES = (
    *("alexnet", "cnn", "convnext", "densenet", "efficientnet", "lenet", "mlp_mixer", "mobilenet"),
    *("resnet", "squeezenet", "vgg", "vit"),
)
CALLED = []


@keras.saving.register_keras_serializable("stranger")
class Stranger(layers.Layer):
    """Writes down that it was made or called."""

    def __init__(self, **options):
        CALLED.append("made")
        super().__init__()

    def call(self, x):
        CALLED.append("called")
        return x


def run(model, pixels=PIXELS):
    return keras.ops.convert_to_numpy(model(pixels, training=False))


def written(backbone):
    return json.loads(json.dumps(described.to_dict(backbone)))


def nested():
    inner = keras.Sequential(
        [layers.Conv2D(4, 3, 2, kernel_regularizer="l2", name="a"), layers.LeakyReLU(0.2)], name="b"
    )
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3)]
    return keras.Sequential([keras.Input((32, 32, 3)), layers.RandomFlip(), inner, *head])


def of_operations():
    pictures = keras.Input((32, 32, 3))
    x = (pictures[:, ::2, ..., :] - np.array([1.0, 2.0, 3.0])) / 127.5
    shared = layers.Conv2D(3, 3, padding="same", activation=keras.activations.gelu, name="shared")
    x = ops.concatenate([shared(x), ops.relu(shared(shared(x)) * 2)], axis=-1)
    x = layers.Conv2D(4, 3, 2, kernel_initializer=keras.initializers.HeNormal(seed=3))(x)
    return keras.Model(pictures, ops.mean(ops.reshape(x, (-1, x.shape[1] * x.shape[2], 4)), axis=1))


def of_tokens():
    pictures = keras.Input((32, 32, 3))
    x = layers.Reshape((16, 64 * 3))(pictures)
    x = layers.EinsumDense("abc,cd->abd", (16, 8), bias_axes="d")(x)
    x = x + layers.MultiHeadAttention(2, 4)(x, x)
    return keras.Model(pictures, layers.LayerNormalization()(x))


MODELS = {
    "nested": nested,
    "operations": of_operations,
    "tokens": of_tokens,
    "with parameters": lambda: recipes.cnn(
        (32, 32, 3), 3, activation="crelu", normalization="weight_standardization", widths=(8, 8)
    ),
    "ConvNeXt": lambda: keras.applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    ),
    "EfficientNet": lambda: keras.applications.EfficientNetV2B0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    ),
    "MobileNetV3": lambda: keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    ),
    **{name: RECIPES[name] for name in OF_PICTURES},
}
