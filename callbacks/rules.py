"""What each parameter of a scheme may be, as data: the names mean the same in every scheme."""

import math
import numbers
from collections.abc import Callable

UNITS = ("step", "epoch")


def _number(value) -> bool:
    return isinstance(value, numbers.Real) and math.isfinite(value) and value is not True


def _whole(value) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


_POSITIVE = (lambda v: _number(v) and v > 0, "a number above 0")
_NOT_NEGATIVE = (lambda v: _number(v) and v >= 0, "a number from 0 up")
_COUNT = (lambda v: _whole(v) and v >= 1, "a whole number from 1 up")
_COUNT_OR_ZERO = (lambda v: _whole(v) and v >= 0, "a whole number from 0 up")
_SHARE = (lambda v: _number(v) and 0 <= v <= 1, "a number from 0 to 1")
_CALLABLE = (callable, "a function of the step")

RULES: dict[str, tuple[Callable, str]] = {
    "learning_rate": _NOT_NEGATIVE,
    "decay_steps": _COUNT,
    "first_decay_steps": _COUNT,
    "decay_rate": _POSITIVE,
    "end_learning_rate": _NOT_NEGATIVE,
    "power": _POSITIVE,
    "alpha": _NOT_NEGATIVE,
    "beta": _NOT_NEGATIVE,
    "num_periods": _POSITIVE,
    "initial_variance": _NOT_NEGATIVE,
    "variance_decay": _NOT_NEGATIVE,
    "t_mul": (lambda v: _number(v) and v >= 1, "a number from 1 up"),
    "m_mul": _POSITIVE,
    "seed": _COUNT_OR_ZERO,
    "step_size": _COUNT,
    "gamma": _POSITIVE,
    "total_iters": _COUNT,
    "start_factor": (lambda v: _number(v) and 0 < v <= 1, "a number above 0, up to 1"),
    "end_factor": _SHARE,
    "T_max": _COUNT,
    "T_0": _COUNT,
    "T_mult": _COUNT,
    "eta_min": _NOT_NEGATIVE,
    "base_lr": _NOT_NEGATIVE,
    "max_lr": _POSITIVE,
    "step_size_up": _COUNT,
    "step_size_down": _COUNT,
    "base_momentum": _SHARE,
    "max_momentum": _SHARE,
    "total_steps": (lambda v: _whole(v) and v >= 2, "a whole number from 2 up"),
    "pct_start": _SHARE,
    "div_factor": _POSITIVE,
    "final_div_factor": _POSITIVE,
    "lr_lambda": _CALLABLE,
    "scale_fn": _CALLABLE,
    "steps": _COUNT,
    "start": _SHARE,
    "patience": _COUNT_OR_ZERO,
    "cooldown": _COUNT_OR_ZERO,
    "threshold": _NOT_NEGATIVE,
    "min_lr": _NOT_NEGATIVE,
    "eps": _NOT_NEGATIVE,
    "min_learning_rate": _POSITIVE,
    "max_learning_rate": _POSITIVE,
    "num_steps": (lambda v: _whole(v) and v >= 2, "a whole number from 2 up"),
}
CHOICES = {
    "per": UNITS,
    "scale_mode": ("cycle", "iterations"),
    "anneal_strategy": ("cos", "linear"),
    "threshold_mode": ("rel", "abs"),
}
