"""What is known of each activation: its layer, range, saturation, and the kernel that suits it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers

from recipes.ingredients.activation_layers import (
    TLU,
    ChannelPReLU,
    HardMish,
    KerasFunction,
    QuickGELU,
    RReLU,
    ScaledTanh,
)
from recipes.ingredients.identifiers import Maker
from recipes.ingredients.joint_activations import GLU, CReLU, Maxout, Sparsemax, SwiGLU


@dataclass(frozen=True)
class Activation:
    """An activation and what is known about it.

    Attributes:
        make: builds the layer from its options.
        low: the infimum of its values.
        high: the supremum.
        zero_centred: whether positive and negative values occur in like measure.
        saturating: where the gradient vanishes: "both sides", "left side", "right side" or "no".
        monotonic: whether it never falls.
        smooth: whether it has a derivative everywhere.
        parameters: learned ones of a channel.
        initializer: of the kernel that feeds it: "glorot", "he" or "lecun".
    """

    make: Callable[..., layers.Layer]
    low: float
    high: float
    zero_centred: bool
    saturating: str
    monotonic: bool
    smooth: bool
    parameters: int
    initializer: str


def _function(name: str, **defaults) -> Callable[..., layers.Layer]:
    """Keras' function of a name; as a layer of our own where it has parameters."""

    def make(**options):
        parameters = {**defaults, **options}
        return KerasFunction(name, parameters) if parameters else layers.Activation(name)

    return Maker(make, getattr(keras.activations, name))


_INF = float("inf")
BOTH, LEFT, RIGHT, NO = "both sides", "left side", "right side", "no"
GLOROT, HE, LECUN = "glorot", "he", "lecun"
_FACTS = {  # low, high, zero-centred, saturating, monotonic, smooth, parameters, initializer
    "sigmoid": (_function("sigmoid"), 0, 1, False, BOTH, True, True, 0, GLOROT),
    "tanh": (_function("tanh"), -1, 1, True, BOTH, True, True, 0, GLOROT),
    "relu": (layers.ReLU, 0, _INF, False, LEFT, True, False, 0, HE),
    "crelu": (CReLU, 0, _INF, False, NO, False, False, 0, HE),
    "leaky_relu": (layers.LeakyReLU, -_INF, _INF, False, NO, True, False, 0, HE),
    "prelu": (ChannelPReLU, -_INF, _INF, False, NO, True, False, 1, HE),
    "rrelu": (RReLU, -_INF, _INF, False, NO, True, False, 0, HE),
    "tlu": (TLU, -_INF, _INF, False, LEFT, True, False, 1, HE),
    "threshold": (
        _function("threshold", threshold=1.0, default_value=0.0),
        *(0, _INF, False, LEFT, True, False, 0, HE),
    ),
    "relu6": (_function("relu6"), 0, 6, False, BOTH, True, False, 0, HE),
    "silu": (_function("silu"), -0.2784645, _INF, False, LEFT, False, True, 0, HE),
    "hard_silu": (_function("hard_silu"), -0.375, _INF, False, LEFT, False, False, 0, HE),
    "mish": (_function("mish"), -0.3088427, _INF, False, LEFT, False, True, 0, HE),
    "hard_mish": (HardMish, -0.5, _INF, False, LEFT, False, False, 0, HE),
    "gelu": (_function("gelu"), -0.1699708, _INF, False, LEFT, False, True, 0, HE),
    "quick_gelu": (QuickGELU, -0.1636101, _INF, False, LEFT, False, True, 0, HE),
    "selu": (_function("selu"), -1.7580993, _INF, True, LEFT, True, False, 0, LECUN),
    "elu": (layers.ELU, -1, _INF, False, LEFT, True, True, 0, HE),
    "celu": (_function("celu"), -1, _INF, False, LEFT, True, True, 0, HE),
    "softplus": (_function("softplus"), 0, _INF, False, LEFT, True, True, 0, HE),
    "squareplus": (_function("squareplus"), 0, _INF, False, LEFT, True, True, 0, HE),
    "sparse_plus": (_function("sparse_plus"), 0, _INF, False, LEFT, True, True, 0, HE),
    "exponential": (_function("exponential"), 0, _INF, False, LEFT, True, True, 0, GLOROT),
    "log_sigmoid": (_function("log_sigmoid"), -_INF, 0, False, RIGHT, True, True, 0, GLOROT),
    "hard_sigmoid": (_function("hard_sigmoid"), 0, 1, False, BOTH, True, False, 0, GLOROT),
    "sparse_sigmoid": (_function("sparse_sigmoid"), 0, 1, False, BOTH, True, False, 0, GLOROT),
    "sparsemax": (Sparsemax, 0, 1, False, BOTH, True, False, 0, GLOROT),
    "hard_tanh": (_function("hard_tanh"), -1, 1, True, BOTH, True, False, 0, GLOROT),
    "scaled_tanh": (ScaledTanh, -1.7159, 1.7159, True, BOTH, True, True, 0, LECUN),
    "softsign": (_function("softsign"), -1, 1, True, BOTH, True, True, 0, GLOROT),
    "tanh_shrink": (_function("tanh_shrink"), -_INF, _INF, True, NO, True, True, 0, GLOROT),
    "soft_shrink": (_function("soft_shrink"), -_INF, _INF, True, NO, True, False, 0, GLOROT),
    "hard_shrink": (_function("hard_shrink"), -_INF, _INF, True, NO, True, False, 0, GLOROT),
    "maxout": (Maxout, -_INF, _INF, True, NO, True, False, 0, HE),
    "glu": (GLU, -_INF, _INF, True, NO, False, True, 0, GLOROT),
    "swiglu": (SwiGLU, -_INF, _INF, True, NO, False, True, 0, HE),
    "linear": (_function("linear"), -_INF, _INF, True, NO, True, True, 0, GLOROT),
}
ACTIVATIONS = {name: Activation(*facts) for name, facts in _FACTS.items()}
ALIASES = {
    "swish": "silu",
    "hardswish": "hard_silu",
    "none": "linear",
    "identity": "linear",
    "thresholdedrelu": "threshold",
    "thresholdedlinearunit": "tlu",
    "mishhard": "hard_mish",
    "hswish": "hard_silu",
    "hsigmoid": "hard_sigmoid",
    "stanh": "scaled_tanh",
    "swiglupacked": "swiglu",
}
PRESETS = dict.fromkeys(  # other names, folded, that stand for one with options
    ("gelutanh", "gelunew", "gelupytorchtanh"), ("gelu", {"approximate": True})
)
CLASSES = {  # the layers that have a name in the table
    **{make: name for name, (make, *_) in _FACTS.items() if inspect.isclass(make)},
    layers.PReLU: "prelu",
}
