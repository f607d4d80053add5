"""How much there is to learn from, how far it lies from the pretraining data, and what follows.

The distance needs none of the pretraining data: a pretrained network carries, in the moving
statistics of its batch normalization, the mean and variance that each channel had over the
pretraining pictures. The user's pictures give a mean and a variance too, and the divergence of the
two Gaussians says how unlike the pictures are.
"""

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from recipes.backbones.base import Backbone
from recipes.progress import track
from recipes.run import Decision
from recipes.settings import ChoosingSettings
from recipes.strategies import STRATEGIES
from recipes.tasks import Task
from recipes.transfer.model import forward

SOLVED_FROM = 0.97
NEAR_FACTOR = 1.3
NEAR_POINTS = 0.01
SAMPLE = 256


def gaussian_divergence(
    mean: np.ndarray,
    variance: np.ndarray,
    reference_mean: np.ndarray,
    reference_variance: np.ndarray,
    epsilon: float = 0.0,
) -> np.ndarray:
    """Kullback-Leibler divergence of N(mean, variance) from N(reference), in nats, by channel.

    `(log(s²/v) + (v + (m - n)²)/s² - 1) / 2` for the means m, n and the variances v, s².

    Args:
        mean: (channels,), as are the others.
        variance: not negative.
        reference_mean: of the distribution to be compared with.
        reference_variance: as `variance`.
        epsilon: is added to both variances, as batch normalization adds it: a channel that hardly
            varies then weighs no more than it does in the network.

    Example:
        >>> one, zero = np.ones(1), np.zeros(1)
        >>> gaussian_divergence(one, one, zero, one).item()
        0.5
    """
    variance, reference = variance + epsilon, reference_variance + epsilon
    ratio = variance / reference
    return 0.5 * ((mean - reference_mean) ** 2 / reference + ratio - 1 - np.log(ratio))


def measure_divergence(
    backbone: Backbone,
    pixels: np.ndarray,
    *,
    sample: int = SAMPLE,
    batch_size: int = 32,
    seed: int = 0,
    verbose: bool = True,
) -> pd.DataFrame:
    """How far pictures lie from the statistics that a backbone's batch normalization carries.

    Args:
        backbone: with its pretrained weights.
        pixels: (n, H, W, 3), 0 to 255.
        sample: pictures to look at, drawn without replacement; each gives as many values to a
            channel as the layer has places.
        batch_size: pictures in one forward pass.
        seed: of the draw.
        verbose: whether progress is shown.

    Returns:
        One row a batch normalization layer, from the pictures to the classifier: `layer`,
        `divergence` (the mean over its channels, in nats). Empty where the backbone has none.
    """
    norms = backbone.batch_norms
    if not norms:
        return pd.DataFrame({"layer": [], "divergence": []})
    moments = []
    for norm in norms:
        x = keras.ops.cast(norm.input, "float32")
        axes = tuple(range(1, len(x.shape) - 1))
        moments += [keras.ops.mean(x, axes), keras.ops.mean(keras.ops.square(x), axes)]
    model = keras.Model(backbone.model.input, moments)
    rows = np.random.default_rng(seed).permutation(len(pixels))[:sample]
    rows.sort()
    batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    sums: list = [0.0] * len(moments)
    for batch in track(batches, "Measuring similarity", len(batches), "batches", verbose):
        for index, value in enumerate(forward(model, pixels[batch], batch_size)):
            sums[index] = sums[index] + value.astype("float64").sum(axis=0)
    means = [total / len(rows) for total in sums]
    divergences = []
    for norm, mean, square in zip(norms, means[::2], means[1::2], strict=True):
        means_of, variances_of = (
            keras.ops.convert_to_numpy(v) for v in (norm.moving_mean, norm.moving_variance)
        )
        variance = np.maximum(square - mean**2, 0)
        channels = gaussian_divergence(mean, variance, means_of, variances_of, norm.epsilon)
        divergences.append(channels.mean())
    return pd.DataFrame({"layer": [norm.name for norm in norms], "divergence": divergences})


def rule(many: bool, unlike: bool, solved: bool) -> str:
    """The strategy for what was found; `decide` says how, and in which words.

    Args:
        many: whether there are many pictures a class.
        unlike: whether the pictures are unlike the pretraining data.
        solved: whether a linear classifier on the frozen features gets nearly all right.

    Example:
        >>> rule(many=False, unlike=False, solved=False)
        'large_similar'
    """
    if solved:
        return "small_similar"
    return "large_dissimilar" if many and unlike else "large_similar"


