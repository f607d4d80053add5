"""MXNet 1.9.1 reads an ONNX file of opset 8."""

import json
import sys
from pathlib import Path

import mxnet
import numpy as np
from mxnet.contrib import onnx

folder = Path(sys.argv[1])
pictures = np.load(folder / "pictures.npy")
expected = np.load(folder / "probabilities.npy")
symbol, arguments, auxiliaries = onnx.import_model(str(folder / "opset8.onnx"))
inputs = [name for name in symbol.list_inputs() if name not in {**arguments, **auxiliaries}]
module = mxnet.mod.Module(symbol, data_names=inputs, label_names=None)
module.bind([(inputs[0], pictures.shape)], for_training=False)
module.set_params(arguments, auxiliaries, allow_missing=True)
module.forward(mxnet.io.DataBatch([mxnet.nd.array(pictures)]))
found = module.get_outputs()[0].asnumpy()
versions = f"mxnet {mxnet.__version__}, numpy {np.__version__}"
print(json.dumps({"versions": versions, "difference": float(abs(found - expected).max())}))
