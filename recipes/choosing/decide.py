"""Which strategy follows from what was measured, and why, in words."""

from collections.abc import Mapping, Sequence

import numpy as np

from recipes.choosing.expected import Expectation, best, expectations, kind_of
from recipes.choosing.survey import Survey
from recipes.run import Decision
from recipes.settings import ChoosingSettings
from recipes.strategies import STRATEGIES
from recipes.tasks import Task
from recipes.transfer.refine import SOLVED_FROM
from recipes.transfer.timing import in_words

UNKNOWN_ERROR = 0.5  # of the classifier alone, where it cannot be tried
# What the textbook says of (many pictures, unlike the pretraining data).
TEXTBOOK = {
    (False, False): "small_similar",
    (False, True): "small_dissimilar",
    (True, False): "large_similar",
    (True, True): "large_dissimilar",
}
WAYS_IN_WORDS = {
    "small_dissimilar": "training the later stages too",
    "large_similar": "training the whole network",
}


def decide(
    task: Task,
    labels: np.ndarray,
    found: Survey,
    *,
    large_from: int = ChoosingSettings.large_from,
    dissimilar_from: float = ChoosingSettings.dissimilar_from,
    seconds: Mapping[str, float] | None = None,
    time_left: float | None = None,
) -> Decision:
    """Choose one of the four strategies by what was measured.

    What each strategy that starts from pretrained weights is expected to bring is the share of the
    classifier's errors that it took away in `benchmarks/strategies.py` (`expected.SHARES`), times
    the errors that the classifier alone makes on these pictures in cross-validation. The largest
    is chosen, and of those that cannot be told apart the one that takes the least time. Where the
    classifier alone gets 95 % right, it is enough. From the network's own initialization
    (`large_dissimilar`) only many pictures that are unlike the pretraining data are trained: this
    is the textbook's word, the benchmark has no set of so many; not where time is limited.

    Args:
        task: what is to be told of each picture.
        labels: of the training part.
        found: what `survey` gave.
        large_from: pictures a class from which the data count as many.
        dissimilar_from: mean divergence, in nats, from which they count as unlike the pretraining
            data. Photos lie below 0.1, drawings, scans and measurements above 0.15, with
            EfficientNet-Lite0 and ImageNet.
        seconds: that each strategy is expected to take.
        time_left: seconds that there are, where there is a limit.

    Returns:
        The decision; `runner_up` is the strategy with the next largest gain, where there is one.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"layer": ["a"], "divergence": [0.2]})
        >>> from recipes.tasks import Multiclass
        >>> task, labels = Multiclass(("a", "b")), np.array([0, 1] * 50)
        >>> decide(task, labels, Survey(table, None, None)).strategy
        'large_similar'
    """
    counts = task.counts(labels)
    per_class = float(counts.mean())
    divergence = found.divergence["divergence"]
    mean = float(divergence.mean())
    unlike = mean >= dissimilar_from
    many = per_class >= large_from
    error = 1 - found.linear_accuracy if found.linear_accuracy is not None else UNKNOWN_ERROR
    solved = error <= 1 - SOLVED_FROM
    gains = expectations(error, kind_of(mean, dissimilar_from), seconds)
    chosen = best(gains, time_left, solved)
    trained = chosen.strategy != gains[0].strategy
    scratch = many and unlike and trained and time_left is None  # how long it takes is not known
    name = "large_dissimilar" if scratch else chosen.strategy
    others = [one for one in gains if one.strategy != name and one.gain > 0]
    second = max(others, key=lambda one: one.gain).strategy if others else None
    third = max(len(divergence) // 3, 1)
    measurements = {
        "training_pictures": len(labels),
        "pictures_per_class": per_class,
        "smallest_class": task.classes[int(counts.argmin())],
        "smallest_class_pictures": int(counts.min()),
        "divergence": mean,
        "divergence_early": float(divergence[:third].mean()),
        "divergence_late": float(divergence[-third:].mean()),
        "divergence_measured_with": found.yardstick,
        **_measured(found, task, labels),
        **{f"expected_gain {one.strategy}": one.gain for one in gains},
        "large_from": large_from,
        "dissimilar_from": dissimilar_from,
    }
    alone = [] if task.name == "multilabel" else [*np.array(task.classes)[counts == 1]]
    reason = _reason(name, alone, measurements, gains, many, unlike, solved, time_left)
    return Decision(name, measurements, reason, second)


def _measured(found: Survey, task: Task, labels: np.ndarray) -> dict:
    """What was found out about the frozen features."""
    if found.stages is None or found.linear_accuracy is None:
        return {}
    stages = found.stages
    return {
        "linear_accuracy": found.linear_accuracy,
        "neighbour_accuracy": float(stages["neighbour_accuracy"].iloc[-1]),
        "best_stage": str(stages["stage"].iloc[int(stages["neighbour_accuracy"].argmax())]),
        "best_stage_accuracy": float(stages["neighbour_accuracy"].max()),
        "h_score": float(stages["h_score"].iloc[-1]),
        "chance": 1 / _kinds(task, labels),
    }


def _kinds(task: Task, labels: np.ndarray) -> int:
    """How many kinds of pictures there are to tell apart: classes with two, or sets of labels."""
    counts = np.bincount(task.kinds(labels))
    return int((counts > (task.name != "multilabel")).sum())


def _reason(
    name: str,
    alone: Sequence[str],
    measured: dict,
    gains: Sequence[Expectation],
    many: bool,
    unlike: bool,
    solved: bool,
    time_left: float | None,
) -> str:
    """The decision in words that say what was measured, what is expected, and what follows."""
    divergence, unlike_from = measured["divergence"], measured["dissimilar_from"]
    smallest = f"{measured['smallest_class_pictures']:,} of the smallest "
    sentences = [
        f"{measured['training_pictures']:,} training pictures, "
        f"{measured['pictures_per_class']:,.0f} a class and {smallest}"
        f"({measured['smallest_class']})"
    ]
    yardstick = measured["divergence_measured_with"]
    known, why = "the pretraining data", ""
    if yardstick is not None:
        known = "ImageNet's photos"
        why = f", measured with {yardstick} since the backbone has no batch normalization"
    sentences.append(
        f"they are {'unlike' if unlike else 'like'} {known} (a divergence of {divergence:.3f}"
        f"{why}; unlike from {unlike_from:g})"
    )
    if "linear_accuracy" in measured:
        sentences.append(
            f"the classifier alone, on features as they are, gets {measured['linear_accuracy']:.1%}"
            f" right in cross-validation, each class counting alike, chance "
            f"{measured['chance']:.1%}"
        )
        if alone:
            sentences.append(f"{', '.join(alone)} could not be tried, with one training picture")
    else:
        sentences.append(
            "what the classifier alone can do was not measured, since that takes two classes with "
            "two training pictures each"
        )
    if solved:
        sentences.append(f"from {SOLVED_FROM:.0%} on there is little left to learn")
    elif name == "large_dissimilar":
        sentences.append(f"they are many (from {measured['large_from']:,} a class)")
    else:
        sentences.append(_expected(gains, time_left))
    chosen = f"{'; '.join(sentences)}. So: {STRATEGIES[name].description}."
    textbook = TEXTBOOK[many, unlike]
    if textbook == name:
        return chosen
    return f"{chosen} The textbook would say otherwise: {STRATEGIES[textbook].description}."


def _expected(gains: Sequence[Expectation], time_left: float | None) -> str:
    """What the strategies are expected to bring, in points and time."""
    texts = []
    for one in gains:
        if one.strategy != "small_similar":
            time = "" if one.seconds is None else f" in about {in_words(one.seconds)}"
            texts.append(f"{WAYS_IN_WORDS[one.strategy]} {one.gain * 100:+.1f} points{time}")
    limit = ""
    if time_left is not None:
        limit = f", with {in_words(time_left) if time_left > 0 else 'no time'} left"
    return f"by the benchmark, to be expected of {' and of '.join(texts)}{limit}"
