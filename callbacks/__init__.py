"""Every learning-rate decay scheme of TensorFlow and PyTorch as a Keras callback.

The public names are loaded when they are first used; `registry.py` says from where.
"""

from typing import TYPE_CHECKING

from .registry import MODULE_OF, load
from .registry import SCHEMES as SCHEMES
from .registry import get as get
from .registry import names as names

if TYPE_CHECKING:  # what an editor and a type checker see
    from .base import LearningRateDecay as LearningRateDecay
    from .compose import ChainedScheduler as ChainedScheduler
    from .compose import LambdaLR as LambdaLR
    from .compose import MultiplicativeLR as MultiplicativeLR
    from .compose import SequentialLR as SequentialLR
    from .compose import Warmup as Warmup
    from .cosine import CosineAnnealingLR as CosineAnnealingLR
    from .cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
    from .cosine import CosineDecay as CosineDecay
    from .cosine import CosineDecayRestarts as CosineDecayRestarts
    from .cosine import LinearCosineDecay as LinearCosineDecay
    from .cosine import NoisyLinearCosineDecay as NoisyLinearCosineDecay
    from .cyclic import CyclicLR as CyclicLR
    from .cyclic import OneCycleLR as OneCycleLR
    from .exponential import ExponentialDecay as ExponentialDecay
    from .exponential import ExponentialLR as ExponentialLR
    from .exponential import InverseTimeDecay as InverseTimeDecay
    from .exponential import NaturalExpDecay as NaturalExpDecay
    from .finder import LearningRateFinder as LearningRateFinder
    from .momentum import CyclicMomentumAdam as CyclicMomentumAdam
    from .momentum import CyclicMomentumSGD as CyclicMomentumSGD
    from .plateau import ReduceLROnPlateau as ReduceLROnPlateau
    from .polynomial import LinearLR as LinearLR
    from .polynomial import PolynomialDecay as PolynomialDecay
    from .polynomial import PolynomialLR as PolynomialLR
    from .stepwise import ConstantLR as ConstantLR
    from .stepwise import MultiStepLR as MultiStepLR
    from .stepwise import PiecewiseConstantDecay as PiecewiseConstantDecay
    from .stepwise import StepLR as StepLR
    from .table import TableSchedule as TableSchedule
else:

    def __getattr__(name):
        if name not in MODULE_OF:
            raise AttributeError(f"module 'callbacks' has no attribute {name!r}")
        return load(name)


__all__ = sorted([*MODULE_OF, "get", "names"])


def __dir__():
    return sorted({*globals(), *__all__})
