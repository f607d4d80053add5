"""How Keras is set up: what of it decides a result, and what this library needs of it."""

import platform
from collections.abc import Callable
from functools import cache, wraps

import keras

ON_CPU, ON_ACCELERATOR = 32, 256  # pictures in a forward pass


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


def prediction_batch() -> int:
    """Pictures in one forward pass where nothing is trained: as many as the device is quick with.

    Example:
        >>> prediction_batch() in (32, 256)
        True
    """
    return ON_ACCELERATOR if _accelerated() else ON_CPU


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
