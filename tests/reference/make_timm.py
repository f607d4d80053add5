"""Makes timm.json: what timm 1.0.31 gives for the ingredients that PyTorch itself has not.

Run it where timm is installed, which the tests do not need: `python make_timm.py timm.json`.
Tensors are channels-last in the file, as they are in Keras.
"""

import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from timm.layers import (
    FilterResponseNormTlu2d,
    GluMlp,
    StdConv2d,
    SwiGLUPacked,
    create_act_layer,
    drop_block_2d,
    drop_path,
)
from timm.models.nfnet import _nonlin_gamma

ACTIVATIONS = (
    *("silu", "swish", "mish", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu"),
    *("quick_gelu", "sigmoid", "tanh", "hard_sigmoid", "hard_swish", "hard_mish", "identity"),
)
X = np.linspace(-6, 6, 49).astype("float32")


def listed(tensor) -> list:
    """A tensor as nested lists of short numbers."""
    return np.asarray(tensor.detach(), "float64").round(7).tolist()


def last(tensor):
    """Channels-first to channels-last."""
    return tensor.permute(0, 2, 3, 1)


def draw(*shape):
    """Values of NumPy's generator."""
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype("float32"))


def gated(make) -> dict:
    """A gated perceptron whose two dense layers are the identity."""
    x = draw(5, 8)
    layer = make(8, 8, 4)
    with torch.no_grad():
        layer.fc1.weight.copy_(torch.eye(8))
        layer.fc1.bias.zero_()
        layer.fc2.weight.copy_(torch.eye(4))
        layer.fc2.bias.zero_()
    return {"x": listed(x), "y": listed(layer(x))}


def filter_response() -> dict:
    """FRN and TLU with parameters that are not those of the start."""
    x, layer = draw(2, 3, 4, 5), FilterResponseNormTlu2d(3, eps=1e-6)
    values = {"weight": [0.5, 1.0, 2.0], "bias": [0.1, -0.2, 0.0], "tau": [-0.3, 0.2, 0.0]}
    with torch.no_grad():
        for name, value in values.items():
            getattr(layer, name).copy_(torch.tensor(value))
    return {"x": listed(last(x)), "y": listed(last(layer(x))), **values}


def standardized(groups: int) -> dict:
    """A convolution of standardized kernels, in the order (height, width, in, out)."""
    x, layer = draw(2, 4, 5, 5), StdConv2d(4, 4 if groups > 1 else 3, 3, padding=0, groups=groups)
    kernel = draw(*layer.weight.shape)
    with torch.no_grad():
        layer.weight.copy_(kernel)
    order = (2, 3, 0, 1) if groups > 1 else (2, 3, 1, 0)
    return {
        "x": listed(last(x)),
        "y": listed(last(layer(x))),
        "kernel": listed(kernel.permute(*order)),
    }


def dropped() -> dict:
    """The share of places that drop block leaves, and its values; and the same of drop path."""
    torch.manual_seed(0)
    left = {}
    for block_size, rate in ((3, 0.1), (5, 0.3), (4, 0.2)):
        y = drop_block_2d(torch.ones(4096, 1, 12, 10), rate, block_size)
        left[f"{block_size}, {rate}"] = float((y > 0).float().mean())
    branches = drop_path(torch.ones(8192, 2), 0.25, training=True)
    return {
        "drop_block": left,
        "drop_path": {"kept": float((branches > 0).float().mean()), "most": float(branches.max())},
    }


def main(path: str) -> None:
    """Write the file."""
    values = {
        "timm": timm.__version__,
        "x": X.tolist(),
        "activations": {
            name: listed(create_act_layer(name)(torch.from_numpy(X))) for name in ACTIVATIONS
        },
        "glu": gated(GluMlp),
        "swiglu": gated(SwiGLUPacked),
        "filter_response": filter_response(),
        "weight_standardization": standardized(1),
        "weight_standardization_depthwise": standardized(4),
        "dropped": dropped(),
        "gamma": {k: _nonlin_gamma[k] for k in ("tanh", "softsign")},
    }
    Path(path).write_text(json.dumps(values), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
