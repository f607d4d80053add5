import keras
import numpy as np
import pytest

from recipes.tasks import Binary
from recipes.transfer import explain
from tests.recipes.transfer.tiny import SIDE, TASK, build_tiny

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, SIDE, SIDE, 3), "uint8")


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("task", [TASK, Binary(("no", "yes"))], ids=["softmax", "sigmoid"])
def test_grad_cam_is_the_gradients(task):
    """The maps against Grad-CAM by TensorFlow's gradients, on the logit of the class."""
    import tensorflow as tf

    transfer = build_tiny(task=task)
    classes = np.arange(5) % len(task.classes)
    maps = explain.class_activation_maps(transfer, PIXELS, classes)
    tail = keras.Model(transfer.model.get_layer("pool").input, transfer.model.output)
    trunk = keras.Model(transfer.model.input, transfer.model.get_layer("pool").input)
    features = tf.convert_to_tensor(trunk(PIXELS.astype("float32")))
    dense = tail.layers[-1]
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = tf.reduce_mean(features, (1, 2)) @ dense.kernel + dense.bias
        if task.units == 1:  # the logit of the first class is that against the second
            logits = tf.concat([-logits, logits], axis=1)
        chosen = tf.reduce_sum(tf.gather(logits, classes, axis=1, batch_dims=1))
    weights = tf.reduce_mean(tape.gradient(chosen, features), (1, 2))
    expected = tf.nn.relu(tf.einsum("nhwc,nc->nhw", features, weights)).numpy()
    expected /= np.maximum(expected.max(axis=(1, 2), keepdims=True), 1e-12)
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    assert maps.max() <= 1
