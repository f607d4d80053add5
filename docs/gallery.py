"""Draw every scheme into `docs/gallery` and write `docs/gallery.md`: `make gallery`."""

import os
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import callbacks  # isort: skip  # first: it keeps Keras' import quiet

import matplotlib
from matplotlib.figure import Figure

PAGE, FOLDER = Path(__file__).with_name("gallery.md"), Path(__file__).with_name("gallery")
STEPS = 120
LOSSES = [2.3, 1.9, 1.6, 1.5] + [1.5] * 20 + [1.2, 1.0] + [1.0] * (STEPS - 27)
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "gallery", "path.simplify_threshold": 0.2}
TITLE = """\
# Every scheme, and the line that makes it

Written by `make gallery`. Each curve has 120 steps or epochs and a base rate of 0.1. In a training
the base rate is the optimizer's where a scheme is not given one, so `learning_rate=0.1` may be left
out where it stands by its name. [Who has each, and how ours differs](schemes.md).
"""
# By family, in the order of the page; `losses` stand for a metric.
LINES: dict[str, Sequence[str]] = {
    "TensorFlow and Keras": (
        "PiecewiseConstantDecay([30, 60, 90], [0.1, 0.05, 0.02, 0.01])",
        "ExponentialDecay(0.1, 20, 0.6)",
        "ExponentialDecay(0.1, 20, 0.6, staircase=True)",
        "NaturalExpDecay(0.1, 20, 0.6)",
        "InverseTimeDecay(0.1, 20, 0.6)",
        "PolynomialDecay(0.1, 100, 0.01, power=0.5)",
        "PolynomialDecay(0.1, 40, 0.01, power=0.5, cycle=True)",
        "CosineDecay(0.1, 100, alpha=0.1)",
        "CosineDecay(0.1, 100, exponent=2.0)",
        "CosineDecay(0.0, 100, warmup_target=0.1, warmup_steps=20)",
        "CosineDecayRestarts(0.1, 20, t_mul=1.5, m_mul=0.8)",
        "LinearCosineDecay(0.1, 110, num_periods=2.0)",
        "NoisyLinearCosineDecay(0.1, 110, initial_variance=0.05)",
    ),
    "PyTorch": (
        "StepLR(30, gamma=0.5, learning_rate=0.1)",
        "MultiStepLR([30, 80], gamma=0.3, learning_rate=0.1)",
        "ConstantLR(0.5, total_iters=40, learning_rate=0.1)",
        "LinearLR(1.0, 0.1, total_iters=100, learning_rate=0.1)",
        "ExponentialLR(0.97, learning_rate=0.1)",
        "PolynomialLR(100, power=2.0, learning_rate=0.1)",
        "CosineAnnealingLR(40, eta_min=0.02, learning_rate=0.1)",
        "CosineAnnealingWarmRestarts(15, T_mult=2, learning_rate=0.1)",
        'CyclicLR(0.01, 0.1, 20, mode="triangular2")',
        "OneCycleLR(0.1, total_steps=120)",
        "OneCycleLR(0.1, total_steps=120, pct_start=0.4, three_phase=True)",
        "SWALR(0.05, anneal_epochs=40, learning_rate=0.1)",
        "LambdaLR(lambda epoch: 1 / (1 + 0.1 * epoch), learning_rate=0.1)",
        "MultiplicativeLR(lambda epoch: 0.97, learning_rate=0.1)",
        "ReduceLROnPlateau(factor=0.5, patience=8, learning_rate=0.1).replay(losses)",
    ),
    "Schemes of schemes": (
        "SequentialLR([callbacks.ConstantLR(0.5, 99), callbacks.PolynomialLR(80)], [40], "
        "learning_rate=0.1)",
        "ChainedScheduler([callbacks.StepLR(30, 0.5), callbacks.ExponentialLR(0.99)], "
        "learning_rate=0.1)",
        "Warmup(callbacks.CosineDecay(0.1, 100), steps=20)",
        "NoisyLR(callbacks.StepLR(30, 0.5), noise_range_t=(20, 100), noise_std=0.1, "
        "learning_rate=0.1)",
    ),
    "Transformers": (
        "GreedyLR(factor=0.9, patience=3, learning_rate=0.1).replay(losses)",
        "ConstantSchedule(learning_rate=0.1)",
        "ConstantScheduleWithWarmup(30, learning_rate=0.1)",
        "LinearScheduleWithWarmup(30, 120, learning_rate=0.1)",
        "CosineScheduleWithWarmup(30, 120, min_lr_rate=0.1, learning_rate=0.1)",
        "CosineWithMinLRScheduleWithWarmupLRRate(30, 120, warmup_lr_rate=0.3, learning_rate=0.1)",
        "CosineWithHardRestartsScheduleWithWarmup(20, 120, num_cycles=2.5, learning_rate=0.1)",
        "PolynomialDecayScheduleWithWarmup(30, 120, power=2.0, learning_rate=0.1)",
        "InverseSqrtSchedule(20, learning_rate=0.1)",
        'WSDSchedule(20, 40, 120, decay_type="1-sqrt", learning_rate=0.1)',
    ),
    "timm": (
        "CosineLRScheduler(30, cycle_limit=4, cycle_decay=0.6, learning_rate=0.1)",
        "CosineLRScheduler(120, warmup_t=20, k_decay=2.0, learning_rate=0.1)",
        "TanhLRScheduler(110, warmup_t=10, learning_rate=0.1)",
        "PolyLRScheduler(20, power=2.0, cycle_mul=2.0, cycle_limit=2, learning_rate=0.1)",
        "StepLRScheduler(30, 0.5, warmup_t=10, learning_rate=0.1)",
        "MultiStepLRScheduler([40, 90], 0.3, noise_range_t=50, noise_std=0.1, learning_rate=0.1)",
        "WSDLRScheduler(100, 40, warmup_t=20, learning_rate=0.1)",
        'WSDLRScheduler(100, 40, warmup_t=20, stable_fn="rsqrt", learning_rate=0.1)',
    ),
    "optax, fastai and mmengine": (
        "ExponentialTransition(20, 0.5, transition_begin=20, end_value=0.01, learning_rate=0.1)",
        'PiecewiseInterpolate("cosine", {30: 0.3, 60: 2.0, 100: 0.1}, learning_rate=0.1)',
        "FlatCosine(120, pct_start=0.6, learning_rate=0.1)",
        "CosineRestartLR([30, 30, 60], [1, 0.5, 0.8], eta_min=0.01, learning_rate=0.1)",
    ),
    "fairseq": (
        "TriStageLRSchedule(20, 40, 60, learning_rate=0.1)",
        "TriangularLRSchedule(0.1, 40, lr_shrink=0.6, learning_rate=0.01)",
        "CosineLRSchedule(10, min_lr=0.01, t_mult=1.5, lr_period_updates=25, lr_shrink=0.6, "
        "learning_rate=0.1)",
    ),
    "Paddle, Caffe and Darknet": (
        "NoamDecay(512, warmup_steps=30)",
        "InvDecay(0.05, power=0.75, learning_rate=0.1)",
        "SigmoidDecay(-0.1, stepsize=60, learning_rate=0.1)",
        "RandomDecay(4.0, learning_rate=0.1)",
    ),
}


