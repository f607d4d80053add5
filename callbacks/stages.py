"""Schemes in stages: up, a while at the top, and down."""

import math
from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Literal, final

from .base import LearningRateDecay, scheme
from .forms import DECAYS, cosine, half_cosine, polynomial, share
from .rules import Count, Finite, NotNegative, NotZero, Positive, Share, Unit, listed
from .spans import SHARES, total

RISES = {
    "linear": lambda fraction: fraction,
    "cosine": lambda fraction: half_cosine(1 - fraction),
    "1-sqrt": lambda fraction: 1 - math.sqrt(1 - fraction),
}


@final
@scheme
class WSDSchedule(LearningRateDecay):
    """Warm-up, a stable phase at the base rate, and a decay, after which the least rate stays.

    Args:
        num_warmup_steps: steps of the way up, from the least rate; a float below 1 is a share of
            the training.
        num_decay_steps: steps of the way down, or such a share.
        num_training_steps: steps of all three, by default those of the training; the stable phase
            has what the others leave.
        num_stable_steps: steps of the stable phase; or give `num_training_steps`.
        warmup_type: "linear", "cosine" or "1-sqrt".
        decay_type: the same.
        min_lr_ratio: the least rate as a share of the base rate.
        num_cycles: waves of a decay by cosine; a half goes down once.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `transformers.get_wsd_schedule`, there "warmup_stable_decay"; arXiv 2404.06395.

    Example:
        >>> scheme = WSDSchedule(10, 10, num_stable_steps=20, learning_rate=1.0)
        >>> [scheme.value(step) for step in (5, 10, 29, 35, 40)]
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    num_warmup_steps: NotNegative = field(metadata=SHARES)
    num_decay_steps: NotNegative = field(metadata=SHARES)
    num_training_steps: NotNegative = total(unless=lambda s: s.num_stable_steps is not None)
    num_stable_steps: Finite | None = None
    warmup_type: Literal["linear", "cosine", "1-sqrt"] = "linear"
    decay_type: Literal["linear", "cosine", "1-sqrt"] = "cosine"
    min_lr_ratio: Finite = 0.0
    num_cycles: Finite = 0.5
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        decayed = step - self.num_warmup_steps - self._stable
        if step < self.num_warmup_steps:
            return self._above_least(RISES[self.warmup_type](step / max(1, self.num_warmup_steps)))
        if decayed < 0:
            return self.base
        if decayed >= self.num_decay_steps:
            return self.base * self.min_lr_ratio
        fraction = decayed / max(1, self.num_decay_steps)
        waves = 2 * self.num_cycles if self.decay_type == "cosine" else 1
        return self._above_least(DECAYS[self.decay_type](waves * fraction))

    @property
    def ends(self) -> float | None:
        """The step of the least rate."""
        stages = self.num_warmup_steps, self._stable, self.num_decay_steps
        return None if self.takes_from_fit else sum(stages)

    def _above_least(self, factor: float) -> float:
        return self.base * max(0.0, factor * (1 - self.min_lr_ratio) + self.min_lr_ratio)

    @property
    def _stable(self) -> float:
        if self.num_stable_steps is not None:
            return self.num_stable_steps
        assert self.num_training_steps is not None
        return self.num_training_steps - self.num_warmup_steps - self.num_decay_steps


@final
@scheme
class TriStageLRSchedule(LearningRateDecay):
    """A straight line up to the base rate, a while there, and an exponential decay.

    Args:
        warmup_steps: steps of the way up; a float below 1 is a share of the training.
        hold_steps: steps at the base rate, or such a share.
        decay_steps: steps of the way down, or such a share.
        phase_ratio: the shares of the three in `max_update`, instead of their steps.
        init_lr_scale: where it starts, as a share of the base rate.
        final_lr_scale: where it ends and stays, as a share of the base rate.
        max_update: steps of all three, with `phase_ratio`; those of the training by default.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `fairseq.optim.lr_scheduler.tri_stage_lr_scheduler`, there "tri_stage"; arXiv 1904.08779.

    Example:
        >>> scheme = TriStageLRSchedule(10, 10, 20, final_lr_scale=0.25, learning_rate=1.0)
        >>> [round(scheme.value(step), 6) for step in (0, 10, 20, 30, 40)]
        [0.01, 1.0, 1.0, 0.5, 0.25]
    """

    warmup_steps: NotNegative = field(default=0, metadata=SHARES)
    hold_steps: NotNegative = field(default=0, metadata=SHARES)
    decay_steps: NotNegative = field(default=0, metadata=SHARES)
    phase_ratio: (
        Annotated[
            Sequence[float],
            listed(
                "that are three and add up to 1", lambda v: len(v) == 3 and math.isclose(sum(v), 1)
            ),
        ]
        | None
    ) = None
    init_lr_scale: Finite = 0.01
    final_lr_scale: Positive = 0.01
    max_update: Count = total(unless=lambda s: s.phase_ratio is None)
    per: Unit = field(default="step", kw_only=True)

    def check_lengths(self) -> None:
        """There are steps to fall in."""
        self._require("decay_steps", self._phases[2] > 0, "above 0")

    @property
    def ends(self) -> float | None:
        """The step of the last rate."""
        return None if self.takes_from_fit else sum(self._phases)

    @property
    def _phases(self) -> Sequence[float]:
        if self.phase_ratio is None:
            return self.warmup_steps, self.hold_steps, self.decay_steps
        return [int((self.max_update or 0) * ratio) for ratio in self.phase_ratio]

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        warm, hold, decay = self._phases
        if step < warm:
            return self.base * polynomial(self.init_lr_scale, 1.0, step / warm)
        decayed = share(max(0, step - warm - hold), decay)
        return self.base * self.final_lr_scale**decayed


@final
@scheme
class FlatCosine(LearningRateDecay):
    """The base rate for most of the training, then half a cosine to nearly nothing.

    Args:
        total_steps: steps to the end; those of the training by default.
        pct_start: the share of them at the base rate.
        div_final: the end is the base rate divided by this.
        learning_rate: base rate; the optimizer's by default.
        per: "step" (default) or "epoch".

    Source:
        `fastai.callback.schedule.Learner.fit_flat_cos`.

    Example:
        >>> scheme = FlatCosine(100, pct_start=0.5, div_final=4.0, learning_rate=1.0)
        >>> scheme.value(50), scheme.value(75), scheme.value(100)
        (1.0, 0.625, 0.25)
    """

    total_steps: Positive = total()
    pct_start: Share = 0.75
    div_final: NotZero = 1e5
    per: Unit = field(default="step", kw_only=True)

    def value(self, step: int) -> float:
        """The rate after `step` steps."""
        flat = self.pct_start * self.total_steps
        if step < flat:
            return self.base
        fraction = share(step - flat, self.total_steps - flat)
        return cosine(self.base, self.base / self.div_final, fraction)
