"""How what is here is saved: by a name registered at Keras, and by plain configurations."""

import numbers
from dataclasses import fields, is_dataclass
from types import FunctionType

import keras

from .registry import PACKAGE

registered = keras.saving.register_keras_serializable(PACKAGE)


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
