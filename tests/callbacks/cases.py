"""Every scheme with arguments that show it: the table that the registry-wide tests walk."""

import json
import math
from pathlib import Path

import keras

import callbacks

# Curves of tf.compat.v1.train and torch.optim.lr_scheduler in float64: TensorFlow 2.21.0 and
# PyTorch 2.13.0. `lr[t]` is the rate after t steps.
RECORDED = json.loads((Path(__file__).parents[1] / "reference" / "learning_rates.json").read_text())


@keras.saving.register_keras_serializable("tests")
def halve(step):
    return 0.5**step


def make(scheme: str, params: dict):
    """Our scheme for a reference's name and arguments."""
    params = {name: value for name, value in params.items() if name not in ("optimizer", "metrics")}
    if "lr_lambda" in params:
        params["lr_lambda"] = eval("lambda epoch: " + params["lr_lambda"], {"math": math})
    if "scale_fn" in params:
        params["scale_fn"] = eval("lambda x: " + params["scale_fn"], {"math": math})
    if "schedulers" in params:
        params["schedulers"] = [
            make(member["scheme"], {k: v for k, v in member.items() if k != "scheme"})
            for member in params["schedulers"]
        ]
    return callbacks.get(scheme, **params)


EXAMPLES = {
    "ChainedScheduler": lambda: callbacks.StepLR(2, learning_rate=0.5) * callbacks.LinearLR(),
    "ConstantLR": lambda: callbacks.ConstantLR(0.25, 3),
    "CosineAnnealingLR": lambda: callbacks.CosineAnnealingLR(10, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda: callbacks.CosineAnnealingWarmRestarts(3, T_mult=2),
    "CosineDecay": lambda: callbacks.CosineDecay(0.1, 10, alpha=0.1),
    "CosineDecayRestarts": lambda: callbacks.CosineDecayRestarts(0.1, 3, t_mul=1.5, m_mul=0.9),
    "CyclicLR": lambda: callbacks.CyclicLR(0.01, 0.1, step_size_up=3, mode="exp_range", gamma=0.9),
    "ExponentialDecay": lambda: callbacks.ExponentialDecay(0.1, 3, 0.5, staircase=True),
    "ExponentialLR": lambda: callbacks.ExponentialLR(0.9, learning_rate=0.3),
    "GreedyLR": lambda: callbacks.GreedyLR(
        "loss", factor=0.5, scheduler=callbacks.ExponentialLR(0.9, learning_rate=0.1)
    ),
    "InverseTimeDecay": lambda: callbacks.InverseTimeDecay(0.1, 3, 0.5),
    "LambdaLR": lambda: callbacks.LambdaLR(halve),
    "LinearCosineDecay": lambda: callbacks.LinearCosineDecay(0.1, 10, num_periods=1.5),
    "LinearLR": lambda: callbacks.LinearLR(total_iters=7),
    "MultiStepLR": lambda: callbacks.MultiStepLR([2, 5], gamma=0.5),
    "MultiplicativeLR": lambda: callbacks.MultiplicativeLR(halve),
    "NaturalExpDecay": lambda: callbacks.NaturalExpDecay(0.1, 3, 0.5),
    "NoisyLinearCosineDecay": lambda: callbacks.NoisyLinearCosineDecay(0.1, 10, seed=3),
    "OneCycleLR": lambda: callbacks.OneCycleLR(0.1, total_steps=12, three_phase=True),
    "PiecewiseConstantDecay": lambda: callbacks.PiecewiseConstantDecay([2, 4], [0.3, 0.2, 0.1]),
    "PolynomialDecay": lambda: callbacks.PolynomialDecay(0.1, 4, power=2.0, cycle=True),
    "PolynomialLR": lambda: callbacks.PolynomialLR(8, power=2.0),
    "ReduceLROnPlateau": lambda: callbacks.ReduceLROnPlateau(
        scheduler=callbacks.CosineDecay(0.1, 10)
    ),
    "SequentialLR": lambda: callbacks.SequentialLR(
        [callbacks.LinearLR(0.1), callbacks.StepLR(3)], [4], learning_rate=0.2
    ),
    "StepLR": lambda: callbacks.StepLR(3, gamma=0.5),
    "Warmup": lambda: callbacks.Warmup(callbacks.CosineDecay(0.1, 10), steps=3),
    "ConstantSchedule": lambda: callbacks.ConstantSchedule(),
    "ConstantScheduleWithWarmup": lambda: callbacks.ConstantScheduleWithWarmup(4),
    "CosineLRSchedule": lambda: callbacks.CosineLRSchedule(
        2, min_lr=0.01, t_mult=1.5, lr_period_updates=3, lr_shrink=0.5
    ),
    "CosineLRScheduler": lambda: callbacks.CosineLRScheduler(
        4, 0.01, 1.5, 0.5, 2, warmup_t=2, noise_range_t=(3, 6), noise_std=0.1, k_decay=2.0
    ),
    "CosineRestartLR": lambda: callbacks.CosineRestartLR([3, 5], [1, 0.5], eta_min=0.01),
    "CosineScheduleWithWarmup": lambda: callbacks.CosineScheduleWithWarmup(2, 10, min_lr_rate=0.1),
    "CosineWithHardRestartsScheduleWithWarmup": lambda: (
        callbacks.CosineWithHardRestartsScheduleWithWarmup(2, 11, num_cycles=2.5)
    ),
    "CosineWithMinLRScheduleWithWarmupLRRate": lambda: (
        callbacks.CosineWithMinLRScheduleWithWarmupLRRate(3, 11, warmup_lr_rate=0.2)
    ),
    "ExponentialTransition": lambda: callbacks.ExponentialTransition(3, 0.5, 2, end_value=0.2),
    "FlatCosine": lambda: callbacks.FlatCosine(10, 0.5),
    "InvDecay": lambda: callbacks.InvDecay(0.1, 0.75),
    "InverseSqrtSchedule": lambda: callbacks.InverseSqrtSchedule(3, warmup_init_lr=0.01),
    "LinearScheduleWithWarmup": lambda: callbacks.LinearScheduleWithWarmup(3, 10),
    "MultiStepLRScheduler": lambda: callbacks.MultiStepLRScheduler([2, 5], 0.5),
    "NoamDecay": lambda: callbacks.NoamDecay(64, 4),
    "NoisyLR": lambda: callbacks.NoisyLR(callbacks.StepLR(3), noise_range_t=2, noise_std=0.1),
    "PiecewiseInterpolate": lambda: callbacks.PiecewiseInterpolate("cosine", {3: 2.0, 7: 0.1}),
    "PolyLRScheduler": lambda: callbacks.PolyLRScheduler(9, 2.0, warmup_t=3, warmup_prefix=True),
    "PolynomialDecayScheduleWithWarmup": lambda: callbacks.PolynomialDecayScheduleWithWarmup(
        3, 10, power=2.0
    ),
    "RandomDecay": lambda: callbacks.RandomDecay(2.0, seed=3),
    "SWALR": lambda: callbacks.SWALR(0.05, anneal_epochs=6),
    "SigmoidDecay": lambda: callbacks.SigmoidDecay(-1.0, 5),
    "StepLRScheduler": lambda: callbacks.StepLRScheduler(3, 0.5, warmup_t=2),
    "TanhLRScheduler": lambda: callbacks.TanhLRScheduler(10, warmup_t=3, warmup_lr_init=0.01),
    "TriStageLRSchedule": lambda: callbacks.TriStageLRSchedule(3, 2, 5),
    "TriangularLRSchedule": lambda: callbacks.TriangularLRSchedule(1.0, 6, lr_shrink=0.5),
    "WSDLRScheduler": lambda: callbacks.WSDLRScheduler(9, 4, warmup_t=2, stable_fn="rsqrt"),
    "WSDSchedule": lambda: callbacks.WSDSchedule(2, 4, num_stable_steps=3, decay_type="1-sqrt"),
}
