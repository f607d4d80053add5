"""Pretrained networks by name, without their classifiers."""

from pathlib import Path

import keras

from recipes.backbones import applications, efficientnet_lite
from recipes.backbones.base import Backbone, Stage
from recipes.dtypes import scope
from recipes.keras_setup import require_channels_last
from recipes.lookup import find
from recipes.settings import FLOAT32

__all__ = ["Backbone", "Stage", "get", "imagenet_classifier", "names"]


def names() -> list[str]:
    """Every backbone's name: EfficientNet-Lite, then Keras' own spelling of its applications.

    Example:
        >>> names()[0], "ResNet50" in names()
        ('efficientnet_lite0', True)
    """
    return [*efficientnet_lite.VARIANTS, *applications.applications()]


def get(
    name: str | Backbone,
    *,
    weights: str | Path | None = "pretrained",
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
) -> Backbone:
    """A backbone by name, computing by Keras' dtype policy; its preprocessing loses nothing.

    Args:
        name: one of `names()`; for Keras' applications, capitals and underscores do not matter.
            Or a `Backbone`, of which a copy is given: with its weights, or with new initial ones.
        weights: "pretrained" (or "imagenet", as Keras calls it), None for initial weights, or the
            path of a local file.
        image_size: side in pixels, or (H, W); None is the size it was trained at.
        seed: of the initial weights.

    Raises:
        ValueError: the name is unknown, the size too small, or the weights do not fit.

    Example:
        >>> get("efficientnet_lite0", weights=None, image_size=64).input_shape
        (64, 64, 3)
    """
    require_channels_last()
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    weights = known_weights(weights)
    if size is not None and min(size) < 32:
        raise ValueError(f"image_size: {image_size!r} is below the least of 32 pixels.")
    policy = keras.config.dtype_policy().name
    if isinstance(name, Backbone):
        return _copied(name, weights, size, seed).computing(policy)
    name = canonical_name(name)
    module = efficientnet_lite if name in efficientnet_lite.VARIANTS else applications
    with scope(FLOAT32):
        base = module.build(name, weights=weights, image_size=size, seed=seed)
    return base.computing(policy)


def known_weights(weights: str | Path | None) -> str | None:
    """Weights as they are named here: "pretrained", None, or the path of a file that is there.

    Raises:
        ValueError: there is no such file.

    Example:
        >>> known_weights("imagenet")
        'pretrained'
    """
    if weights in (None, "pretrained", "imagenet"):
        return weights and "pretrained"
    if not Path(weights).is_file():
        raise ValueError(
            f"weights: there is no file {str(weights)!r}; allowed are 'pretrained' and the path of "
            "a local weights file."
        )
    return str(weights)


def _copied(backbone: Backbone, weights: str | None, size, seed: int) -> Backbone:
    if size not in (None, tuple(backbone.image_size)):
        raise ValueError(
            f"image_size: {size} pixels; the backbone {backbone.name!r} was built for "
            f"{backbone.image_size}."
        )
    if weights not in (None, "pretrained"):
        raise ValueError(f"weights: {weights!r}; a backbone that is an object has its own.")
    return backbone.copy(pretrained=weights is not None, seed=seed)


def canonical_name(name: str) -> str:
    """The name as `names()` has it.

    Raises:
        ValueError: the name is unknown; the text lists those allowed and the nearest.

    Example:
        >>> canonical_name("resnet50_v2")
        'ResNet50V2'
    """
    plain = {known.lower().replace("_", ""): known for known in names()}
    key = str(name).lower().replace("_", "")
    return find(plain.get(key, name), {known: known for known in names()}, what="backbone")


def imagenet_classifier(name: str) -> tuple[keras.Model, list[str]]:
    """A pretrained network as it is, in float32, with the classes it was trained for.

    Args:
        name: an EfficientNet-Lite; Keras' applications do this by themselves.

    Returns:
        Raw pictures (batch, H, W, 3) to probabilities (batch, 1000), and the classes' names.

    Raises:
        ValueError: another name.
    """
    require_channels_last()
    find(name, efficientnet_lite.VARIANTS, what="pretrained classifier")
    path = Path(__file__).with_name("imagenet_classes.txt")
    classes = path.read_text(encoding="utf-8").splitlines()
    with scope(FLOAT32):
        model = efficientnet_lite.imagenet_classifier(name)
    return model, classes
