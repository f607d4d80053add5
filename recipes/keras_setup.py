"""How Keras is set up: what of it decides a result, and what this library needs of it."""

import keras


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
