"""What a network that is built from a file may come to, refused before memory is taken for it."""

import contextlib
import math
from collections.abc import Generator, Sequence

import keras

MOST_PARAMETERS = 2_000_000_000


@contextlib.contextmanager
def limited(most: int = MOST_PARAMETERS) -> Generator[None]:
    """Refuse weights beyond a number of values, in whatever is built inside.

    Raises:
        ValueError: a layer asks for more.

    Example:
        >>> with limited(10):
        ...     keras.layers.Dense(4).build((None, 3))
        Traceback (most recent call last):
        ValueError: it has more than 10 parameters.
    """
    original, total = keras.Layer.add_weight, 0

    def counted(layer, shape: Sequence[int] | int | None = None, *args, **options):
        nonlocal total
        sides = (shape,) if isinstance(shape, int) else (shape or ())
        total += math.prod(sides)
        if total > most:
            raise ValueError(f"it has more than {most:,} parameters.")
        return original(layer, shape, *args, **options)

    keras.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.Layer.add_weight = original
