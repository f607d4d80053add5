"""The schedulers of optax (in float64), mmengine, Paddle, fairseq and MXNet."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

from tests.callbacks.recorders import STEPS, optimizer, records, stepped


def optax_curve(function, params):
    import optax

    params = dict(params)
    schedule = getattr(optax, function)(init_value=params.pop("learning_rate"), **params)
    return [float(schedule(step)) for step in range(STEPS)]


@records("ExponentialTransition", "optax.exponential_decay")
def optax_exponential(draw):
    params = {
        "learning_rate": draw.rate(),
        "transition_steps": draw.one(draw.count(1, 90), draw.number(1, 90), draw.count(-1, 90)),
        "decay_rate": draw.one(draw.number(0.3, 0.99), draw.number(1.01, 1.5), draw.one(0.0, 0.5)),
        "transition_begin": draw.one(0, draw.count(-5, 90)),
        "staircase": draw.one(True, False),
        "end_value": draw.one(None, draw.number(0.001, 1.5)),
    }
    return params, optax_curve("exponential_decay", params)


@records("CosineDecay", "optax.cosine_decay_schedule")
def optax_cosine(draw):
    params = {
        "learning_rate": draw.rate(),
        "decay_steps": draw.count(1, 180),
        "alpha": draw.number(-0.2, 0.5),
        "exponent": draw.number(0, 3),
    }
    return params, optax_curve("cosine_decay_schedule", params)


@records("PiecewiseInterpolate", "optax.piecewise_interpolate_schedule")
def optax_piecewise(draw):
    bounds = draw.rng.sample(range(180), draw.count(1, 6))
    params = {
        "learning_rate": draw.rate(),
        "interpolate_type": draw.one("linear", "cosine"),
        "boundaries_and_scales": {bound: draw.number(0, 2) for bound in bounds},
    }
    return params, optax_curve("piecewise_interpolate_schedule", params)


@records("PiecewiseInterpolate", "optax.cosine_onecycle_schedule")
def optax_onecycle(draw):
    import optax

    total, peak, start = draw.count(20, 180), draw.rate(), draw.number(0.1, 0.9)
    divisor, last = draw.number(2, 50), draw.number(2, 1000)
    schedule = optax.cosine_onecycle_schedule(total, peak, start, divisor, last)
    params = {
        "learning_rate": peak / divisor,
        "interpolate_type": "cosine",
        "boundaries_and_scales": {int(start * total): divisor, total: 1 / (divisor * last)},
    }
    return params, [float(schedule(step)) for step in range(STEPS)]


# mmengine


@records("CosineRestartLR", "mmengine.CosineRestartLR")
def mmengine_restarts(draw):
    from mmengine.optim.scheduler import CosineRestartLR

    count = draw.count(1, 5)
    params = {
        "periods": [draw.count(1, 60) for _ in range(count)],
        "restart_weights": [draw.number(0.05, 1.5) for _ in range(count)],
        **draw.one(
            {"eta_min": draw.number(0, 0.01)},
            {"eta_min": 0.0},
            {"eta_min_ratio": draw.number(0, 1)},
        ),
    }
    rate = draw.rate()
    sgd = optimizer(rate)
    return {"learning_rate": rate, **params}, stepped(sgd, CosineRestartLR(sgd, **params))


# Paddle


@records("NoamDecay", "paddle.optimizer.lr.NoamDecay")
def paddle_noam(draw):
    import paddle

    params = {
        "d_model": draw.count(1, 1024),
        "warmup_steps": draw.count(1, 150),
        "learning_rate": draw.number(0.1, 3),
    }
    scheduler, rates = paddle.optimizer.lr.NoamDecay(**params), []
    for _ in range(STEPS):
        rates.append(scheduler.last_lr)
        scheduler.step()
    return params, rates


# fairseq


def fairseq_module(folder, name):
    """One of its schedulers' files, with what it imports of the rest put in its place."""
    package = ModuleType("fairseq.optim.lr_scheduler")
    package.FairseqLRScheduler = FairseqScheduler
    package.register_lr_scheduler = lambda name, dataclass: lambda cls: cls
    sys.modules["fairseq.optim.lr_scheduler"] = package
    sys.modules["fairseq.dataclass"] = SimpleNamespace(FairseqDataclass=object)
    sys.modules["omegaconf"] = SimpleNamespace(II=lambda name: None)
    path = Path(folder) / "fairseq" / "optim" / "lr_scheduler" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"fairseq_{name}", path)
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FairseqScheduler:
    def __init__(self, cfg, optimizer):
        self.cfg, self.optimizer = cfg, optimizer


