"""Every scheme of PyTorch's family against PyTorch itself, over parameters drawn at random."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import callbacks

torch = pytest.importorskip("torch")

STEPS = 1000
base = st.floats(1e-3, 1.0)
share = st.floats(0.0, 1.0)
epochs = st.integers(1, 300)
gamma = st.floats(0.5, 1.0) | st.sampled_from([0.0, 1.2, -0.5])
power = st.floats(0.3, 3.0) | st.just(0.0)
iters = st.integers(0, 300)


def torch_curve(name, rate, params, steps=STEPS):
    """The rates and momenta that PyTorch's scheduler sets."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = build(name, params, optimizer)
        group = optimizer.param_groups[0]
        curve = [(group["lr"], group["momentum"])]
        for _ in range(steps - 1):
            optimizer.step()
            scheduler.step()
            curve.append((group["lr"], group["momentum"]))
    return np.array(curve).T


def build(name, params, optimizer):
    params = dict(params)
    if "schedulers" in params:
        params["schedulers"] = [build(n, p, optimizer) for n, p in params["schedulers"]]
    modules = torch.optim.lr_scheduler, torch.optim.swa_utils
    function = next(getattr(module, name) for module in modules if hasattr(module, name))
    return function(**params) if name == "ChainedScheduler" else function(optimizer, **params)


def ours(name, rate, params):
    params = dict(params)
    if "schedulers" in params:
        params["schedulers"] = [ours(n, None, p) for n, p in params["schedulers"]]
    return callbacks.get(name, learning_rate=rate, **params)


def check(name, rate, params, steps=STEPS):
    rates, momenta = torch_curve(name, rate, params, steps)
    scheme = ours(name, rate, params)
    found = [scheme.value(step) for step in range(steps)]
    # PyTorch computes most rates from the one before: its own rounding adds up over the steps.
    height = np.abs(rates).max()
    # These two divide by what is left of the way, and that comes near 0.
    near = 1e-9 if name in ("CosineAnnealingLR", "SWALR") else 1e-12
    np.testing.assert_allclose(found, rates, rtol=near, atol=near * height)
    if scheme.drives_momentum:
        np.testing.assert_allclose([scheme.momentum(t) for t in range(steps)], momenta, rtol=1e-12)


def drawn(**parameters):
    return st.fixed_dictionaries(parameters)


MEMBERS = st.one_of(
    st.tuples(st.just("StepLR"), drawn(step_size=epochs, gamma=gamma)),
    st.tuples(st.just("MultiStepLR"), drawn(milestones=st.lists(epochs, max_size=4), gamma=gamma)),
    st.tuples(st.just("ExponentialLR"), drawn(gamma=st.floats(0.95, 1.0))),
    st.tuples(st.just("ConstantLR"), drawn(factor=st.floats(0.1, 1), total_iters=epochs)),
    st.tuples(
        st.just("LinearLR"),
        drawn(start_factor=st.floats(0.1, 1), end_factor=st.floats(0.1, 1), total_iters=epochs),
    ),
)
CASES = {
    "StepLR": drawn(step_size=epochs, gamma=gamma),
    "MultiStepLR": drawn(milestones=st.lists(st.integers(0, 900), max_size=6), gamma=gamma),
    "ConstantLR": drawn(factor=st.floats(0.01, 1), total_iters=iters),
    "ExponentialLR": drawn(gamma=st.floats(0.97, 1.0) | st.sampled_from([0.0, 1.001, -0.99])),
    "LinearLR": drawn(start_factor=st.floats(0.01, 1), end_factor=share, total_iters=iters),
    "PolynomialLR": drawn(total_iters=iters, power=power),
    "CosineAnnealingLR": drawn(
        T_max=st.integers(2, 300), eta_min=st.floats(1e-4, 1e-3) | st.sampled_from([-0.1, 2.0])
    ),
    "CosineAnnealingWarmRestarts": drawn(
        T_0=st.integers(1, 200), T_mult=st.integers(1, 4), eta_min=st.floats(-0.1, 2.0)
    ),
    "SWALR": drawn(
        swa_lr=st.floats(0, 1),
        anneal_epochs=iters,
        anneal_strategy=st.sampled_from(["cos", "linear"]),
    ),
    "CyclicLR": drawn(
        base_lr=st.floats(1e-4, 1),
        max_lr=st.floats(1e-4, 1),
        step_size_up=epochs | st.floats(1, 100),
        step_size_down=iters | st.floats(1, 100),
        mode=st.sampled_from(["triangular", "triangular2", "exp_range"]),
        gamma=st.floats(0.99, 1.0),
        base_momentum=st.floats(0.5, 0.8),
        max_momentum=st.floats(0.8, 0.99),
    ),
    "OneCycleLR": drawn(
        max_lr=st.floats(1e-3, 1.0),
        total_steps=st.just(STEPS),
        pct_start=(st.floats(0.05, 0.45) | st.floats(0, 1)).filter(lambda p: p * STEPS != 1),
        anneal_strategy=st.sampled_from(["cos", "linear"]),
        three_phase=st.booleans(),
        div_factor=st.floats(2, 50),
        final_div_factor=st.floats(2, 1e4),
    ),
    "LambdaLR": drawn(lr_lambda=st.sampled_from([lambda t: 0.99**t, lambda t: 1 / (1 + t)])),
    "MultiplicativeLR": drawn(
        lr_lambda=st.sampled_from([lambda t: 0.99, lambda t: 1.01 if t % 7 else 0.9])
    ),
    "SequentialLR": st.tuples(
        st.lists(MEMBERS, min_size=3, max_size=3),
        st.lists(st.integers(1, 900), min_size=2, max_size=2, unique=True).map(sorted),
    ).map(lambda drawn: {"schedulers": drawn[0], "milestones": drawn[1]}),
    "ChainedScheduler": st.lists(MEMBERS, min_size=1, max_size=4).map(
        lambda members: {"schedulers": members}
    ),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), rate=base)
