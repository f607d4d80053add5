"""What an option is: a field with a default, a check and a help, in a group that checks it.

Free of Keras, so that the command line can print its help from it.
"""

from collections.abc import Iterable
from dataclasses import Field, dataclass, field, fields
from typing import Any, Self

from recipes.lookup import find, unknown
from recipes.rules import SIZE, Rule, size_in_words


def option(default, rule, help: str, *, unless: str | None = None):
    """A field of settings.

    Args:
        default: None where the library decides.
        rule: a `Rule`, or the texts to choose from.
        help: what it is, in words, for the command line.
        unless: what holds where the default is None, in words.
    """
    return field(default=default, metadata={"rule": rule, "help": help, "unless": unless})


@dataclass(frozen=True)
class Group:
    """Options that belong together; each is checked when the group is made."""

    @classmethod
    def of(cls, **options: Any) -> Self:
        """The group with options by name.

        Raises:
            ValueError: an option is unknown, or its value is not allowed; the text says which.
        """
        known = dict.fromkeys(one.name for one in fields(cls))
        for name in options:
            if name not in known:
                raise unknown("option", name, known)
        return cls(**options)

    def __post_init__(self):
        for one in fields(self):
            value, rule = getattr(self, one.name), one.metadata["rule"]
            if value is None and one.default is None:
                continue
            check = rule if isinstance(rule, Rule) else lambda n, v, r=rule: choice(n, v, r)
            object.__setattr__(self, one.name, check(one.name, value))


def choice(name: str, value: str, allowed: Iterable[str]) -> str:
    """A text that is one of those that are allowed.

    Raises:
        ValueError: it is none of them; the text names the option and the nearest.
    """
    find(value, dict.fromkeys(allowed), what=name)
    return value


def default_in_words(one: Field[Any]) -> str:
    """An option's default for a help text.

    Example:
        >>> from recipes.settings import options_of
        >>> words = {one.name: default_in_words(one) for _, one in options_of()}
        >>> words["cache_limit"], words["epochs"]
        ('2 GB', "the strategy's own")
    """
    if one.default is None:
        return one.metadata["unless"] or "none"
    default: Any = one.default
    return size_in_words(default) if one.metadata["rule"] is SIZE else str(default)


def plain(value):
    """An option's value as JSON has it; an object by what it says of itself."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