def fairseq_curve(name, cls, params):
    module = fairseq_module(sys.argv[1], name)
    params = {**params, "lr": [params["learning_rate"]]}
    del params["learning_rate"]
    config = next(value for key, value in vars(module).items() if key.endswith("Config"))(**params)
    scheduler = getattr(module, cls)(config, SimpleNamespace(set_lr=lambda rate: None))
    return [scheduler.step_update(step) for step in range(STEPS)]


@records("InverseSqrtSchedule", "fairseq.inverse_sqrt")
def fairseq_inverse_sqrt(draw):
    warm, init, rate = draw.count(1, 90), draw.number(0, 0.01), draw.rate()
    theirs = {"warmup_updates": warm, "warmup_init_lr": init, "learning_rate": rate}
    name = "inverse_square_root_schedule"
    params = {"num_warmup_steps": warm, "warmup_init_lr": init, "learning_rate": rate}
    return params, fairseq_curve(name, "InverseSquareRootSchedule", theirs)


@records("TriStageLRSchedule", "fairseq.tri_stage")
def fairseq_tri_stage(draw):
    phases = {
        "warmup_steps": draw.one(0, draw.count(1, 60)),
        "hold_steps": draw.one(0, draw.count(1, 60)),
        "decay_steps": draw.count(1, 90),
    }
    shares = {"phase_ratio": draw.one([0.25, 0.25, 0.5], [0.1, 0.4, 0.5], [0.0, 0.0, 1.0])}
    params = {
        "learning_rate": draw.rate(),
        **draw.one(phases, {**shares, "max_update": draw.count(10, 190)}),
        "init_lr_scale": draw.number(0, 1),
        "final_lr_scale": draw.number(0.001, 1),
    }
    return params, fairseq_curve("tri_stage_lr_scheduler", "TriStageLRSchedule", params)


@records("TriangularLRSchedule", "fairseq.triangular")
def fairseq_triangular(draw):
    params = {
        "learning_rate": draw.number(0.001, 0.1),
        "max_lr": draw.number(0.11, 1),
        "lr_period_updates": draw.one(draw.count(2, 90), draw.number(2, 90)),
        "lr_shrink": draw.number(0.1, 1.1),
        "shrink_min": draw.one(True, False),
    }
    return params, fairseq_curve("triangular_lr_scheduler", "TriangularLRSchedule", params)


@records("CosineLRSchedule", "fairseq.cosine")
def fairseq_cosine(draw):
    warm = draw.one(0, draw.count(1, 40))
    params = {
        "learning_rate": draw.rate(),
        "warmup_updates": warm,
        "warmup_init_lr": draw.number(0, 0.01),
        "min_lr": draw.number(0, 0.009),
        "t_mult": draw.one(1.0, 2.0, 3.0, draw.number(1.01, 2)),
        "lr_shrink": draw.number(0.1, 1.1),
        **draw.one({"lr_period_updates": draw.count(2, 90)}, {"max_update": warm + 70}),
    }
    return params, fairseq_curve("cosine_lr_scheduler", "CosineLRSchedule", params)


# MXNet


@records("ExponentialTransition", "mxnet.FactorScheduler")
def mxnet_factor(draw):
    spec = importlib.util.spec_from_file_location("mxnet_lr_scheduler", sys.argv[2])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    step, factor, floor = draw.count(1, 60), draw.number(0.3, 0.99), draw.number(0.0001, 0.05)
    rate = draw.number(0.06, 1)
    scheduler = module.FactorScheduler(step, factor, floor, base_lr=rate)
    params = {
        "learning_rate": rate,
        "transition_steps": step,
        "decay_rate": factor,
        "transition_begin": 1,
        "staircase": True,
        "end_value": floor,
    }
    return params, [scheduler(update) for update in range(STEPS)]