def decide(
    task: Task,
    labels: np.ndarray,
    divergence: pd.DataFrame,
    probe: pd.DataFrame | None = None,
    *,
    large_from: int = ChoosingSettings.large_from,
    dissimilar_from: float = ChoosingSettings.dissimilar_from,
) -> Decision:
    """Choose one of the four strategies by what was measured.

    The rule, found with `benchmarks/strategies.py`:

    1. Where a linear classifier on the frozen features gets 97 % of each class right, on the mean
       over the classes and in cross-validation, nothing else need be trained: `small_similar`.
    2. Otherwise the whole network is trained from its pretrained weights (`large_similar`), with
       few pictures too: it was the best or within a point of it, like or unlike.
    3. From the network's own initialization (`large_dissimilar`) only many pictures that are
       unlike the pretraining data are trained. This is the textbook's word; the benchmark has no
       set of so many.

    Near a threshold the two strategies on its sides are to compete (`runner_up`).

    Args:
        task: what is to be told of each picture.
        labels: of the training part.
        divergence: what `measure_divergence` gave.
        probe: what `recipes.choosing.probe.probe` gave; without it the rest decides.
        large_from: pictures a class from which the data count as many.
        dissimilar_from: mean divergence, in nats, from which they count as unlike the pretraining
            data. Photos lie below 0.1, drawings, scans and measurements above 0.15, with
            EfficientNet-Lite0 and ImageNet.

    Returns:
        The decision; `runner_up` names the strategy that a little more or less would have chosen.

    Example:
        >>> table = pd.DataFrame({"layer": ["a"], "divergence": [0.5]})
        >>> from recipes.tasks import Multiclass
        >>> decide(Multiclass(("a", "b")), np.array([0, 1] * 50), table).strategy
        'large_similar'
    """
    counts = task.counts(labels)
    per_class = float(counts.mean())
    many = per_class >= large_from
    mean = float(divergence["divergence"].mean()) if len(divergence) else None
    unlike = mean is not None and mean >= dissimilar_from
    linear = None if probe is None else float(probe["linear_accuracy"].iloc[-1])
    solved = linear is not None and linear >= SOLVED_FROM
    name = rule(many, unlike, solved)
    # What a threshold's other side would choose, the way there, and whether it is short.
    more = f"{_times(per_class, large_from)} times as many pictures a class"
    flips = [(rule(not many, unlike, solved), more, _near(per_class, large_from))]
    if mean is not None:
        further = f"a divergence {_times(mean, dissimilar_from)} times as large"
        flips.append((rule(many, not unlike, solved), further, _near(mean, dissimilar_from)))
    if linear is not None:
        way = abs(linear - SOLVED_FROM)
        right = f"{way * 100:.2g} points {'less' if solved else 'more'} right"
        flips.append((rule(many, unlike, not solved), right, way < NEAR_POINTS))
    flips = [flip for flip in flips if flip[0] != name]
    third = max(len(divergence) // 3, 1)
    stages = (
        {}
        if probe is None
        else {
            "linear_accuracy": linear,
            "neighbour_accuracy": float(probe["neighbour_accuracy"].iloc[-1]),
            "best_stage": str(probe["stage"].iloc[int(probe["neighbour_accuracy"].argmax())]),
            "best_stage_accuracy": float(probe["neighbour_accuracy"].max()),
            "h_score": float(probe["h_score"].iloc[-1]),
            "chance": 1 / _kinds(task, labels),
        }
    )
    measurements = {
        "training_pictures": len(labels),
        "pictures_per_class": per_class,
        "smallest_class": task.classes[int(counts.argmin())],
        "smallest_class_pictures": int(counts.min()),
        "divergence": mean,
        "divergence_early": float(divergence["divergence"][:third].mean()) if mean else None,
        "divergence_late": float(divergence["divergence"][-third:].mean()) if mean else None,
        **stages,
        "large_from": large_from,
        "dissimilar_from": dissimilar_from,
        "solved_from": SOLVED_FROM,
    }
    changes = ", ".join(f"{other} by {words}" for other, words, _ in flips)
    alone = [] if task.name == "multilabel" else [*np.array(task.classes)[counts == 1]]
    reason = _reason(name, alone, measurements, many, unlike, solved)
    reason += f" It would be {changes}." if changes else ""
    runner_up = next((other for other, _, thin in flips if thin), None)
    return Decision(name, measurements, reason, runner_up)


def _kinds(task: Task, labels: np.ndarray) -> int:
    """How many kinds of pictures the probe tells apart: classes with two, or sets of labels."""
    counts = np.bincount(task.kinds(labels))
    return int((counts > (task.name != "multilabel")).sum())


def _reason(
    name: str, alone: Sequence[str], measured: dict, many: bool, unlike: bool, solved: bool
) -> str:
    """The decision in words, with each figure and its threshold."""
    per_class, divergence = measured["pictures_per_class"], measured["divergence"]
    large_from, unlike_from = measured["large_from"], measured["dissimilar_from"]
    smallest = f"{measured['smallest_class_pictures']:,} of the smallest "
    sentences = [
        f"{measured['training_pictures']:,} training pictures, {per_class:,.0f} a class and "
        f"{smallest}({measured['smallest_class']}), count as {'many' if many else 'few'} (many "
        f"from {large_from:,} a class)"
    ]
    if divergence is None:
        sentences.append(
            "the backbone has no batch normalization to measure the divergence by, so they are "
            "taken to be like the pretraining data"
        )
    else:
        sentences.append(
            f"the divergence from the pretraining data is {divergence:.3f} nats, so "
            f"they are {'unlike' if unlike else 'like'} it (unlike from {unlike_from:g})"
        )
    if "linear_accuracy" in measured:
        linear = measured["linear_accuracy"]
        sentences.append(
            f"a linear classifier on the frozen features gets {linear:.1%} right, each class "
            f"counting alike, chance {measured['chance']:.1%}, which "
            f"{'is enough' if solved else 'leaves something to learn'} (enough from "
            f"{SOLVED_FROM:.0%})"
        )
        if alone:
            sentences.append(f"{', '.join(alone)} could not be tried, with one training picture")
    else:
        sentences.append(
            "what the frozen features can do was not measured, since that takes two classes with "
            "two training pictures each"
        )
    return f"{'; '.join(sentences)}: {STRATEGIES[name].description}."


def _near(value: float, threshold: float) -> bool:
    """Whether a value lies close to a threshold, by their ratio."""
    return threshold / NEAR_FACTOR < value < threshold * NEAR_FACTOR


def _times(value: float, threshold: float) -> str:
    """The factor by which a value would cross a threshold, to two digits."""
    return f"{float(f'{threshold / max(value, 1e-9):.2g}'):,g}"
