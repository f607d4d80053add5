"""onnx2torch makes a torch.nn.Module of the ONNX file."""

import contextlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import torch

with contextlib.suppress(ImportError, RuntimeError):
    import torchvision
if "torchvision" not in sys.modules:
    # onnx2torch needs it for two operators that are not in this network; here its build for
    # accelerators does not load beside a torch without.
    torchvision = ModuleType("torchvision")
    torchvision.ops = sys.modules["torchvision.ops"] = ModuleType("torchvision.ops")
    torchvision.ops.nms = torchvision.ops.roi_align = None
    sys.modules["torchvision"] = torchvision
from onnx2torch import convert

folder = Path(sys.argv[1])
pictures = torch.from_numpy(np.load(folder / "pictures.npy"))
expected = np.load(folder / "probabilities.npy")
module = convert(onnx.load(folder / "opset13.onnx")).eval()
found = module(pictures).detach().numpy()
versions = f"torch {torch.__version__}, onnx2torch {version('onnx2torch')}"
print(json.dumps({"versions": versions, "difference": float(abs(found - expected).max())}))