def test_the_curve_is_pytorchs(name, data, rate):
    check(name, rate, data.draw(CASES[name]))


@settings(max_examples=100, deadline=None)
@given(
    rate=base,
    metrics=st.lists(st.floats(-2, 2), min_size=20, max_size=120),
    params=drawn(
        mode=st.sampled_from(["min", "max"]),
        factor=st.floats(0.1, 0.9),
        patience=st.integers(0, 5),
        threshold=st.floats(0, 0.1),
        threshold_mode=st.sampled_from(["rel", "abs"]),
        cooldown=st.integers(0, 5),
        min_lr=st.floats(0, 1e-2),
        eps=st.floats(0, 1e-3),
    ),
)
def test_plateau_is_pytorchs(rate, metrics, params):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **params)
    rates = [rate]
    for metric in metrics:
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    ours = callbacks.ReduceLROnPlateau(learning_rate=rate, **params).replay(metrics)
    np.testing.assert_allclose(ours["learning_rate"], rates, rtol=1e-12)


def test_every_scheme_of_pytorch_is_here():
    theirs = {
        name
        for name, value in vars(torch.optim.lr_scheduler).items()
        if isinstance(value, type)
        and issubclass(value, torch.optim.lr_scheduler.LRScheduler)
        and name not in ("LRScheduler", "_LRScheduler")
    }
    assert theirs - set(callbacks.SCHEMES.values()) == set()
    assert set(CASES) | {"ReduceLROnPlateau"} == theirs | {"ReduceLROnPlateau", "SWALR"}


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**33),
    begin=st.integers(0, 30),
    length=st.none() | st.integers(0, 30),
    limit=st.floats(0.1, 1),
    deviation=st.floats(0, 1),
)
def test_noise_is_what_timm_draws_from_pytorchs_generator(seed, begin, length, limit, deviation):
    def noise(step):
        if not begin <= step < (np.inf if length is None else begin + length):
            return 0.0
        generator = torch.Generator()
        generator.manual_seed(seed + step)
        while True:
            drawn = torch.randn(1, generator=generator).item() * deviation
            if abs(drawn) < limit:
                return drawn

    scheme = callbacks.NoisyLR(
        callbacks.StepLR(20, learning_rate=0.5),
        noise_range_t=begin if length is None else (begin, begin + length),
        noise_pct=limit,
        noise_std=deviation,
        noise_seed=seed,
    )
    expected = [scheme.scheduler.value(step) * (1 + noise(step)) for step in range(50)]
    assert [scheme.value(step) for step in range(50)] == expected