def rates(line: str):
    """The curve that a line makes."""
    made = eval(f"callbacks.{line}", {"callbacks": callbacks, "losses": LOSSES})
    table = made if hasattr(made, "columns") else made.to_frame(STEPS)
    return table["learning_rate"][:STEPS]


def name_of(line: str) -> str:
    """The class that a line begins with."""
    return line.split("(", 1)[0]


def files() -> dict[str, str]:
    """Each line's picture, by a name of its own."""
    count: dict[str, int] = {}
    found = {}
    for line in (line for lines in LINES.values() for line in lines):
        name = callbacks.registry.snake_case(name_of(line))
        count[name] = count.get(name, 0) + 1
        found[line] = f"{name}_{count[name]}.svg" if count[name] > 1 else f"{name}.svg"
    return found


def page() -> str:
    """The text of `gallery.md`."""
    pictures, parts = files(), [TITLE]
    for family, lines in LINES.items():
        rows = [f"| ![](gallery/{pictures[line]}) | `callbacks.{line}` |\n" for line in lines]
        parts.append(f"\n## {family}\n\n| | |\n|---|---|\n{''.join(rows)}")
    return "".join(parts)


def draw(line: str, path: Path) -> None:
    """The curve of a line as a small picture."""
    figure = Figure(figsize=(2.6, 1.3), layout="constrained")
    ax = figure.gca()
    curve = rates(line)
    ax.plot(range(len(curve)), curve, linewidth=1.2)
    ax.set_ylim(0, max(curve) * 1.05)
    ax.set_xticks([0, STEPS])
    ax.set_yticks([0, round(max(curve), 4)])
    ax.tick_params(labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)
    buffer = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    path.write_text(compact(buffer.getvalue()))


def compact(svg: str) -> str:
    """The picture in a third of the bytes: one font, tenths of a point, no indentation."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"font-family: [^;]*;", "font-family: sans-serif;", svg)
    svg = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


def main() -> None:
    """Write the page and its pictures."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    with matplotlib.rc_context(STYLE):
        for line, name in files().items():
            draw(line, FOLDER / name)
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
