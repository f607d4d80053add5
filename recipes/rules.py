"""What an option may be: rules that clean a value or refuse it by the option's name.

Free of Keras, so that the command line can use it.
"""

import math
import numbers
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

ClassWeights: TypeAlias = bool | tuple[float, ...] | tuple[tuple[str | int, float], ...] | None
GivenWeights: TypeAlias = ClassWeights | Iterable[float] | Mapping[Any, float]
AUTO = "auto"
_TIMES = {"": 1, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3_600, "d": 86_400}
_UNITS = {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


@dataclass(frozen=True)
class Rule:
    """What an option may be.

    Attributes:
        clean: turns what came into the value that is kept; a TypeError or ValueError refuses it.
        fits: whether that value is allowed.
        text: what is allowed, in words.
    """

    clean: Callable[[Any], Any]
    fits: Callable[[Any], bool]
    text: str

    def __call__(self, name: str, value: Any) -> Any:
        """The value that is kept.

        Raises:
            ValueError: it is not allowed; the text names the option.
        """
        try:
            cleaned = self.clean(value)
        except (KeyError, TypeError, ValueError):
            cleaned = None
        if cleaned is None or not self.fits(cleaned):
            raise ValueError(f"{name}: {value!r} is not {self.text}.")
        return cleaned


def _whole(value) -> int:
    if isinstance(value, bool):
        raise TypeError
    return operator.index(value)


def _whole_or_auto(value) -> int | str:
    return AUTO if isinstance(value, str) and value == AUTO else _whole(value)


def _number(value) -> float:
    if isinstance(value, bool | str) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _truth(value):
    return value.item() if hasattr(value, "item") else value  # NumPy's


def _text(value) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _path(value) -> str:
    return os.fspath(value)


def _colour(value) -> str:
    from PIL import ImageColor  # here, so that the command line's help need not wait for it

    ImageColor.getrgb(_text(value))
    return value


def _columns(value) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(map(_text, value))


def _weights(value) -> ClassWeights:
    """True, False, numbers as a tuple, or what a mapping has as pairs.

    Pairs can go into JSON and come back, where a mapping's places would become texts.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str | set | frozenset):
        raise TypeError
    items = tuple(value.items() if hasattr(value, "items") else value)
    if not any(isinstance(item, tuple | list) for item in items):
        return _some(tuple(map(_weight, items)))
    pairs = tuple((_key(key), _weight(weight)) for key, weight in items)
    _some(tuple(weight for _, weight in pairs))
    return pairs


def _some(weights: tuple[float, ...]) -> tuple[float, ...]:
    """The weights, refused where all are 0 or there are none."""
    if not any(weights):
        raise ValueError
    return weights


def _weight(value) -> float:
    weight = _number(value)
    if weight < 0:
        raise ValueError
    return weight


def _key(value) -> str | int:
    if isinstance(value, str):
        return str(value)
    place = _whole(value)
    if place < 0:
        raise ValueError
    return place


def size_in_bytes(value: int | str) -> int:
    """A size as a whole number of bytes.

    Args:
        value: bytes, or a number with a unit, of which 1,024 make the next: "512 MB", "2GB".

    Example:
        >>> size_in_bytes("2 GB") == size_in_bytes(2 << 30)
        True
    """
    if not isinstance(value, str):
        return _whole(value)
    found = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)B?\s*", value.upper())
    if found is None:
        raise ValueError(f"{value!r} is not a size.")
    number, unit = found.groups()
    return int(float(number) * _UNITS[unit and f"{unit}B"])


def size_in_words(size: int) -> str:
    """A number of bytes as `size_in_bytes` reads it.

    Example:
        >>> size_in_words(2 << 30)
        '2 GB'
    """
    unit = max(
        (unit for unit in _UNITS if size >= _UNITS[unit]), key=lambda unit: _UNITS[unit], default=""
    )
    return f"{size / _UNITS[unit]:g} {unit}".strip()


def time_in_seconds(value: float | str) -> float:
    """A time as a number of seconds.

    Args:
        value: seconds, or a number with a unit, or several: "90", "10min", "1h 30min".

    Example:
        >>> time_in_seconds("10min"), time_in_seconds("1h 30min")
        (600.0, 5400.0)
    """
    if not isinstance(value, str):
        return _number(value)
    parts = re.findall(r"([\d.]+)\s*([a-z]*)", value.lower())
    if not parts or re.sub(r"[\d.]+\s*[a-z]*", "", value.lower()).strip():
        raise ValueError(f"{value!r} is not a time.")
    names = {f"{unit}s": unit for unit in ("sec", "min")}
    long = {"second": "s", "minute": "min", "hour": "h", "day": "d"}
    names |= long | {f"{name}s": unit for name, unit in long.items()}
    return sum(float(number) * _TIMES[names.get(unit, unit)] for number, unit in parts)


def is_number(value) -> TypeGuard[float]:
    """Whether a value is a finite number.

    Example:
        >>> is_number(0.5), is_number(float("nan")), is_number(True), is_number("0.5")
        (True, False, False, False)
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)


COUNT = Rule(_whole, lambda value: value >= 1, "a whole number from 1 up")
COUNT_OR_AUTO = Rule(
    _whole_or_auto,
    lambda value: value == AUTO or value >= 1,
    f'a whole number from 1 up or "{AUTO}"',
)
WHOLE = Rule(_whole, lambda value: value >= 0, "a whole number from 0 up")
NUMBER = Rule(_number, lambda value: True, "a finite number")
AT_LEAST_0 = Rule(_number, lambda value: value >= 0, "a number from 0 up")
POSITIVE = Rule(_number, lambda value: value > 0, "a number above 0")
SHARE = Rule(_number, lambda value: 0 < value < 1, "a share between 0 and 1")
TEST_SHARE = Rule(_number, lambda value: 0 <= value < 1, "a share between 0 and 1, or 0 for none")
DROPOUT = Rule(_number, lambda value: 0 <= value < 1, "a share from 0 to below 1")
SIZE = Rule(size_in_bytes, lambda value: value >= 0, 'a number of bytes, such as "2 GB"')
TIME = Rule(time_in_seconds, lambda value: value > 0, 'a time above 0, such as "10min" or "2h"')
PATH = Rule(_path, lambda value: value.strip() != "", "a path that is not empty")
TRUTH = Rule(_truth, lambda value: isinstance(value, bool), "True or False")
WEIGHTS = Rule(
    _weights,
    lambda value: True,
    "True, False, a weight from 0 up for each class in order, or weights by a class's name or "
    "place",
)
TEXT = Rule(_text, lambda value: value != "", "a text")
COLOUR = Rule(_colour, bool, 'a colour, such as "black" or "#ff8000"')
COLUMNS = Rule(_columns, lambda value: len(value) > 0, "a column's name, or several")
ANY = Rule(lambda value: value, lambda value: True, "")
