"""The picture of a scheme's curve."""

from dataclasses import MISSING, Field, fields
from typing import Any

import pandas as pd


def described(scheme: Any) -> str:
    """A scheme as it was made, without the parameters that are as by default.

    Example:
        >>> import callbacks
        >>> described(callbacks.Warmup(callbacks.StepLR(30, gamma=0.1), steps=5, start=0.5))
        'Warmup(StepLR(30), 5, start=0.5)'
    """
    texts = []
    for parameter in sorted(fields(scheme), key=lambda one: bool(one.kw_only)):
        value = getattr(scheme, parameter.name)
        if parameter.default is MISSING:
            texts.append(_in_words(value))
        elif value != _usual(scheme, parameter):
            texts.append(f"{parameter.name}={_in_words(value)}")
    return f"{type(scheme).__name__}({', '.join(texts)})"


def _usual(scheme: Any, parameter: Field) -> Any:
    """A parameter's default; of the unit of a scheme of schemes, the first member's."""
    members = getattr(scheme, "members", None)
    return members[0].per if members and parameter.name == "per" else parameter.default


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_words, value))}]"
    if hasattr(type(value), "__dataclass_fields__"):
        return described(value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _told_apart(label: str, others: list[str]) -> str:
    """The label with a number, where others have it: of functions only the name is known.

    Example:
        >>> _told_apart("LambdaLR(<lambda>)", ["LambdaLR(<lambda>)", "StepLR(3)"])
        'LambdaLR(<lambda>) (2)'
    """
    count = sum(other == label or other.startswith(f"{label} (") for other in others)
    return f"{label} ({count + 1})" if count else label


def draw(table: pd.DataFrame, label: str, ax: Any = None) -> Any:
    """Draw a curve, with its momentum against an axis at the right.

    Args:
        table: of `LearningRateDecay.to_frame`.
        label: for the legend; with a number where another curve there has the same.
        ax: matplotlib axes, on which there may be other curves; new ones by default.

    Returns:
        The axes.
    """
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.figure(figsize=(6, 3), layout="constrained").gca()
    unit = table.columns[0]
    label = _told_apart(label, [str(other.get_label()) for other in ax.lines])
    (line,) = ax.plot(table[unit], table["learning_rate"], label=label)
    units = [*(ax.get_xlabel().split(" or ") if ax.get_xlabel() else []), unit]
    ax.set(xlabel=" or ".join(dict.fromkeys(units)), ylabel="learning rate")
    right = [one for one in ax.get_shared_x_axes().get_siblings(ax) if one is not ax]
    if "momentum" in table:
        beside = right[0] if right else ax.twinx()
        beside.set_ylabel("momentum")
        beside.plot(
            table[unit],
            table["momentum"].astype(float),
            linestyle=":",
            color=line.get_color(),
            label=f"{label}: momentum",
        )
        right = [beside]
    ax.legend(handles=[line for one in (ax, *right) for line in one.lines], fontsize="small")
    return ax
