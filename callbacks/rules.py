"""What a parameter may be, said where it stands: `decay_steps: Count`, `per: Unit`.

A number's rule is a note in its annotation, a choice of words is a `Literal`. Rules that several
parameters share have their names here; one that a single parameter has stands beside it.
"""

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias, final, get_args, get_origin


@final
@dataclass(frozen=True)
class Rule:
    """What a value must be.

    Args:
        fits: whether a value is that.
        text: what it must be, as the end of "… is not …".

    Example:
        >>> Rule(lambda value: value in (2, 3, 5, 7), "a prime number below 10")
        Rule(text='a prime number below 10')
    """

    fits: Callable[[Any], bool] = field(repr=False)
    text: str


def number(text: str, fits: Callable[[Any], bool]) -> Rule:
    """The rule that a value is a finite number, and which ones fit.

    Example:
        >>> rule = number("above 0", lambda value: value > 0)
        >>> rule, rule.fits(0.5), rule.fits("fast")
        (Rule(text='a number above 0'), True, False)
    """

    def holds(value) -> bool:
        finite = isinstance(value, numbers.Real) and math.isfinite(value) and value is not True
        return finite and fits(value)

    return Rule(holds, f"a number {text}")


def whole(text: str, fits: Callable[[Any], bool]) -> Rule:
    """The rule that a value is a whole number, of any integer type, and which ones fit.

    Example:
        >>> rule = whole("from 1 up", lambda value: value >= 1)
        >>> rule, rule.fits(3), rule.fits(3.0)
        (Rule(text='a whole number from 1 up'), True, False)
    """

    def holds(value) -> bool:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool) and fits(value)

    return Rule(holds, f"a whole number {text}")


def listed(text: str, fits: Callable[[Any], bool]) -> Rule:
    """The rule that a value is a list of finite numbers, and which lists fit.

    Example:
        >>> rule = listed("above 0", lambda values: min(values, default=1) > 0)
        >>> rule, rule.fits([2, 0.5]), rule.fits([0]), rule.fits(2)
        (Rule(text='a list of numbers above 0'), True, False, False)
    """
    each = number("", lambda v: True)

    def holds(value) -> bool:
        several = isinstance(value, Sequence) and not isinstance(value, str)
        return several and all(each.fits(item) for item in value) and fits(value)

    return Rule(holds, f"a list of numbers {text}".rstrip())


SWITCH = Rule(lambda v: isinstance(v, numbers.Integral) and v in (0, 1), "True or False")
Finite: TypeAlias = Annotated[float, number("that is finite", lambda v: True)]
NotZero: TypeAlias = Annotated[float, number("other than 0", lambda v: v != 0)]
Positive: TypeAlias = Annotated[float, number("above 0", lambda v: v > 0)]
NotNegative: TypeAlias = Annotated[float, number("from 0 up", lambda v: v >= 0)]
Share: TypeAlias = Annotated[float, number("from 0 to 1", lambda v: 0 <= v <= 1)]
Count: TypeAlias = Annotated[int, whole("from 1 up", lambda v: v >= 1)]
CountOrZero: TypeAlias = Annotated[int, whole("from 0 up", lambda v: v >= 0)]
Numbers: TypeAlias = Annotated[Sequence[float], listed("", lambda v: True)]
OfStep: TypeAlias = Annotated[Callable[[int], float], Rule(callable, "a function of the step")]
# Told by what it does: nothing here imports Keras.
Led: TypeAlias = Annotated[
    Any,
    Rule(
        lambda v: isinstance(v, str) or (hasattr(v, "apply") and hasattr(v, "variables")),
        "an optimizer, or the name of one of the model's",
    ),
]
Unit: TypeAlias = Literal["step", "epoch"]


def rule_of(annotation) -> Rule | None:
    """The rule that stands in an annotation, alone or beside None; that of a switch for `bool`.

    Example:
        >>> rule_of(Count), rule_of(Share | None), rule_of(int)
        (Rule(text='a whole number from 1 up'), Rule(text='a number from 0 to 1'), None)
    """
    if annotation is bool:
        return SWITCH
    for part in (annotation, *get_args(annotation)):
        for note in getattr(part, "__metadata__", ()):
            if isinstance(note, Rule):
                return note
    return None


def words_of(annotation) -> tuple[str, ...]:
    """The words among which a `Literal` lets one choose, alone or beside None.

    Example:
        >>> words_of(Unit), words_of(Unit | None), words_of(str)
        (('step', 'epoch'), ('step', 'epoch'), ())
    """
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is Literal:
            return get_args(part)
    return ()
