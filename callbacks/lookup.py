"""Names to objects, with errors that say what is allowed and what was probably meant.

Standard library only, so that the command line can use it before Keras is imported.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

Found = TypeVar("Found")
MOST_LISTED, LIKE_IT = 100, 8  # names in an error; of more than that, so many that are like it


def nearest(name: object, allowed: Iterable[str]) -> str | None:
    """The allowed name that `name` most resembles, or None where none comes near.

    Example:
        >>> nearest("cosine_decya", ["cosine_decay", "step_lr"])
        'cosine_decay'
    """
    by_lower = {allowed_name.lower(): allowed_name for allowed_name in allowed}
    matches = get_close_matches(str(name).lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def unknown(what: str, name: object, allowed: Iterable[str]) -> ValueError:
    """The error for a name that is not among the allowed ones.

    Args:
        what: the argument or kind of thing, as the user knows it.
        name: what came.
        allowed: every allowed name.

    Example:
        >>> print(unknown("activation", "rleu", ["relu", "tanh"]))
        Unknown activation: 'rleu'. Did you mean 'relu'? Allowed: relu, tanh.
    """
    allowed = sorted(allowed)
    match = nearest(name, allowed)
    hint = f" Did you mean {match!r}?" if match else ""
    listed = f"Allowed: {', '.join(allowed)}."
    if len(allowed) > MOST_LISTED:
        like = get_close_matches(str(name), allowed, n=LIKE_IT, cutoff=0)
        listed = f"Allowed are {len(allowed):,}, among them {', '.join(like)}."
    return ValueError(f"Unknown {what}: {name!r}.{hint} {listed}")


def find(name: object, table: Mapping[str, Found], what: str) -> Found:
    """What `table` holds under `name`.

    Args:
        name: a key of the table.
        table: names and what they stand for.
        what: the argument or kind of thing, for the error's text.

    Raises:
        ValueError: the name is unknown; the text lists those allowed and the nearest.

    Example:
        >>> find("relu", {"relu": 1, "tanh": 2}, what="activation")
        1
    """
    if isinstance(name, str) and name in table:
        return table[name]
    raise unknown(what, name, table)
