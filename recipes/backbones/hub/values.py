"""What a value of an architecture may be: every number within bounds, every text from a list.

The values come from files that may be anybody's.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recipes.lookup import unknown

MOST = 65_536  # of a width, a depth, a side
MOST_ITEMS = 512
MOST_LETTERS = 80


@dataclass(frozen=True)
class Kind:
    """What a value may be.

    Attributes:
        fits: whether a value is allowed.
        text: what is allowed, in words.
    """

    fits: Callable[[Any], bool]
    text: str

    def __or__(self, other: "Kind") -> "Kind":
        return Kind(lambda v: self.fits(v) or other.fits(v), f"{self.text}, or {other.text}")


def one_of(*texts: str) -> Kind:
    """One of some texts."""
    return Kind(lambda v: isinstance(v, str) and v in texts, "one of " + ", ".join(texts))


def many(kind: Kind) -> Kind:
    """A list of values of a kind."""

    def fits(value) -> bool:
        listed = isinstance(value, list | tuple) and 1 <= len(value) <= MOST_ITEMS
        return listed and all(map(kind.fits, value))

    return Kind(fits, f"a list of at most {MOST_ITEMS} items, each {kind.text}")


def _whole(value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST


def _number(value) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value) and abs(value) <= 1e6


COUNT = Kind(lambda v: _whole(v, 1), f"a whole number from 1 to {MOST:,}")
WHOLE = Kind(lambda v: _whole(v, 0), f"a whole number from 0 to {MOST:,}")
ANY_WHOLE = Kind(lambda v: _whole(v, -MOST), f"a whole number from -{MOST:,} to {MOST:,}")
SHARE = Kind(lambda v: _number(v) and 0 <= v < 1, "a share from 0 to below 1")
NUMBER = Kind(_number, "a number of at most a million")
TRUTH = Kind(lambda v: isinstance(v, bool), "true or false")
NONE = Kind(lambda v: v is None, "null")
ACTIVATION = one_of(
    *("relu", "relu6", "leaky_relu", "gelu", "gelu_approximate", "quick_gelu", "silu", "swish"),
    *("hard_swish", "hard_silu", "hard_sigmoid", "sigmoid", "tanh", "elu", "selu", "mish"),
    *("linear", "none"),
)
SHAPE = Kind(
    lambda v: (
        isinstance(v, list | tuple)
        and len(v) == 3
        and all(side is None or _whole(side, 1) for side in v[:2])
        and (v[0] is None) == (v[1] is None)
        and v[2] == 3
    ),
    "(height, width, 3)",
)
CHANNELS_LAST = NONE | one_of("channels_last")
COUNTS, WHOLES, NUMBERS, TRUTHS = many(COUNT), many(WHOLE), many(NUMBER), many(TRUTH)
SIDES = COUNT | COUNTS


def checked(values: Any, kinds: Mapping[str, Kind], where: str, optional=()) -> dict:
    """The values, of which each is known and allowed.

    Args:
        values: by name.
        kinds: what each may be.
        where: whose values they are: an error's text begins with it.
        optional: the names of those that may be missing.

    Raises:
        ValueError: one is unknown, missing, or not allowed.

    Example:
        >>> checked({"depth": 10**9}, {"depth": COUNT}, "config.json")
        Traceback (most recent call last):
        ValueError: config.json: depth: 1000000000 is not a whole number from 1 to 65,536.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: {shown(values)} is not a JSON object.")
    for name in values:
        if name not in kinds:
            raise ValueError(f"{where}: {unknown('key', shown(name, quoted=False), kinds)}")
    for name, kind in kinds.items():
        if name not in values:
            if name in optional:
                continue
            raise ValueError(f"{where}: {name} is missing.")
        if not kind.fits(values[name]):
            raise ValueError(f"{where}: {name}: {shown(values[name])} is not {kind.text}.")
    return {name: _plain(value) for name, value in values.items()}


def shown(value: Any, *, quoted: bool = True) -> str:
    """A value in an error's text, cut where it is long."""
    text = repr(value) if quoted else str(value)
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…"


def _plain(value):
    """Lists for tuples, as JSON has them."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
