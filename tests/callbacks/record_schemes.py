"""Write what the anchors' schedulers give into `tests/reference/schemes.json`.

    pip install timm==1.0.31 transformers==5.24.0 optax==0.2.8 mmengine==0.10.7 paddlepaddle==3.3.1
    pip download --no-deps --no-binary :all: fairseq==0.12.2   # and unpack it
    pip download --no-deps mxnet==1.9.1                        # and unpack mxnet/lr_scheduler.py
    python tests/callbacks/record_schemes.py FAIRSEQ_FOLDER MXNET_LR_SCHEDULER_PY

in an environment of its own, with PyTorch. Of fairseq and MXNet, which no longer install, the
schedulers' files are run as they are. Each case has the arguments that our scheme takes.
"""

import importlib.metadata
import importlib.util
import json
import random
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import jax
import torch

SETS, STEPS = 12, 200
OUTPUT = Path(__file__).parents[1] / "reference" / "schemes.json"
RECORDERS = {}


def records(scheme, reference):
    """Decorator of a function that draws our arguments, and calls the reference with them."""

    def register(function):
        RECORDERS[reference] = scheme, function
        return function

    return register


@dataclass
class Draw:
    """Parameters at random, with few digits so that they stay readable."""

    rng: random.Random

    def rate(self):
        return self.number(0.01, 1.0)

    def number(self, low, high):
        return round(self.rng.uniform(low, high), 3)

    def count(self, low, high):
        return self.rng.randint(low, high)

    def one(self, *values):
        return self.rng.choice(values)


def optimizer(rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)


def stepped(sgd, scheduler):
    """The rates that a scheduler of PyTorch's kind sets, step by step."""
    rates = []
    for _ in range(STEPS):
        rates.append(sgd.param_groups[0]["lr"])
        sgd.step()
        scheduler.step()
    return rates


# timm


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


# Transformers


def transformers_curve(function, params):
    from transformers import optimization

    params = dict(params)
    sgd = optimizer(params.pop("learning_rate"))
    return stepped(sgd, getattr(optimization, function)(sgd, **params))


def until(draw):
    warm = draw.one(0, draw.count(1, 80))
    return {
        "learning_rate": draw.rate(),
        "num_warmup_steps": warm,
        "num_training_steps": warm + draw.count(1, 150),
    }


@records("ConstantSchedule", "transformers.get_constant_schedule")
def constant(draw):
    params = {"learning_rate": draw.rate()}
    return params, transformers_curve("get_constant_schedule", params)


@records("ConstantScheduleWithWarmup", "transformers.get_constant_schedule_with_warmup")
def constant_with_warmup(draw):
    params = {"learning_rate": draw.rate(), "num_warmup_steps": draw.number(1, 90)}
    return params, transformers_curve("get_constant_schedule_with_warmup", params)


@records("LinearScheduleWithWarmup", "transformers.get_linear_schedule_with_warmup")
def linear(draw):
    params = until(draw)
    return params, transformers_curve("get_linear_schedule_with_warmup", params)


@records("CosineScheduleWithWarmup", "transformers.get_cosine_schedule_with_warmup")
def cosine(draw):
    params = {**until(draw), "num_cycles": draw.one(0.5, draw.number(0.1, 4))}
    return params, transformers_curve("get_cosine_schedule_with_warmup", params)


def least(draw):
    return draw.one(
        {"min_lr": draw.number(0, 0.1)},
        {"min_lr_rate": draw.number(0, 1)},
        {"min_lr_rate": draw.number(-1, 0)},
    )


@records("CosineScheduleWithWarmup", "transformers.get_cosine_with_min_lr_schedule_with_warmup")
def cosine_with_min(draw):
    params = {**until(draw), "num_cycles": draw.one(0.5, draw.number(0.1, 4)), **least(draw)}
    return params, transformers_curve("get_cosine_with_min_lr_schedule_with_warmup", params)


@records(
    "CosineWithMinLRScheduleWithWarmupLRRate",
    "transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
)
def cosine_with_rate(draw):
    params = {
        **until(draw),
        "num_cycles": draw.one(0.5, draw.number(0.1, 4)),
        **least(draw),
        "warmup_lr_rate": draw.one(None, draw.number(0, 1.5)),
    }
    name = "get_cosine_with_min_lr_schedule_with_warmup_lr_rate"
    return params, transformers_curve(name, params)


@records(
    "CosineWithHardRestartsScheduleWithWarmup",
    "transformers.get_cosine_with_hard_restarts_schedule_with_warmup",
)
def cosine_with_restarts(draw):
    params = {**until(draw), "num_cycles": draw.one(1, draw.count(2, 6), draw.number(0.2, 6))}
    name = "get_cosine_with_hard_restarts_schedule_with_warmup"
    return params, transformers_curve(name, params)


@records(
    "PolynomialDecayScheduleWithWarmup", "transformers.get_polynomial_decay_schedule_with_warmup"
)
def polynomial(draw):
    params = {**until(draw), "lr_end": draw.one(1e-7, 0.0, 0.009), "power": draw.number(0, 3)}
    return params, transformers_curve("get_polynomial_decay_schedule_with_warmup", params)


@records("InverseSqrtSchedule", "transformers.get_inverse_sqrt_schedule")
def inverse_sqrt(draw):
    params = {
        "learning_rate": draw.rate(),
        "num_warmup_steps": draw.one(0, draw.count(1, 90)),
        "timescale": draw.one(None, draw.count(1, 300)),
    }
    return params, transformers_curve("get_inverse_sqrt_schedule", params)


@records("WSDSchedule", "transformers.get_wsd_schedule")
def wsd(draw):
    warm, decay, stable = draw.one(0, draw.count(1, 60)), draw.count(1, 60), draw.count(0, 60)
    params = {
        "learning_rate": draw.rate(),
        "num_warmup_steps": warm,
        "num_decay_steps": decay,
        **draw.one({"num_stable_steps": stable}, {"num_training_steps": warm + decay + stable}),
        "warmup_type": draw.one("linear", "cosine", "1-sqrt"),
        "decay_type": draw.one("linear", "cosine", "1-sqrt"),
        "min_lr_ratio": draw.number(-0.1, 0.5),
        "num_cycles": draw.one(0.5, draw.number(0.1, 3)),
    }
    return params, transformers_curve("get_wsd_schedule", params)


# optax, in float64


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


def main():
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")
    cases = []
    for reference, (scheme, function) in RECORDERS.items():
        draw = Draw(random.Random(reference))
        for _ in range(SETS):
            params, rates = function(draw)
            rates = [float(f"{rate:.15g}") for rate in rates]
            case = {"scheme": scheme, "reference": reference, "params": params, "lr": rates}
            cases.append(json.dumps(case, separators=(",", ":")))
        print(reference, flush=True)
    packages = ("torch", "timm", "transformers", "optax", "mmengine", "paddlepaddle")
    versions = {name: importlib.metadata.version(name) for name in packages}
    versions |= {"fairseq": "0.12.2", "mxnet": "1.9.1"}
    text = ",\n".join(cases)
    OUTPUT.write_text(f'{{"versions":{json.dumps(versions)},\n"cases":[\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
