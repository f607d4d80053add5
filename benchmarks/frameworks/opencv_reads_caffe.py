"""OpenCV 4 reads the network as a Caffe prototxt and a caffemodel, both written here by hand.

A caffemodel is a protocol buffer: fields are a tag (number × 8 + kind) and a value, where kind 0 is
a variable-length integer and kind 2 a length and as many bytes. The few fields that are needed:
NetParameter.layer = 100; LayerParameter.name = 1, .type = 2, .blobs = 7; BlobProto.shape = 7,
.data = 5; BlobShape.dim = 1.
"""

import json
import struct
import sys
from pathlib import Path

import cv2
import numpy as np

EPSILON = 1e-3  # of Keras' batch normalization


def integer(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + integer(rest) if rest else bytes([low])


def field(number: int, content: bytes) -> bytes:
    return integer(number * 8 + 2) + integer(len(content)) + content


def blob(array: np.ndarray) -> bytes:
    shape = b"".join(map(integer, array.shape))
    data = struct.pack(f"<{array.size}f", *array.ravel().tolist())
    return field(7, field(7, field(1, shape)) + field(5, data))


class Writer:
    """Layers one after the other."""

    def __init__(self, shape):
        sizes = " ".join(f"dim: {size}" for size in shape)
        self.text = f'input: "data" input_shape {{ {sizes} }}\n'
        self.binary = b""
        self.last, self.count = "data", 0

    def add(self, kind: str, options: str = "", *arrays: np.ndarray) -> None:
        """A layer on the last one, with its options and its arrays."""
        name = f"{kind}{self.count}"
        self.text += (
            f'layer {{ name: "{name}" type: "{kind}" bottom: "{self.last}" top: "{name}" '
            f"{options} }}\n"
        )
        content = field(1, name.encode()) + field(2, kind.encode()) + b"".join(map(blob, arrays))
        self.binary += field(100, content)
        self.last, self.count = name, self.count + 1


folder = Path(sys.argv[1])
pictures = np.load(folder / "pictures.npy").transpose(0, 3, 1, 2)
expected = np.load(folder / "probabilities.npy")
weights = np.load(folder / "weights.npz")
layers = list(dict.fromkeys(path.split("/")[0] for path in weights.files))
caffe = Writer(pictures.shape)
convolutions = 0
for layer in layers:
    own = {
        path.split("/")[1]: weights[path] for path in weights.files if path.split("/")[0] == layer
    }
    if layer.startswith("conv2d"):
        kernel = own["kernel"].transpose(3, 2, 0, 1)
        options = f"num_output: {len(kernel)} kernel_size: 3 pad: 1 bias_term: "
        arrays = [kernel, own["bias"]] if "bias" in own else [kernel]
        options += "true" if "bias" in own else "false"
        caffe.add("Convolution", f"convolution_param {{ {options} }}", *arrays)
        convolutions += 1
    elif layer.startswith("batch_normalization"):
        options = f"batch_norm_param {{ use_global_stats: true eps: {EPSILON} }}"
        statistics = own["moving_mean"], own["moving_variance"], np.ones(1, "float32")
        caffe.add("BatchNorm", options, *statistics)
        caffe.add("Scale", "scale_param { bias_term: true }", own["gamma"], own["beta"])
        caffe.add("ReLU")
        if convolutions % 2 == 0:
            caffe.add("Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    else:
        caffe.add("Pooling", "pooling_param { pool: AVE global_pooling: true }")
        options = f"inner_product_param {{ num_output: {own['kernel'].shape[1]} }}"
        caffe.add("InnerProduct", options, own["kernel"].T.copy(), own["bias"])
        caffe.add("Softmax")
(folder / "network.prototxt").write_text(caffe.text)
(folder / "network.caffemodel").write_bytes(caffe.binary)
network = cv2.dnn.readNetFromCaffe(
    str(folder / "network.prototxt"), str(folder / "network.caffemodel")
)
network.setInput(pictures)
found = network.forward()
versions = f"opencv {cv2.__version__}"
print(json.dumps({"versions": versions, "difference": float(abs(found - expected).max())}))
