"""Which variables a phase of training moved, and that no other did."""

from collections.abc import Sequence

import keras

from recipes.strategies import Phase
from recipes.transfer.state import fingerprints, movable


def audit(
    phase: Phase,
    model: keras.Model,
    before: Sequence[str],
    variables: Sequence,
    merged: Sequence = (),
) -> dict[str, int | str]:
    """Count which variables a phase has moved.

    Args:
        phase: the phase that ended.
        model: whose variables they are, with the phase's layers still marked.
        before: digests of `variables` at the phase's start.
        variables: all that the model had then.
        merged: those that may have moved, too: kernels that low-rank matrices were put into.

    Returns:
        The counts: weights and statistics that may move, those that did, those that are frozen.

    Raises:
        RuntimeError: a frozen weight, or a statistic that the phase does not update, moved.
    """
    free = {id(v) for v in [*movable(model), *merged]}
    weights = {id(v) for v in model.weights}
    rows = [
        (v.path, id(v) in free, old != new)
        for v, old, new in zip(variables, before, fingerprints(variables), strict=True)
        if id(v) in weights
    ]
    wrong = [path for path, may_move, moved in rows if moved and not may_move]
    if wrong:
        raise RuntimeError(
            f"In the phase {phase.name!r} {len(wrong)} frozen variables moved: {wrong[:5]}."
        )
    return {
        "phase": phase.name,
        "trainable": sum(may_move for _, may_move, _ in rows),
        "moved": sum(moved for *_, moved in rows),
        "frozen": sum(not may_move for _, may_move, _ in rows),
    }
