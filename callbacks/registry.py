"""The public names: which module holds each, and the schemes by name.

Nothing here imports Keras, so that the command line can list the schemes before it does.
"""

import re
from dataclasses import fields
from importlib import import_module

from .lookup import find
from .registration import Later, announce

# Under which Keras registers the classes; a model that holds one loads after `import recipes`,
# or `import callbacks`. Files of earlier versions have the second name.
PACKAGE, EARLIER = "recipes", "learning_rate_decay"
SCHEMES_IN = {
    "annealing": ("CosineRestartLR", "PiecewiseInterpolate", "SWALR"),
    "compose": ("ChainedScheduler", "LambdaLR", "MultiplicativeLR", "SequentialLR"),
    "cosine": (
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "CosineDecay",
        "CosineDecayRestarts",
        "LinearCosineDecay",
        "NoisyLinearCosineDecay",
    ),
    "cyclic": ("CyclicLR", "OneCycleLR"),
    "exponential": (
        "ExponentialDecay",
        "ExponentialLR",
        "ExponentialTransition",
        "InverseTimeDecay",
        "NaturalExpDecay",
    ),
    "inverse": ("InvDecay", "InverseSqrtSchedule", "NoamDecay", "RandomDecay", "SigmoidDecay"),
    "noise": ("NoisyLR",),
    "plateau": ("GreedyLR", "ReduceLROnPlateau"),
    "polynomial": ("LinearLR", "PolynomialDecay", "PolynomialLR"),
    "shrinking": ("CosineLRSchedule", "TriangularLRSchedule"),
    "stages": ("FlatCosine", "TriStageLRSchedule", "WSDSchedule"),
    "stepwise": (
        "ConstantLR",
        "ConstantSchedule",
        "MultiStepLR",
        "PiecewiseConstantDecay",
        "StepLR",
    ),
    "timm": ("CosineLRScheduler", "PolyLRScheduler", "TanhLRScheduler"),
    "timm_stages": ("MultiStepLRScheduler", "StepLRScheduler", "WSDLRScheduler"),
    "warmed": (
        "ConstantScheduleWithWarmup",
        "CosineScheduleWithWarmup",
        "CosineWithHardRestartsScheduleWithWarmup",
        "CosineWithMinLRScheduleWithWarmupLRRate",
        "LinearScheduleWithWarmup",
        "PolynomialDecayScheduleWithWarmup",
    ),
    "warmup": ("Warmup",),
}
OTHERS_IN = {
    "base": ("LearningRateDecay",),
    "finder": ("LearningRateFinder",),
    "momentum": ("CyclicMomentumAdam", "CyclicMomentumSGD"),
    "lead": ("Lead",),
    "table": ("SchemeSchedule", "TableSchedule"),
}
MODULE_OF = {name: module for module, held in {**SCHEMES_IN, **OTHERS_IN}.items() for name in held}


def snake_case(name: str) -> str:
    """The name of a class as `get` takes it.

    Example:
        >>> snake_case("CosineDecay"), snake_case("ReduceLROnPlateau")
        ('cosine_decay', 'reduce_lr_on_plateau')
    """
    return re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


SCHEMES = dict(sorted((snake_case(cls), cls) for held in SCHEMES_IN.values() for cls in held))

# Other libraries' short names, and parameters that go with them. A name that two have belongs to
# the one that comes first here; none of them takes a name of ours.
SHORT: dict[str, tuple[str, dict]] = {
    # Transformers
    "linear": ("LinearScheduleWithWarmup", {}),
    "cosine": ("CosineScheduleWithWarmup", {}),
    "cosine_with_restarts": ("CosineWithHardRestartsScheduleWithWarmup", {}),
    "polynomial": ("PolynomialDecayScheduleWithWarmup", {}),
    "constant": ("ConstantSchedule", {}),
    "constant_with_warmup": ("ConstantScheduleWithWarmup", {}),
    "inverse_sqrt": ("InverseSqrtSchedule", {}),
    "cosine_with_min_lr": ("CosineScheduleWithWarmup", {}),
    "cosine_warmup_with_min_lr": ("CosineWithMinLRScheduleWithWarmupLRRate", {}),
    "warmup_stable_decay": ("WSDSchedule", {}),
    "greedy": ("GreedyLR", {}),
    # timm, whose "cosine" and "constant" are Transformers'
    "tanh": ("TanhLRScheduler", {}),
    "step": ("StepLRScheduler", {}),
    "multistep": ("MultiStepLRScheduler", {}),
    "poly": ("PolyLRScheduler", {}),
    "plateau": ("ReduceLROnPlateau", {}),
    "wsd": ("WSDLRScheduler", {}),
    "rsqrt": ("WSDLRScheduler", {"stable_fn": "rsqrt", "decay_fn": "linear"}),
    # PyTorch, fastai, fairseq (whose "cosine" is Transformers'), Paddle, Caffe and Darknet
    "swa_lr": ("SWALR", {}),
    "flat_cos": ("FlatCosine", {}),
    "tri_stage": ("TriStageLRSchedule", {}),
    "triangular": ("TriangularLRSchedule", {}),
    "noam": ("NoamDecay", {}),
    "inv": ("InvDecay", {}),
    "sigmoid": ("SigmoidDecay", {}),
    "random": ("RandomDecay", {}),
}


def names() -> list[str]:
    """The name of every scheme, as `get` takes it, other libraries' short names among them.

    Example:
        >>> "cosine_decay" in names(), "cosine_with_restarts" in names()
        (True, True)
    """
    return sorted([*SCHEMES, *SHORT])


def get(name, **parameters):
    """A scheme by name.

    Args:
        name: of the scheme, such as "cosine_decay" or "CosineDecay"; the short one that
            Transformers or timm has for it, such as "cosine"; or its class. A scheme is given back.
        **parameters: of the scheme, by its own names.

    Raises:
        ValueError: the name is unknown, or a parameter is; the text lists those allowed. Or there
            are parameters for a scheme that is made already.

    Example:
        >>> get("cosine_decay", learning_rate=1.0, decay_steps=100).value(50)
        0.5
    """
    kind = name if isinstance(name, type) else type(name)
    if kind.__name__ not in SCHEMES.values() or load(kind.__name__) is not kind:
        own = {**SCHEMES, **{cls: cls for cls in SCHEMES.values()}}
        known = {**SHORT, **{given: (cls, {}) for given, cls in own.items()}}
        cls, preset = find(name, known, what="learning-rate decay scheme")
        name, parameters = load(cls), {**preset, **parameters}
    elif not isinstance(name, type):
        if parameters:
            raise ValueError(f"{kind.__name__} is made already: {', '.join(parameters)} come late.")
        return name
    allowed = dict.fromkeys(parameter.name for parameter in fields(name))
    for parameter in parameters:
        find(parameter, allowed, what=f"parameter of {name.__name__}")
    return name(**parameters)


def load(name: str):
    """What stands under a public name, from its module."""
    return getattr(import_module(f".{MODULE_OF[name]}", __package__), name)


def announce_classes() -> None:
    """Let Keras find every class here by its registered name."""
    later = {name: Later(f"{__package__}.{module}", name) for name, module in MODULE_OF.items()}
    announce(
        {f"{package}>{name}": one for package in (PACKAGE, EARLIER) for name, one in later.items()}
    )
