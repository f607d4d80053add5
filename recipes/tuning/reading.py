"""Arrays, tables and datasets as inputs and targets, looked at before anything is trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from recipes.lookup import find

ENDLESS, UNKNOWN = -1, -2  # of `tf.data.Dataset.cardinality`
MOST_ELEMENTS, MOST_BYTES = 100_000, 1 << 30  # read of a dataset that does not say its length
MOST_NAMES = 10
TAKEN = "give (x, y) arrays, a tf.data.Dataset of pairs, a DataFrame with a target, or a folder"


def pairs(data: Any, target: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, (n, …), all of them finite numbers; and targets, (n,) or (n, m), none missing.

    Args:
        data: as `recipes.search` takes them, but for a folder.
        target: the column of a DataFrame that holds the classes.

    Raises:
        ValueError: the data are of another kind, or something in them is not usable: the text
            names the columns and counts the values.
    """
    if isinstance(data, pd.DataFrame):
        features, y = _columns(data, target)
        return numbers(features), _targets(y, f"target: the column {target!r}")
    if target is not None:
        raise ValueError(f"target: {target!r} is for a DataFrame; data is {_kind(data)}.")
    if hasattr(data, "as_numpy_iterator"):
        x, y = read_dataset(data)
    elif isinstance(data, tuple | list) and len(data) == 2:
        x, y = data
    else:
        raise ValueError(f"data: {_kind(data)} is not taken; {TAKEN}.")
    x = numbers(x) if isinstance(x, pd.DataFrame) else _inputs(x)
    y = _targets(y, "data: the targets")
    if len(x) != len(y):
        raise ValueError(f"data: {len(x)} inputs and {len(y)} targets.")
    return x, y


def _columns(table: pd.DataFrame, target: Any) -> tuple[pd.DataFrame, pd.Series]:
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"data: the column {twice[0]!r} is there more than once.")
    if target is None:
        raise ValueError(
            f"target: name the column that holds the classes; there are {_some(table.columns)}."
        )
    if not pd.api.types.is_hashable(target) or target not in table.columns:
        find(target, dict.fromkeys(map(str, table.columns)), what="target")
    return table.drop(columns=target), table[target]


def numbers(table: pd.DataFrame) -> np.ndarray:
    """A table of numbers as float32, (n, columns); True and False are 1 and 0.

    Raises:
        ValueError: columns are not numbers, or values are missing or infinite.

    Example:
        >>> numbers(pd.DataFrame({"a": [1, 2], "b": pd.array([True, False])})).tolist()
        [[1.0, 1.0], [2.0, 0.0]]
    """
    if not len(table.columns):
        raise ValueError("data: no column is left to learn from.")
    given = {name: table[name].dropna().infer_objects() for name in table}
    texts = [name for name, values in given.items() if len(values) and not _is_number(values)]
    if texts:
        raise ValueError(f"data: the columns {_some(texts)} are not numbers.")
    x = np.full(table.shape, np.nan, "float32")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite
        for place, values in enumerate(given.values()):
            x[table.iloc[:, place].notna().to_numpy(), place] = values.astype("float64")
    _refuse_missing(x, [*table.columns])
    return x


def _is_number(values: pd.Series) -> bool:
    kinds = pd.api.types
    return kinds.is_numeric_dtype(values) and not kinds.is_complex_dtype(values)


def _inputs(given: Any) -> np.ndarray:
    x = _array(given, "inputs")
    if x.dtype == object and x.ndim == 2:
        return numbers(pd.DataFrame(x))
    if x.dtype.kind not in "buif" and x.dtype.name != "bfloat16":
        raise ValueError(f"data: the inputs are not numbers; they are of the type {x.dtype}.")
    if x.ndim < 2:
        raise ValueError(f"data: the inputs have the shape {x.shape}; they need (rows, …).")
    if x.dtype.kind == "b":
        return x.astype("float32")
    if x.dtype.kind not in "ui":
        with np.errstate(over="ignore"):
            _refuse_missing(x.astype("float32"), [*range(x.shape[1])])
    return x


def _targets(given: Any, what: str) -> np.ndarray:
    y = _array(given, "targets")
    if y.ndim not in (1, 2) or not y.size:
        raise ValueError(f"{what} have the shape {y.shape}; they need (rows,) or (rows, labels).")
    missing = pd.isna(y)
    if y.dtype.kind == "f":
        missing |= ~np.isfinite(y)
    count = int(missing.reshape(len(y), -1).any(axis=1).sum())
    if count:
        raise ValueError(f"{what}: {count} of {len(y)} rows are missing or not finite.")
    return y


def _array(given: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:  # lists of different lengths, a tensor on a device
        raise ValueError(f"data: the {what} are no array: {error}") from None
    if not array.ndim:
        raise ValueError(f"data: the {what} are {_kind(given)}, which is no array; {TAKEN}.")
    return array


def _refuse_missing(x: np.ndarray, names: list) -> None:
    """Refuse what is not finite, with how many values of which columns."""
    bad = ~np.isfinite(x)
    if not bad.any():
        return
    if x.ndim == 2:
        counts = bad.sum(axis=0)
        where = _some([f"{counts[i]} in {names[i]!r}" for i in np.flatnonzero(counts)])
        raise ValueError(f"data: values are missing or infinite, by column: {where}.")
    rows = np.flatnonzero(bad.reshape(len(x), -1).any(axis=1))
    raise ValueError(
        f"data: {bad.sum():,} values are missing or infinite, in {len(rows):,} of {len(x):,} "
        f"inputs; the first of them is {rows[0]}."
    )


def read_dataset(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a `tf.data.Dataset`, in batches or not.

    Raises:
        ValueError: it never ends, does not seem to, or gives no pairs of arrays.
    """
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2 or any(isinstance(s, Mapping) for s in spec):
        raise ValueError("data: the dataset does not give pairs (inputs, targets).")
    length = int(dataset.cardinality())
    if length == ENDLESS:
        raise ValueError("data: the dataset never ends; say how much of it: dataset.take(n).")
    found, size = [], 0
    for x, y in dataset.as_numpy_iterator():
        found.append((np.asarray(x), np.asarray(y)))
        size += found[-1][0].nbytes + found[-1][1].nbytes
        if length == UNKNOWN and (len(found) > MOST_ELEMENTS or size > MOST_BYTES):
            raise ValueError(
                "data: the dataset does not say how long it is, and had not ended after "
                f"{len(found):,} elements. Where it ends, say so: "
                "dataset.apply(tf.data.experimental.assert_cardinality(n))."
            )
    if not found:
        raise ValueError("data: the dataset is empty.")
    batches = all(x.ndim > 1 and y.ndim and len(x) == len(y) for x, y in found)
    join = np.concatenate if batches else np.stack
    try:
        inputs, targets = (join(part) for part in zip(*found, strict=True))
    except ValueError:
        shapes = sorted({str(x.shape) for x, _ in found})
        raise ValueError(f"data: the inputs differ in shape: {_some(shapes)}.") from None
    return inputs, targets


def _kind(value: Any) -> str:
    """What a value is, for an error's text."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    module = type(value).__module__.split(".")[0]
    return f"a {'' if module == 'builtins' else f'{module} '}{type(value).__name__}"


def _some(names) -> str:
    """The first few of many names."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else ""
    return ", ".join(shown[:MOST_NAMES]) + more
