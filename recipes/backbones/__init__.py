"""Networks without their classifiers: by name, from a folder, or a model of one's own."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from recipes.backbones import applications, efficientnet_lite, hub, own
from recipes.backbones.base import Backbone, Stage
from recipes.backbones.hub import rebuilt
from recipes.catalogue import presets
from recipes.dtypes import scope
from recipes.keras_setup import require_channels_last
from recipes.lookup import find
from recipes.settings import FLOAT32

__all__ = ["Backbone", "Stage", "check", "get", "imagenet_classifier", "names", "rebuilt"]
Colour = float | Sequence[float]


def names() -> list[str]:
    """Every backbone's name: EfficientNet-Lite, Keras' applications, the presets of KerasHub.

    Example:
        >>> found = names()
        >>> found[0], "ResNet50" in found, "vit_base_patch16_224_imagenet" in found
        ('efficientnet_lite0', True, True)
    """
    return [*efficientnet_lite.VARIANTS, *applications.applications(), *presets()]


def get(
    name: str | Path | Backbone | keras.Model,
    *,
    weights: str | Path | None = "pretrained",
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    scale: Colour | None = None,
    offset: Colour | None = None,
    stages: Sequence[str] | None = None,
) -> Backbone:
    """A backbone, computing by Keras' dtype policy; its preprocessing loses nothing.

    Args:
        name: what it is:

            - one of `names()`; capitals and underscores do not matter;
            - the path of a folder that `save_to_preset` of KerasHub wrote;
            - a model of KerasHub, or a Keras model of your own: a copy with its weights is given;
              average pooling and dense layers at its end are cut off;
            - a `Backbone`, of which a copy is given.
        weights: "pretrained" (or "imagenet", as Keras calls it), None for initial weights, or the
            path of a local file.
        image_size: side in pixels, or (H, W); None is the size it was trained at.
        seed: of the initial weights.
        scale: of a preset or a model: what pictures of 0 to 255 are multiplied by, one number or
            one a colour. By default what the preset says; 1 for a model of your own.
        offset: what is added then.
        stages: of a model of your own: the names of the layers that end its stages.

    Raises:
        ValueError: the name is unknown, the size too small, the model not one of pictures, or the
            weights do not fit.

    Example:
        >>> get("efficientnet_lite0", weights=None, image_size=64).input_shape
        (64, 64, 3)
    """
    require_channels_last()
    _check_type(name)
    size = _pair(image_size)
    weights = known_weights(weights)
    if size is not None and min(size) < 32:
        raise ValueError(f"image_size: {image_size!r} is below the least of 32 pixels.")
    options: dict[str, Any] = {"weights": weights, "image_size": size, "seed": seed}
    if scale is not None or offset is not None:
        options["colours"] = (1.0 if scale is None else scale, 0.0 if offset is None else offset)
    policy = keras.config.dtype_policy().name
    with scope(FLOAT32):
        return _built(name, stages, options).computing(policy)


def _built(name: Any, stages: Sequence[str] | None, options: dict[str, Any]) -> Backbone:
    """A backbone in float32."""
    if isinstance(name, keras.Model) and not hub.is_network(name):
        _refuse_file(options["weights"])
        return own.build(name, stages=stages, **options)
    if stages is not None:
        raise ValueError("stages: they are named for a model of your own only.")
    if hub.is_network(name):
        _refuse_file(options["weights"])
        return hub.from_object(name, **options)
    if not isinstance(name, Backbone) and _of_hub(name):
        return hub.build(_known(name), **options)
    if "colours" in options:
        raise ValueError("scale: it is for presets of KerasHub and models of your own only.")
    if isinstance(name, Backbone):
        return _copied(name, options["weights"], options["image_size"], options["seed"])
    name = canonical_name(name)
    module = efficientnet_lite if name in efficientnet_lite.VARIANTS else applications
    return module.build(name, **options)


def check(backbone: Any, image_size: int | tuple[int, int] | None = None) -> None:
    """Refuse what is no backbone, or takes no pictures of a size, before anything is built.

    Raises:
        ValueError: as `get`.

    Example:
        >>> check("efficientnet_light0")
        Traceback (most recent call last):
        ValueError: Unknown backbone: 'efficientnet_light0'. Did you mean 'efficientnet_lite0'?...
    """
    _check_type(backbone)
    if isinstance(backbone, Backbone | keras.Model):
        return
    if _of_hub(backbone):
        hub.described_by(_known(backbone), _pair(image_size))
    else:
        canonical_name(backbone)


def as_option(backbone: Any, image_size: int | None = None, weights: str | None = None) -> Any:
    """A backbone as settings keep it: a name or a folder's full path as a text, or a `Backbone`.

    Raises:
        ValueError: as `get`, as far as it can be told before a network is built by name.

    Example:
        >>> as_option("resnet50")
        'resnet50'
    """
    weights = known_weights(weights)
    check(backbone, image_size)
    if isinstance(backbone, keras.Model):
        _refuse_file(weights)
        return get(backbone, image_size=image_size)
    if isinstance(backbone, Backbone):
        _refuse_file(weights)
        return backbone
    return os.path.abspath(backbone) if _is_folder(backbone) else str(backbone)


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


def _check_type(backbone: Any) -> None:
    if not isinstance(backbone, str | os.PathLike | Backbone | keras.Model):
        kind = type(backbone).__name__
        raise ValueError(f"backbone: {kind} is not a name, a folder, a Backbone or a Keras model.")


def _pair(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    return (image_size, image_size) if isinstance(image_size, int) else image_size


def _of_hub(name: str | os.PathLike) -> bool:
    """Whether a name is of a preset, or a folder's path."""
    return _known(name) in presets() or _is_folder(name)


def _is_folder(name: str | os.PathLike) -> bool:
    known = _known(name)
    return known not in names() and Path(known).is_dir()


def _known(name: str | os.PathLike) -> str:
    """The name as `names()` has it, where it is one; a name goes before a folder."""
    plain = {known.lower().replace("_", ""): known for known in names()}
    return plain.get(os.fspath(name).lower().replace("_", ""), os.fspath(name))


def _refuse_file(weights: str | None) -> None:
    if weights not in (None, "pretrained"):
        raise ValueError(f"weights: {weights!r}; a backbone that is an object has its own.")


def _copied(backbone: Backbone, weights: str | None, size, seed: int) -> Backbone:
    if size not in (None, tuple(backbone.image_size)):
        raise ValueError(
            f"image_size: {size} pixels; the backbone {backbone.name!r} was built for "
            f"{backbone.image_size}."
        )
    _refuse_file(weights)
    return backbone.copy(pretrained=weights is not None, seed=seed)


def canonical_name(name: str | os.PathLike) -> str:
    """The name as `names()` has it.

    Raises:
        ValueError: the name is unknown; the text lists those allowed and the nearest.

    Example:
        >>> canonical_name("resnet50_v2")
        'ResNet50V2'
    """
    return find(_known(name), {known: known for known in names()}, what="backbone")


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
