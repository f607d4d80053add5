"""Every learning-rate decay scheme of TensorFlow and PyTorch as a Keras callback."""

from importlib import import_module

from .lookup import find

_PLACES = {
    "base": ("LearningRateDecay", "TableSchedule"),
    "compose": ("ChainedScheduler", "LambdaLR", "MultiplicativeLR", "SequentialLR", "Warmup"),
    "cosine": (
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "CosineDecay",
        "CosineDecayRestarts",
        "LinearCosineDecay",
        "NoisyLinearCosineDecay",
    ),
    "cyclic": ("CyclicLR", "OneCycleLR"),
    "exponential": ("ExponentialDecay", "ExponentialLR", "InverseTimeDecay", "NaturalExpDecay"),
    "finder": ("LearningRateFinder",),
    "momentum": ("CyclicMomentumAdam", "CyclicMomentumSGD"),
    "plateau": ("ReduceLROnPlateau",),
    "polynomial": ("LinearLR", "PolynomialDecay", "PolynomialLR"),
    "stepwise": ("ConstantLR", "MultiStepLR", "PiecewiseConstantDecay", "StepLR"),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

SCHEMES = {
    "chained_scheduler": "ChainedScheduler",
    "constant_lr": "ConstantLR",
    "cosine_annealing_lr": "CosineAnnealingLR",
    "cosine_annealing_warm_restarts": "CosineAnnealingWarmRestarts",
    "cosine_decay": "CosineDecay",
    "cosine_decay_restarts": "CosineDecayRestarts",
    "cyclic_lr": "CyclicLR",
    "exponential_decay": "ExponentialDecay",
    "exponential_lr": "ExponentialLR",
    "inverse_time_decay": "InverseTimeDecay",
    "lambda_lr": "LambdaLR",
    "linear_cosine_decay": "LinearCosineDecay",
    "linear_lr": "LinearLR",
    "multi_step_lr": "MultiStepLR",
    "multiplicative_lr": "MultiplicativeLR",
    "natural_exp_decay": "NaturalExpDecay",
    "noisy_linear_cosine_decay": "NoisyLinearCosineDecay",
    "one_cycle_lr": "OneCycleLR",
    "piecewise_constant_decay": "PiecewiseConstantDecay",
    "polynomial_decay": "PolynomialDecay",
    "polynomial_lr": "PolynomialLR",
    "reduce_lr_on_plateau": "ReduceLROnPlateau",
    "sequential_lr": "SequentialLR",
    "step_lr": "StepLR",
    "warmup": "Warmup",
}

__all__ = [*sorted(_MODULE_OF), "get", "names"]


def names() -> list[str]:
    """The name of every scheme, as `get` takes it.

    Example:
        >>> "cosine_decay" in names()
        True
    """
    return list(SCHEMES)


def get(name, **parameters):
    """A scheme by name.

    Args:
        name: of the scheme, such as "cosine_decay" or "CosineDecay"; or its class.
        **parameters: of the scheme, by its own names.

    Raises:
        ValueError: the name is unknown, or a parameter is; the text lists those allowed.

    Example:
        >>> get("cosine_decay", learning_rate=1.0, decay_steps=100).value(50)
        0.5
    """
    if isinstance(name, str):
        known = {**SCHEMES, **{cls: cls for cls in SCHEMES.values()}}
        name = __getattr__(find(name, known, what="learning-rate decay scheme"))
    from dataclasses import fields

    allowed = dict.fromkeys(parameter.name for parameter in fields(name))
    for parameter in parameters:
        find(parameter, allowed, what=f"parameter of {name.__name__}")
    return name(**parameters)


def __getattr__(name):
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'callbacks' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
