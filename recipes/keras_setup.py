"""How Keras is set up: what of it decides a result, and what this library needs of it."""

import math
import platform
from collections.abc import Callable
from functools import cache, wraps

import keras

LEAST_PREDICTED, MOST_PREDICTED = 32, 1024  # pictures in a forward pass
MOST_BYTES = 4 << 30  # for outputs of layers, of which so many are held at once
AT_ONCE, FLOAT_BYTES = 3, 4


def describe() -> dict[str, str]:
    """What of Keras' set-up decides a training's result, by name.

    Example:
        >>> describe()["image_data_format"]
        'channels_last'
    """
    return {
        "backend": keras.backend.backend(),
        "dtype_policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "image_data_format": keras.config.image_data_format(),
    }


def require_channels_last() -> None:
    """Refuse to build or train anything for pictures whose channels come first.

    Raises:
        ValueError: Keras is set to "channels_first".
    """
    found = keras.config.image_data_format()
    if found != "channels_last":
        raise ValueError(
            f"image_data_format: {found!r}; pictures here are (height, width, channels). Call "
            "keras.config.set_image_data_format('channels_last') first."
        )


def prediction_batch(model: keras.Model) -> int:
    """Pictures in one forward pass where nothing is trained.

    On a CPU 32: more are no quicker. Elsewhere as many as keep the device busy and fit into a few
    gigabytes, by the model's largest layer; from 32 to 1,024.

    Args:
        model: functional.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
        >>> prediction_batch(model) in (32, 1024)
        True
    """
    if not _accelerated():
        return LEAST_PREDICTED
    outputs = keras.tree.flatten([layer.output for layer in model.layers])
    values = max(math.prod(side or 1 for side in output.shape[1:]) for output in outputs)
    fitting = MOST_BYTES // (AT_ONCE * FLOAT_BYTES * values)
    return min(max(1 << max(fitting, 1).bit_length() - 1, LEAST_PREDICTED), MOST_PREDICTED)


def _accelerated() -> bool:
    """Whether the backend computes on something else than the processor."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return any(device.device_type != "CPU" for device in tf.config.list_logical_devices())
    if backend == "jax":
        import jax

        return jax.default_backend() != "cpu"
    import torch

    return torch.cuda.is_available()


def apart(function: Callable) -> Callable:
    """A function of tensors that is compiled as one piece and by itself.

    By XLA, where there is one, on a CPU too: element by element in one loop, where TensorFlow's
    graph has a pass over memory for each operation. A compiler that has the whole at once would
    compute a piece anew for each of those that read its result.

    Args:
        function: of `keras.ops`, without variables.

    Example:
        >>> double = apart(lambda x: 2 * x)
        >>> float(double(keras.ops.convert_to_tensor(3.0)))
        6.0
    """

    @cache
    def by_xla(backend: str) -> Callable:
        if backend == "jax":
            import jax

            return jax.jit(lambda *inputs: jax.lax.optimization_barrier(function(*inputs)))
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)

    @wraps(function)
    def called(*inputs):
        return (by_xla(keras.backend.backend()) if _has_xla() else function)(*inputs)

    return called


def _has_xla() -> bool:
    """Whether XLA can compile for what computes."""
    if keras.backend.backend() != "tensorflow":
        return keras.backend.backend() == "jax"
    import tensorflow as tf

    shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
    on_a_mac = platform.system() == "Darwin" and tf.config.list_physical_devices("GPU")
    return not (shared or on_a_mac)
