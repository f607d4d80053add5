"""How what is here is saved: by a name registered at Keras, and by plain configurations."""

import numbers
from dataclasses import fields, is_dataclass
from types import FunctionType

import keras
import numpy as np

from .registry import PACKAGE

registered = keras.saving.register_keras_serializable(PACKAGE)


def plain(value):
    """A parameter with Python's own numbers and lists where NumPy's were given.

    Example:
        >>> plain(np.float64(0.5)), plain(np.arange(3)), plain((np.int64(2), "step"))
        (0.5, [0, 1, 2], (2, 'step'))
    """
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    if type(value) is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    return value


def serialized(value):
    """A parameter as JSON can hold it: schemes and registered functions become dictionaries.

    Example:
        >>> serialized((1, "step", None))
        [1, 'step', None]
    """
    if isinstance(value, list | tuple):
        return [serialized(item) for item in value]
    plain = value is None or isinstance(value, str | numbers.Number | dict)
    return value if plain else keras.saving.serialize_keras_object(value)


def deserialized(value):
    """The parameter that `serialized` was given; of a tuple, a list.

    Example:
        >>> deserialized(serialized([0.1, keras.activations.relu]))[1] is keras.activations.relu
        True
    """
    if isinstance(value, list):
        return [deserialized(item) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value


def is_saved(value) -> bool:
    """Whether a parameter can be saved by names: each function in it is registered at Keras.

    Example:
        >>> is_saved([1, "step"]), is_saved(lambda step: 0.5**step)
        (True, False)
    """
    if isinstance(value, list | tuple):
        return all(map(is_saved, value))
    if isinstance(value, FunctionType):
        return keras.saving.get_registered_object(keras.saving.get_registered_name(value)) is value
    if is_dataclass(value):
        return all(is_saved(getattr(value, parameter.name)) for parameter in fields(value))
    return not callable(value)
