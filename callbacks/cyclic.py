"""Schemes that go up and down between two rates, and may drive the momentum the other way."""

import math
from collections.abc import Callable
from dataclasses import field
from itertools import pairwise
from typing import Literal, final

from .base import LearningRateDecay, scheme
from .forms import cosine, polynomial
from .rules import Count, Finite, NotNegative, NotZero, OfStep, Positive, Share, Unit
from .spans import total

MODES: dict[str, tuple[str, Callable]] = {
    "triangular": ("cycle", lambda scheme, x: 1.0),
    "triangular2": ("cycle", lambda scheme, x: 1 / 2.0 ** (x - 1)),
    "exp_range": ("iterations", lambda scheme, x: scheme.gamma**x),
}
SHAPES = {"cos": cosine, "linear": polynomial}


@final
@scheme
class CyclicLR(LearningRateDecay):
    """Up from `base_lr` to `max_lr` in a straight line and down again, cycle after cycle.

    Args:
        base_lr: the lower rate.
        max_lr: the upper rate of the first cycle; below `base_lr` the cycles go down first.
        step_size_up: steps upward.
        step_size_down: steps downward; as many as upward by default. With 0 it jumps down.
        mode: "triangular"; "triangular2" halves the height each cycle; "exp_range" scales it by
            `gamma ** step`. Not used with `scale_fn`.
        gamma: for "exp_range".
        scale_fn: a scale of the height, as a function of the cycle (from 1) or of the step.
        scale_mode: what `scale_fn` is given, "cycle" or "iterations".
        cycle_momentum: whether the momentum goes from `max_momentum` down to `base_momentum`
            where the rate goes up. See `callbacks.CyclicMomentumSGD`.
        base_momentum: the lower momentum.
        max_momentum: the upper one.
        learning_rate: not used; `base_lr` is the base.
        per: "step" (default) or "epoch".

    Source:
        `torch.optim.lr_scheduler.CyclicLR`; arXiv 1506.01186.

    Example:
        >>> scheme = CyclicLR(0.0, 1.0, step_size_up=4, mode="triangular2")
        >>> scheme.value(2), scheme.value(4), scheme.value(12)
        (0.5, 1.0, 0.5)
    """

    base_lr: NotNegative
    max_lr: NotNegative
    step_size_up: Positive = 2000
    step_size_down: NotNegative | None = None
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: Finite = 1.0
    scale_fn: OfStep | None = None
    scale_mode: Literal["cycle", "iterations"] = "cycle"
    cycle_momentum: bool = True
    base_momentum: Share = 0.8
    max_momentum: Share = 0.9
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        return self.base_lr + (self.max_lr - self.base_lr) * self._height(step)

    @property
    def drives_momentum(self) -> bool:
        """As `cycle_momentum` says."""
        return self.cycle_momentum

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps."""
        if not self.cycle_momentum:
            return None
        return self.max_momentum - (self.max_momentum - self.base_momentum) * self._height(step)

    def _height(self, step: int) -> float:
        up = self.step_size_up
        down = up if self.step_size_down is None else self.step_size_down
        cycle = math.floor(step / (up + down)) + 1
        place = step - (cycle - 1) * (up + down)
        slope = place / up if place <= up else (up + down - place) / down
        if self.scale_fn is not None:
            return slope * self.scale_fn(cycle if self.scale_mode == "cycle" else step)
        mode, scale = MODES[self.mode]
        return slope * scale(self, cycle if mode == "cycle" else step)


@final
@scheme
class OneCycleLR(LearningRateDecay):
    """One way up to `max_lr`, and down to far below the start.

    Args:
        max_lr: the highest rate.
        total_steps: steps of the whole cycle, by default those of the training; or give `epochs`
            and `steps_per_epoch`.
        epochs: their product is `total_steps`, where that is not given.
        steps_per_epoch: goes with `epochs`.
        pct_start: the share of the cycle that goes up, its first step left out; so
            `pct_start * total_steps` cannot be 1.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether the momentum goes down where the rate goes up, and back.
        base_momentum: the lower momentum.
        max_momentum: the upper one.
        div_factor: the start is `max_lr / div_factor`.
        final_div_factor: the end is the start divided by this.
        three_phase: whether the way down first mirrors the way up, then goes on to the end.
        learning_rate: not used; `max_lr` decides.
        per: "step" (default) or "epoch".

    Raises:
        ValueError: at a step after the last: the cycle is over. (PyTorch goes on for one step
            beyond it, with a rate below the end, before it refuses.)

    Source:
        `torch.optim.lr_scheduler.OneCycleLR`; arXiv 1708.07120.

    Example:
        >>> scheme = OneCycleLR(1.0, total_steps=11, pct_start=0.5, div_factor=10)
        >>> round(scheme.value(0), 3), round(scheme.value(10), 6)
        (0.1, 1e-05)
    """

    max_lr: NotNegative
    total_steps: Count = total(unless=lambda s: s.epochs and s.steps_per_epoch)
    epochs: Count | None = None
    steps_per_epoch: Count | None = None
    pct_start: Share = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    cycle_momentum: bool = True
    base_momentum: Share = 0.85
    max_momentum: Share = 0.95
    div_factor: NotZero = 25.0
    final_div_factor: NotZero = 1e4
    three_phase: bool = False
    per: Unit = field(default="step", kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        alone = bool(self.epochs) != bool(self.steps_per_epoch) and "total_steps" in self._open
        self._require("epochs", not alone, f"given with steps_per_epoch {self.steps_per_epoch!r}")

    def check_lengths(self) -> None:
        """The way up has an end."""
        fits = self.pct_start * self._total != 1
        self._require("pct_start", fits, "a share other than one step of the cycle")

    @property
    def _total(self) -> int:
        return self.total_steps or (self.epochs or 0) * (self.steps_per_epoch or 0)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        start = self.max_lr / self.div_factor
        return self._at(step, (start, self.max_lr, start, start / self.final_div_factor))

    @property
    def drives_momentum(self) -> bool:
        """As `cycle_momentum` says."""
        return self.cycle_momentum

    def momentum(self, step: int) -> float | None:
        """The momentum after `step` steps."""
        if not self.cycle_momentum:
            return None
        low, high = self.base_momentum, self.max_momentum
        return self._at(step, (high, low, high, high))

    def _at(self, step: int, corners: tuple) -> float:
        """Between the corners: start, top, (start again in three phases,) end."""
        last, top = self._total - 1, self.pct_start * self._total - 1
        if step > last:
            raise ValueError(
                f"OneCycleLR: the cycle has {self._total} steps and step {step} is beyond it. "
                "Give the total_steps of the whole training."
            )
        ends = [0, top, 2 * top, last] if self.three_phase else [0, top, last]
        corners = corners if self.three_phase else (*corners[:2], corners[3])
        phases = enumerate(pairwise(ends))
        phase, (start, end) = next(pair for pair in phases if step <= pair[1][1])
        fraction = (step - start) / (end - start)
        return SHAPES[self.anneal_strategy](corners[phase], corners[phase + 1], fraction)
