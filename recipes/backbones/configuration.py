"""A Keras model's configuration, which may be anybody's: copied value by value, or refused.

The copy holds layers of a fixed list, numbers within bounds and short texts. What Keras would run,
or import by its name, is not among them: functions, other classes, how a model was compiled.
"""

import re
from collections.abc import Mapping
from typing import Any

from recipes.backbones.hub.values import shown
from recipes.saving import PACKAGE, SAVED_IN

MOST = 1 << 32  # of a number: seeds are the largest
MOST_OBJECTS = 100_000
MOST_DEPTH = 50
TEXT = re.compile(r"(?:->|[\w ./,:-]){0,200}")
KEY = re.compile(r"\w{1,80}", re.ASCII)
NETWORK = ("name", "trainable", "layers", "input_layers", "output_layers")
DTYPES = (None, "float16", "bfloat16", "float32", "float64", "uint8", "int32", "int64", "bool")
# Values that Keras writes as objects, but makes of no class.
VALUES = ("__keras_tensor__", "__numpy__", "__tensor__", "__slice__", "__ellipsis__")
# Keys of an object, which a mapping that is none may not have.
OBJECT = ("class_name", "module", "registered_name", "config", "build_config", "compile_config")

LAYERS = """
    Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention Average
    AveragePooling1D AveragePooling2D BatchNormalization CenterCrop Concatenate Conv1D
    Conv1DTranspose Conv2D Conv2DTranspose Cropping1D Cropping2D Dense DepthwiseConv1D
    DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Flatten GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D
    GroupNormalization GroupQueryAttention Identity InputLayer LayerNormalization LeakyReLU
    MaxPooling1D MaxPooling2D Maximum Minimum MultiHeadAttention Multiply Normalization PReLU
    Permute RMSNormalization RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation
    RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D
    SeparableConv2D Softmax SpatialDropout1D SpatialDropout2D Subtract UnitNormalization
    UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D
"""
INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
    Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
"""
OF_NUMPY = """
    Absolute Add BroadcastTo Clip Concatenate Cos Divide Einsum Exp ExpandDims Flip GetItem Log
    Matmul Max Maximum Mean Min Minimum Moveaxis Multiply Negative Pad Power Repeat Reshape Roll
    Sin Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take Tanh Tile Transpose
    TrueDivide Var Where
"""
OF_NN = """
    AveragePool Celu DepthToSpace Elu Gelu HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid
    LogSoftmax MaxPool Normalize Relu Relu6 Selu Sigmoid Silu Softmax Softplus Softsign SpaceToDepth
"""
# By the module that Keras names; not all of them are public.
OF_KERAS = {
    "keras": "Sequential",
    "keras.layers": LAYERS,
    "keras.initializers": INITIALIZERS,
    "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
    "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
    "keras.random": "SeedGenerator",
    "keras.src.applications.convnext": "LayerScale",
    "keras.src.applications.inception_resnet_v2": "CustomScaleLayer",
    "keras.src.models.functional": "Functional",
    "keras.src.ops.core": "Cast",
    "keras.src.ops.image": "Resize",
    "keras.src.ops.math": "Erf Rsqrt",
    "keras.src.ops.nn": OF_NN,
    "keras.src.ops.numpy": OF_NUMPY,
}
OURS = ("recipes.classifiers.", "recipes.ingredients.")
ALLOWED = {
    **{module: frozenset(names.split()) for module, names in OF_KERAS.items()},
    **{module: frozenset(names) for module, names in SAVED_IN.items() if module.startswith(OURS)},
}


def checked(config: Any) -> dict:
    """A copy of what `get_config` of a functional model gave, of which Keras can make a model.

    Types in which layers compute, and how they were built, are left out.

    Raises:
        ValueError: it holds what is not allowed; one line says what.

    Example:
        >>> layer = {"module": "os", "class_name": "system", "config": {"command": "ls"}}
        >>> checked({**dict.fromkeys(NETWORK), "layers": [layer]})
        Traceback (most recent call last):
        ValueError: 'system' of 'os' is not among the layers that are built from a file.
    """
    if not isinstance(config, Mapping) or set(config) != set(NETWORK):
        raise ValueError(f"{shown(config)} is not the configuration of a functional model.")
    try:
        return _Copy().mapping(config, 0)
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None


class _Copy:
    """Copies values; counts the objects among them, as often as they are called."""

    def __init__(self):
        self.count = 0

    def value(self, value: Any, depth: int) -> Any:
        """A number, a text, an object, or a list or mapping of them."""
        if depth > MOST_DEPTH:
            raise ValueError("it is nested too deeply.")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float) and abs(value) <= MOST:
            return value
        if isinstance(value, str) and TEXT.fullmatch(value):
            return value
        if isinstance(value, list | tuple):
            return [self.value(one, depth + 1) for one in value]
        if isinstance(value, Mapping):
            read = self.object if "class_name" in value else self.mapping
            return read(value, depth + 1)
        raise ValueError(f"{shown(value)} is beyond the numbers and texts that are allowed.")

    def mapping(self, values: Any, depth: int) -> dict:
        """Values by name."""
        if not isinstance(values, Mapping):
            raise ValueError(f"{shown(values)} is not a JSON object.")
        for name, value in values.items():
            if not isinstance(name, str) or not KEY.fullmatch(name) or name in OBJECT:
                raise ValueError(f"{shown(name)} is not the name of a value.")
            if name == "dtype" and not isinstance(value, Mapping) and value not in DTYPES:
                raise ValueError(f"dtype: {shown(value)} is none of {', '.join(DTYPES[1:])}.")
        return {
            name: self.value(value, depth + 1)
            for name, value in values.items()
            if name != "dtype" or not isinstance(value, Mapping)  # a policy
        }

    def object(self, node: Mapping, depth: int) -> dict:
        """A layer, or what belongs to one: its class from the list, its configuration copied."""
        name, module = str(node["class_name"]), str(node.get("module"))
        before = self.count
        self._count(1)
        if name in VALUES and "module" not in node:
            return {"class_name": name, "config": self.mapping(node.get("config"), depth)}
        if name not in ALLOWED.get(module, ()):
            raise ValueError(
                f"{shown(name)} of {shown(module)} is not among the layers that are built from a "
                "file."
            )
        try:
            config = self.mapping(node.get("config"), depth)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        copy = {
            "module": module,
            "class_name": name,
            "registered_name": _registered(module, name),
            "config": config,
        }
        for key in ("name", "inbound_nodes"):
            if key in node:
                copy[key] = self.value(node[key], depth + 1)
        calls = copy.get("inbound_nodes", [])
        if not isinstance(calls, list):
            raise ValueError(f"inbound_nodes: {shown(calls)} is not a list.")
        self._count((self.count - before) * max(len(calls) - 1, 0))
        return copy

    def _count(self, more: int) -> None:
        self.count += more
        if self.count > MOST_OBJECTS:
            raise ValueError(f"it has more than {MOST_OBJECTS:,} layers and parts of them.")


def _registered(module: str, name: str) -> str | None:
    """The name by which Keras looks for a class before it does by its module."""
    if module in OF_KERAS:
        return name if module.startswith("keras.src.") else None
    return f"{PACKAGE}>{name}"
