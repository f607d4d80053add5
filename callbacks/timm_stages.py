"""timm's schemes in steps and in stages, with a warm-up before them and with noise."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import field
from typing import Annotated, Literal, final

from .base import scheme
from .forms import DECAYS, share
from .rules import Finite, NotNegative, Numbers, Positive, Rule, number
from .spans import SHARES, is_share, total
from .timm import Lasting, TimmScheduler


@final
@scheme
class StepLRScheduler(TimmScheduler):
    """`base * decay_rate ** (t // decay_t)`, with a warm-up and noise.

    Args:
        decay_t: length between two cuts.
        decay_rate: the factor of a cut.
        warmup_prefix: whether the time is counted from the end of the warm-up.
        warmup_t: length of a straight line to the base rate; 0 has none, and a float below 1 is a
            share of the training.
        warmup_lr_init: where that line starts.
        noise_range_t: where the rate has noise; this and what follows is as in `NoisyLR`.
        noise_pct: its limit.
        noise_std: its standard deviation.
        noise_seed: its seed.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `timm.scheduler.StepLRScheduler`.

    Example:
        >>> scheme = StepLRScheduler(10, 0.5, warmup_t=4, learning_rate=1.0)
        >>> scheme.value(1), scheme.value(13), scheme.value(14)
        (0.25, 1.0, 0.5)
    """

    decay_t: Positive
    decay_rate: Finite = 1.0
    warmup_prefix: bool = field(default=True, kw_only=True)

    @property
    def after_warmup(self) -> bool:
        """As `warmup_prefix` says."""
        return self.warmup_prefix

    def curve(self, step: float) -> float:
        """The rate without warm-up and noise."""
        return self.base * self.decay_rate ** (step // self.decay_t)


@final
@scheme
class MultiStepLRScheduler(TimmScheduler):
    """`base * decay_rate ** (milestones reached)`, each one epoch before its number.

    Args:
        decay_t: the milestones, ascending; one of m cuts at m - 1, as timm's always did. Floats
            below 1 are shares of the training.
        decay_rate: the factor of a cut.
        warmup_prefix: whether the time is counted from the end of the warm-up.
        warmup_t: length of a straight line to the base rate; 0 has none, and a float below 1 is a
            share of the training.
        warmup_lr_init: where that line starts.
        noise_range_t: where the rate has noise; this and what follows is as in `NoisyLR`.
        noise_pct: its limit.
        noise_std: its standard deviation.
        noise_seed: its seed.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `timm.scheduler.MultiStepLRScheduler`.

    Example:
        >>> scheme = MultiStepLRScheduler([30, 80], 0.5, learning_rate=1.0)
        >>> scheme.value(28), scheme.value(29), scheme.value(79)
        (1.0, 0.5, 0.25)
    """

    decay_t: Numbers = field(metadata=SHARES)
    decay_rate: Finite = 1.0
    warmup_prefix: bool = field(default=True, kw_only=True)

    def check_lengths(self) -> None:
        """Milestones ascend."""
        ascending = list(self.decay_t) == sorted(self.decay_t)
        self._require("decay_t", ascending, "a list of numbers ascending")

    @property
    def after_warmup(self) -> bool:
        """As `warmup_prefix` says."""
        return self.warmup_prefix

    def curve(self, step: float) -> float:
        """The rate without warm-up and noise."""
        return self.base * self.decay_rate ** bisect_right(self.decay_t, step + 1)


BETWEEN = number("between 0 and 1", lambda v: 0 < v < 1)
SHAPE = Rule(
    lambda v: callable(v) or v in (*DECAYS, "power", "exp"),
    f"one of {', '.join([*DECAYS, 'power', 'exp'])}, or a function of a fraction",
)


@final
@scheme
class WSDLRScheduler(Lasting):
    """Warm-up, a stable phase, and a decay to `lr_min`.

    Args:
        t_initial: length of the stable phase and the decay together, after the warm-up; by default
            what that leaves of the training.
        decay_t: length of the decay, at most `t_initial`; a float below 1 is a share of that.
        lr_min: the rate at the end, and after it.
        stable_fn: "constant"; "rsqrt" falls as `(1 + t / stable_timescale) ** -0.5`; "power" with
            `-stable_power` as the exponent. It goes on falling through the decay.
        stable_timescale: for "rsqrt" and "power"; `warmup_t` by default.
        stable_power: for "power".
        decay_fn: of the fraction x of the decay, "1-sqrt" (`1 - sqrt(x)`), "linear", "cosine",
            "power" (`1 - x**decay_power`), "exp" (down to the share `decay_ratio`, stretched to
            reach `lr_min`), or a function of one's own from 1 to 0.
        decay_power: for "power".
        decay_ratio: for "exp".
        warmup_t: length of a straight line to the base rate; 0 has none, and a float below 1 is a
            share of the training.
        warmup_lr_init: where that line starts.
        noise_range_t: where the rate has noise; this and what follows is as in `NoisyLR`.
        noise_pct: its limit.
        noise_std: its standard deviation.
        noise_seed: its seed.
        learning_rate: base rate; the optimizer's by default.
        per: "epoch" (default) or "step".

    Source:
        `timm.scheduler.wsd_lr.WSDLRScheduler`; arXiv 2404.06395, 2405.18392, 2106.04560,
        2408.13359.

    Example:
        >>> scheme = WSDLRScheduler(20, decay_t=8, warmup_t=4, learning_rate=1.0)
        >>> [scheme.value(t) for t in (0, 2, 4, 16, 18, 24)]
        [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """

    t_initial: Positive = total()
    decay_t: Positive = 0.2  # as timm's `create_scheduler_v2` has it
    lr_min: NotNegative = 0.0
    stable_fn: Literal["constant", "rsqrt", "power"] = "constant"
    stable_timescale: Positive | None = None
    stable_power: Positive = 0.5
    decay_fn: Annotated[str | Callable[[float], float], SHAPE] = "1-sqrt"
    decay_power: Positive = 0.5
    decay_ratio: Annotated[float, BETWEEN] = 0.1

    def __post_init__(self):
        super().__post_init__()
        timed = self.stable_fn == "constant" or bool(self.stable_timescale or self.warmup_t)
        self._require("stable_timescale", timed, "given, and there is no warmup_t to take")

    def check_lengths(self) -> None:
        """The decay is at most all."""
        self._require("decay_t", self._falling <= self.t_initial, "at most t_initial")

    @property
    def ends(self) -> float | None:
        """The step of the least rate."""
        return None if self.takes_from_fit else self.warmup_t + self.t_initial

    @property
    def _falling(self) -> float:
        """The steps of the decay."""
        short = is_share(self.decay_t)
        return max(1, round(self.decay_t * self.t_initial)) if short else self.decay_t

    def curve(self, step: float) -> float:
        """The rate without warm-up and noise."""
        stable = max(self.base * self._stable(step), self.lr_min)
        decaying = step - (self.t_initial - self._falling)
        left = self._decay(share(decaying, self._falling)) if decaying > 0 else 1.0
        return self.lr_min + (stable - self.lr_min) * left

    def _stable(self, step: float) -> float:
        if self.stable_fn == "constant":
            return 1.0
        power = 0.5 if self.stable_fn == "rsqrt" else self.stable_power
        return (1 + step / (self.stable_timescale or self.warmup_t)) ** -power

    def _decay(self, fraction: float) -> float:
        if callable(self.decay_fn):
            return self.decay_fn(fraction)
        if self.decay_fn == "power":
            return 1 - fraction**self.decay_power
        if self.decay_fn == "exp":
            return (self.decay_ratio**fraction - self.decay_ratio) / (1 - self.decay_ratio)
        return DECAYS[self.decay_fn](fraction)
