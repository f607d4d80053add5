"""Constraints of kernels by name."""

from collections.abc import Sequence

import keras

from recipes.ingredients import identifiers

NAMES = {
    "max_norm": keras.constraints.MaxNorm,
    "min_max_norm": keras.constraints.MinMaxNorm,
    "unit_norm": keras.constraints.UnitNorm,
    "non_neg": keras.constraints.NonNeg,
}
_OBJECTS = "a constraint, its class or configuration"


def names() -> list[str]:
    """The name of every constraint.

    Example:
        >>> "max_norm" in names()
        True
    """
    return list(NAMES)


def get(identifier=None, *, axis: int | Sequence[int] = 0, **options):
    """A constraint of a kernel, which each step of the training ends with.

    Args:
        identifier: a name in any spelling, `(name, options)`, None or "none", a configuration, or
            a constraint or its class.
        axis: over which a named one takes norms: all but the outputs, as blocks say.
        **options: of a named one: `max_value`, `min_value`, `rate`, `axis`.

    Returns:
        A `keras.constraints.Constraint`, or None.

    Raises:
        ValueError: the name is unknown, an option does not suit, or the object is no constraint.

    Example:
        >>> get(("max_norm", {"max_value": 3}), axis=(0, 1, 2)).get_config()
        {'max_value': 3, 'axis': [0, 1, 2]}
    """
    identifier, options = identifiers.parted(identifier, options)
    base = keras.constraints.Constraint
    identifier = identifiers.from_keras(
        "kernel_constraint", identifier, keras.constraints.deserialize, base, options
    )
    if identifier is None or isinstance(identifier, base):
        return identifier
    if isinstance(identifier, str) and identifiers.folded(identifier) == "none":
        return None
    name = identifiers.among(identifier, NAMES, {}) if isinstance(identifier, str) else None
    if name is None:
        identifiers.refuse("kernel_constraint", identifier, NAMES, _OBJECTS)
    if name != "non_neg":
        options = {"axis": axis if isinstance(axis, int) else list(axis), **options}
    return identifiers.made("kernel_constraint", name, NAMES[name], **options)
