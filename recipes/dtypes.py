"""In which precision networks compute: Keras' dtype policies, for a while, and in a finished model.

Weights are float32 whatever a network computes in, and so is what comes before its first weights:
half precision cannot hold every pixel's value once it is scaled.
"""

import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import keras

from recipes.settings import FLOAT32


@contextmanager
def scope(policy: str) -> Generator[None]:
    """Whatever is built inside has this policy; Keras is set up as before in the end.

    Keras' `floatx` is float32 inside, by which inputs, losses and metrics go.

    Args:
        policy: the name of a dtype policy.

    Example:
        >>> with scope("mixed_bfloat16"):
        ...     keras.layers.Dense(1).compute_dtype
        'bfloat16'
    """
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx(FLOAT32)
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_floatx(before[1])


def at_least_float32() -> str:
    """The type in which a layer computes that must not lose anything: as variables, or finer.

    Example:
        >>> with scope("mixed_float16"):
        ...     at_least_float32()
        'float32'
    """
    return keras.backend.result_type(keras.config.dtype_policy().variable_dtype, FLOAT32)


def widened(x):
    """A tensor in float32, or as it is where that is finer: squares and sums need it.

    Example:
        >>> keras.backend.standardize_dtype(widened(keras.ops.ones(2, "float16")).dtype)
        'float32'
    """
    own = keras.backend.standardize_dtype(x.dtype)
    return keras.ops.cast(x, keras.backend.result_type(own, FLOAT32))


def policy_of(model: keras.Model) -> str:
    """The name of the policy that a model's layers have, where some of them have float32.

    Example:
        >>> policy_of(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
        'float32'
    """
    layers = [one for one in model.layers if not isinstance(one, keras.layers.InputLayer)]
    names = {layer.dtype_policy.name for layer in layers}
    return next(iter(sorted(names - {FLOAT32})), FLOAT32)


def recast(model: keras.Model, policy: str) -> keras.Model:
    """A copy of a functional model that computes by another policy, with the same weights.

    Args:
        model: of layers that Keras can clone, nested or not.
        policy: its name. What comes before the first weights has float32 at the least.

    Example:
        >>> inputs = keras.Input((2,))
        >>> model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Rescaling(2.0)(inputs)))
        >>> [layer.compute_dtype for layer in recast(model, "mixed_float16").layers[1:]]
        ['float32', 'float16']
    """
    with scope(policy):
        exact = at_least_float32()
    before = _before_weights(model)

    def clone(layer):
        wanted = exact if layer.name in before else policy
        with scope(wanted):  # for a layer whose configuration does not say it
            return type(layer).from_config(_with_policy(layer.get_config(), wanted))

    state = random.getstate()
    random.seed(0)  # from which Keras draws the seeds that are not named
    try:
        with scope(policy):
            copy = keras.models.clone_model(model, clone_function=clone)
    finally:
        random.setstate(state)
    copy.set_weights(model.get_weights())
    return copy


def _before_weights(model: keras.Model) -> set[str]:
    """Names of the operations before the first that learns."""
    names = set()
    for operation in model.operations:
        learned = not isinstance(operation, keras.layers.Normalization)
        if learned and getattr(operation, "weights", ()):
            break
        names.add(operation.name)
    return names


def _with_policy(config: Any, policy: str) -> Any:
    """A layer's configuration with another policy in it, and in those of the layers inside."""
    if isinstance(config, dict):
        if "DTypePolicy" in str(config.get("class_name")):
            return keras.saving.serialize_keras_object(keras.DTypePolicy(policy))
        return {name: _with_policy(value, policy) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with_policy(value, policy) for value in config)
    return config
