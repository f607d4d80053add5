"""Transformers' schedulers."""

from tests.callbacks.recorders import optimizer, records, stepped


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
