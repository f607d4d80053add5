import numpy as np
import pytest

from recipes import backbones, strategies
from recipes.choosing import choose
from recipes.choosing.choose import start
from recipes.choosing.expected import EQUAL, SHARES
from recipes.images.parts import Part
from recipes.settings import Settings
from recipes.strategies import STRATEGIES
from recipes.tasks import Binary, Multiclass, Multilabel
from tests.recipes.transfer.tiny import SIDE, build_tiny, training_data


def test_a_strategy_starts_from_its_own_weights_unless_others_are_named():
    pretrained = backbones.get("efficientnet_lite0").model.get_layer("top_conv").kernel.numpy()
    task = Multiclass(("a", "b"))
    for name, strategy in STRATEGIES.items():
        for weights in (None, "pretrained"):
            settings = Settings.of(image_size=32, dropout=0.0, weights=weights)
            transfer = start(settings, task, strategy)
            kernel = transfer.model.get_layer("top_conv").kernel.numpy()
            own_start = name == "large_dissimilar" and weights is None
            assert (kernel == pretrained).all() != own_start, (name, weights)


def test_what_is_named_is_not_measured():
    for name in strategies.NAMED:
        assert choose.named(Settings.of(strategy=name)) == strategies.get(name)
    for name in (strategies.AUTO, strategies.RACE):
        assert choose.named(Settings.of(strategy=name)) is None
    mine = strategies.FineTuneStrategy("mine", "pretrained", (strategies.HEAD,), "")
    assert choose.named(Settings.of(strategy=mine)) is mine


@pytest.mark.parametrize(
    "task", [Multiclass(("a", "b")), Binary(("a", "b")), Multilabel(("a", "b"))], ids=str
)
def test_every_task_can_be_measured(task):
    """Pictures whose colours are their labels, which frozen features tell."""
    rng = np.random.default_rng(0)
    flags = np.arange(48)[:, None] // [1, 2] % 2
    labels = flags.astype("float32") if task.name == "multilabel" else flags[:, 0]
    if task.name == "binary":
        labels = flags[:, :1].astype("float32")
    pixels = rng.integers(0, 40, (48, SIDE, SIDE, 3))
    pixels[..., :2] += 180 * flags[:, None, None, :]
    transfer = build_tiny(task=task)
    data = training_data({"train": Part(pixels.astype("uint8"), labels, "key")}, task=task)
    decision = choose.measure(Settings(), transfer, data)
    assert decision.measurements["linear_accuracy"] > 0.9
    chance = 0.25 if task.name == "multilabel" else 0.5
    assert decision.measurements["chance"] == chance
    assert decision.measurements["pictures_per_class"] == 24
    gains = {name: decision.measurements[f"expected_gain {name}"] for name in SHARES}
    assert gains[decision.strategy] >= max(gains.values()) - EQUAL


SIZES = [(1, 1, 1), (3, 3, 3), (200, 3, 3), (200, 1, 20), (40, 1), (3, 3), (1, 1), (2, 1)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", [Multiclass, Binary, Multilabel])
def test_few_and_uneven_pictures_are_decided_on(kind, sizes):
    """The training part's pictures a class, with noise for pixels."""
    if kind is Binary and len(sizes) > 2:
        sizes = sizes[:2]
    task = kind(("a", "b", "c")[: len(sizes)])
    indices = np.repeat(np.arange(len(sizes)), sizes)
    labels = {
        "multiclass": indices,
        "binary": indices[:, None].astype("float32"),
        "multilabel": np.eye(len(sizes), dtype="float32")[indices],
    }[task.name]
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), SIDE, SIDE, 3), "uint8")
    data = training_data({"train": Part(pixels, labels, "key")}, task=task)
    decision = choose.measure(Settings(), build_tiny(task=task), data)
    measured = decision.measurements
    assert decision.strategy != "small_similar"  # noise is not solved
    assert f"{min(sizes):,} of the smallest ({task.classes[int(np.argmin(sizes))]})" in (
        decision.reason
    )
    assert measured["smallest_class_pictures"] == min(sizes)
    tried = [size for size in sizes if size > 1]
    if len(tried) < 2:
        assert "was not measured" in decision.reason
        assert "linear_accuracy" not in measured
    elif kind is Multilabel:
        assert measured["chance"] == pytest.approx(1 / len(sizes))
    else:
        assert measured["chance"] == pytest.approx(1 / len(tried))
        assert ("could not be tried" in decision.reason) == (len(tried) < len(sizes))


def test_uneven_noise_is_not_solved():
    task = Multiclass(("healthy", "ill"))
    labels = np.repeat([0, 1], [294, 6])
    pixels = np.random.default_rng(0).integers(0, 256, (300, SIDE, SIDE, 3), "uint8")
    data = training_data({"train": Part(pixels, labels, "key")}, task=task)
    decision = choose.measure(Settings(), build_tiny(task=task), data)
    assert decision.strategy != "small_similar"
    assert decision.measurements["chance"] == 0.5
    assert decision.measurements["linear_accuracy"] < 0.75
    assert "6 of the smallest (ill)" in decision.reason
