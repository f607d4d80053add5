"""What follows a training: how much of it to keep, and probabilities that mean what they say."""

from collections.abc import Sequence

import numpy as np

from recipes.tasks import Task
from recipes.transfer.features import Boundary
from recipes.transfer.solve import Solution
from recipes.transfer.state import State, judged, to_numpy

BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
LIKE, UNLIKE = 0.5, 1.0  # what is kept where validation cannot tell: by how the pictures are
MORE = 0.25  # than that, which validation can ask for
SOLVED_FROM = 0.95  # of the classifier alone, in cross-validation: then nothing is kept
SPREAD = 0.3  # that losses of a picture differ by, at the least, where few pictures differ less
MOST_JUDGED = 512


def blend(
    cut: Boundary, state: State, usual: float = LIKE, share: float | None = None
) -> dict[str, float]:
    """Draw a phase's last weights back toward those that it began with.

    Args:
        cut: the model as it was trained last, and where its frozen layers end.
        state: with the weights of the phase's start.
        usual: the share of the way from the start to keep unless the validation part says
            otherwise; none of it where the classifier alone gets nearly all right.
        share: to keep, where it is known; nothing is asked then.

    Returns:
        `blend`, the share of the way; and where it was asked, what the validation part says.

    Source:
        Robust fine-tuning of zero-shot models, arXiv 2109.01903.
    """
    model, task = cut.transfer.model, cut.data.task
    variables = [
        (variable, state.arrays[f"origin/{index:04d}"], to_numpy(variable))
        for index, variable in enumerate(model.variables)
        if f"origin/{index:04d}" in state.arrays
    ]

    def go(share: float) -> None:
        for variable, start, end in variables:
            variable.assign(end if share == 1 else start + np.float32(share) * (end - start))

    if share is not None:
        go(share)
        return {"blend": share}
    drawn = np.random.default_rng(cut.data.seed).permutation(len(cut.data["validation"]))
    rows = np.sort(drawn[:MOST_JUDGED])
    targets, said = cut.data["validation"].labels[rows], []
    solved = [audit.get("cross_validated_balanced_accuracy", 0.0) for audit in state.audits]
    usual = 0.0 if max(solved, default=0.0) >= SOLVED_FROM else usual
    candidates = [share for share in BLENDS if share <= usual + MORE]
    for candidate in candidates:
        go(candidate)
        said.append(cut.outputs("validation", model.output, "Judging", rows))
    losses = [losses_of(task, targets, outputs) for outputs in said]
    best = chosen(losses, candidates.index(usual))
    go(candidates[best])
    return {"blend": candidates[best], **judged(task, targets, said[best])}


def losses_of(task: Task, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The log loss of each picture at the best temperature, (n,)."""
    outputs = task.tempered(outputs, task.temperatures(targets, outputs))
    rows = range(len(targets))
    return np.array([task.loss(targets[i : i + 1], outputs[i : i + 1]) for i in rows])


def chosen(losses: Sequence[np.ndarray], usual: int) -> int:
    """Which of several to keep: the usual one, unless another is surely better.

    It is where its loss is smaller by more than the standard error of the difference, picture by
    picture; of several such, the one that is so by most. A few pictures that differ by little are
    taken to differ by more, since others will.

    Args:
        losses: of each of them, (n,).
        usual: the place of the usual one.

    Example:
        >>> usual = np.array([1.0, 1.1, 0.9])
        >>> chosen([usual, usual - 0.5], usual=0), chosen([usual, usual - 0.1], usual=0)
        (1, 0)
    """
    gains = [losses[usual] - other for other in losses]
    errors = [max(gain.std(), SPREAD) / max(len(gain) - 1, 1) ** 0.5 for gain in gains]
    surely = [gain.mean() - error for gain, error in zip(gains, errors, strict=True)]
    return int(np.argmax(surely)) if max(surely) > 0 else usual


def calibrate(cut: Boundary, solution: Solution | None = None) -> tuple[np.ndarray, Task]:
    """Build a temperature into a trained model's last layer.

    Which class is likeliest stays as it is for every picture. The validation part says how sure
    the model should be; where the classifier was solved, its cross-validation over the training
    part has a say too, since a few validation pictures can all be easy.

    Args:
        cut: the model, and where its frozen layers end.
        solution: the classifier that the model ends with, where it was solved.

    Returns:
        The temperature, one a label where a picture has several; and the task with the thresholds
        that the same pictures support, where it has any.
    """
    task = cut.data.task
    outputs = cut.outputs("validation", cut.transfer.model.output, "Calibrating")
    targets = cut.data["validation"].labels
    if solution is not None:
        outputs = np.concatenate([outputs, solution.outputs[solution.judged]])
        targets = np.concatenate([targets, cut.data["train"].labels[solution.judged]])
    temperatures = task.temperatures(targets, outputs)
    cool(cut, temperatures)
    return temperatures, task.tuned(targets, task.tempered(outputs, temperatures))


def cool(cut: Boundary, temperatures: np.ndarray) -> None:
    """Divide the logits of a model by temperatures, in its last layer."""
    layer = cut.transfer.model.layers[-1]
    for variable in (layer.kernel, layer.bias):
        variable.assign(variable / temperatures.astype("float32"))
