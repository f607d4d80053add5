"""timm's schedulers."""

import importlib.util
import sys
from types import ModuleType

from tests.callbacks.recorders import STEPS, optimizer, records


def timm_module(name):
    """A module of timm's schedulers, without the whole of timm, which needs torchvision."""
    if "timm" not in sys.modules:
        package = ModuleType("timm")
        package.__path__ = list(importlib.util.find_spec("timm").submodule_search_locations)
        sys.modules["timm"] = package
    return importlib.import_module(f"timm.scheduler.{name}")


def timm_curve(cls, params):
    params = dict(params)
    sgd = optimizer(params.pop("learning_rate"))
    scheduler = cls(sgd, **params)
    rates = [sgd.param_groups[0]["lr"]]
    for t in range(1, STEPS):
        scheduler.step(t)
        rates.append(sgd.param_groups[0]["lr"])
    return rates


def timm_shared(draw, prefix=True):
    params = {"learning_rate": draw.rate()}
    if draw.one(True, False):
        params |= {"warmup_t": draw.count(1, 30), "warmup_lr_init": draw.number(0, 0.01)}
    if prefix:
        params["warmup_prefix"] = draw.one(True, False)
    if draw.one(True, False):
        begin = draw.count(0, 100)
        params |= {
            "noise_range_t": draw.one(begin, [begin, begin + draw.count(1, 80)]),
            "noise_pct": draw.number(0.1, 1),
            "noise_std": draw.number(0.05, 1),
            "noise_seed": draw.count(0, 2**31),
        }
    return params


def timm_cycles(draw):
    return {
        **timm_shared(draw),
        "t_initial": draw.count(5, 80),
        "lr_min": draw.number(0, 0.01),
        "cycle_mul": draw.one(1.0, 2.0, 3.0, draw.number(1.01, 2)),
        "cycle_decay": draw.number(0.1, 1),
        "cycle_limit": draw.count(1, 6),
    }


@records("CosineLRScheduler", "timm.CosineLRScheduler")
def timm_cosine(draw):
    params = {**timm_cycles(draw), "k_decay": draw.one(1.0, draw.number(0.3, 3))}
    return params, timm_curve(timm_module("cosine_lr").CosineLRScheduler, params)


@records("TanhLRScheduler", "timm.TanhLRScheduler")
def timm_tanh(draw):
    params = {**timm_cycles(draw), "lb": draw.number(-8, -1), "ub": draw.number(-0.5, 5)}
    return params, timm_curve(timm_module("tanh_lr").TanhLRScheduler, params)


@records("PolyLRScheduler", "timm.PolyLRScheduler")
def timm_poly(draw):
    params = {
        **timm_cycles(draw),
        "power": draw.number(0.3, 3),
        "k_decay": draw.one(1.0, draw.number(0.3, 3)),
    }
    return params, timm_curve(timm_module("poly_lr").PolyLRScheduler, params)


@records("StepLRScheduler", "timm.StepLRScheduler")
def timm_step(draw):
    params = {
        **timm_shared(draw),
        "decay_t": draw.one(draw.count(1, 60), draw.number(1, 30)),
        "decay_rate": draw.number(0.1, 1.1),
    }
    return params, timm_curve(timm_module("step_lr").StepLRScheduler, params)


@records("MultiStepLRScheduler", "timm.MultiStepLRScheduler")
def timm_multistep(draw):
    params = {
        **timm_shared(draw),
        "decay_t": sorted(draw.count(1, 190) for _ in range(draw.count(1, 5))),
        "decay_rate": draw.number(0.1, 1.1),
    }
    return params, timm_curve(timm_module("multistep_lr").MultiStepLRScheduler, params)


@records("WSDLRScheduler", "timm.WSDLRScheduler")
def timm_wsd(draw):
    total = draw.count(20, 180)
    params = {
        **timm_shared(draw, prefix=False),
        "t_initial": total,
        "decay_t": draw.count(1, total),
        "lr_min": draw.number(0, 0.3),
        "stable_fn": draw.one("constant", "rsqrt", "power"),
        "stable_timescale": draw.number(1, 60),
        "stable_power": draw.number(0.2, 2),
        "decay_fn": draw.one("linear", "1-sqrt", "cosine", "power", "exp"),
        "decay_power": draw.number(0.2, 3),
        "decay_ratio": draw.number(0.01, 0.9),
    }
    return params, timm_curve(timm_module("wsd_lr").WSDLRScheduler, params)
