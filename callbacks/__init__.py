"""Every learning-rate scheme of TensorFlow, PyTorch and their relatives as a Keras callback.

The public names are loaded when they are first used; `registry.py` says from where.
"""

from typing import TYPE_CHECKING

from . import quiet
from .registry import (
    MODULE_OF,
    SCHEMES as SCHEMES,
    announce_classes,
    get as get,
    load,
    names as names,
)

if TYPE_CHECKING:  # what an editor and a type checker see
    from .annealing import (
        SWALR as SWALR,
        CosineRestartLR as CosineRestartLR,
        PiecewiseInterpolate as PiecewiseInterpolate,
    )
    from .base import LearningRateDecay as LearningRateDecay
    from .compose import (
        ChainedScheduler as ChainedScheduler,
        LambdaLR as LambdaLR,
        MultiplicativeLR as MultiplicativeLR,
        SequentialLR as SequentialLR,
    )
    from .cosine import (
        CosineAnnealingLR as CosineAnnealingLR,
        CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts,
        CosineDecay as CosineDecay,
        CosineDecayRestarts as CosineDecayRestarts,
        LinearCosineDecay as LinearCosineDecay,
        NoisyLinearCosineDecay as NoisyLinearCosineDecay,
    )
    from .cyclic import CyclicLR as CyclicLR, OneCycleLR as OneCycleLR
    from .exponential import (
        ExponentialDecay as ExponentialDecay,
        ExponentialLR as ExponentialLR,
        ExponentialTransition as ExponentialTransition,
        InverseTimeDecay as InverseTimeDecay,
        NaturalExpDecay as NaturalExpDecay,
    )
    from .finder import LearningRateFinder as LearningRateFinder
    from .inverse import (
        InvDecay as InvDecay,
        InverseSqrtSchedule as InverseSqrtSchedule,
        NoamDecay as NoamDecay,
        RandomDecay as RandomDecay,
        SigmoidDecay as SigmoidDecay,
    )
    from .lead import Lead as Lead
    from .momentum import (
        CyclicMomentumAdam as CyclicMomentumAdam,
        CyclicMomentumSGD as CyclicMomentumSGD,
    )
    from .noise import NoisyLR as NoisyLR
    from .plateau import GreedyLR as GreedyLR, ReduceLROnPlateau as ReduceLROnPlateau
    from .polynomial import (
        LinearLR as LinearLR,
        PolynomialDecay as PolynomialDecay,
        PolynomialLR as PolynomialLR,
    )
    from .shrinking import (
        CosineLRSchedule as CosineLRSchedule,
        TriangularLRSchedule as TriangularLRSchedule,
    )
    from .stages import (
        FlatCosine as FlatCosine,
        TriStageLRSchedule as TriStageLRSchedule,
        WSDSchedule as WSDSchedule,
    )
    from .stepwise import (
        ConstantLR as ConstantLR,
        ConstantSchedule as ConstantSchedule,
        MultiStepLR as MultiStepLR,
        PiecewiseConstantDecay as PiecewiseConstantDecay,
        StepLR as StepLR,
    )
    from .table import SchemeSchedule as SchemeSchedule, TableSchedule as TableSchedule
    from .timm import (
        CosineLRScheduler as CosineLRScheduler,
        PolyLRScheduler as PolyLRScheduler,
        TanhLRScheduler as TanhLRScheduler,
    )
    from .timm_stages import (
        MultiStepLRScheduler as MultiStepLRScheduler,
        StepLRScheduler as StepLRScheduler,
        WSDLRScheduler as WSDLRScheduler,
    )
    from .warmed import (
        ConstantScheduleWithWarmup as ConstantScheduleWithWarmup,
        CosineScheduleWithWarmup as CosineScheduleWithWarmup,
        CosineWithHardRestartsScheduleWithWarmup as CosineWithHardRestartsScheduleWithWarmup,
        CosineWithMinLRScheduleWithWarmupLRRate as CosineWithMinLRScheduleWithWarmupLRRate,
        LinearScheduleWithWarmup as LinearScheduleWithWarmup,
        PolynomialDecayScheduleWithWarmup as PolynomialDecayScheduleWithWarmup,
    )
    from .warmup import Warmup as Warmup
else:

    def __getattr__(name):
        if name not in MODULE_OF:
            raise AttributeError(f"module 'callbacks' has no attribute {name!r}")
        return load(name)


quiet.install()
announce_classes()

__all__ = sorted([*MODULE_OF, "get", "names"])


def __dir__():
    return sorted({*globals(), *__all__})
