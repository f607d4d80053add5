"""ONNX files, for ONNX Runtime and all that reads the format."""

import contextlib
import json
import warnings
from collections.abc import Generator
from pathlib import Path

import keras

from recipes.export.base import Format
from recipes.export.rewriting import rewrite, spelled_out

OPSET = 18


class Onnx(Format):
    """An ONNX file; each entry of the labels is one of its metadata, as JSON."""

    name = "onnx"
    file = "model.onnx"
    backends = ("tensorflow", "torch")

    def write(self, model: keras.Model, path: Path, labels: dict) -> None:
        """Write the model in layers that the exporter understands."""
        import onnx

        rewritten = rewrite(model)
        rewritten(keras.ops.zeros((1, *model.input_shape[1:])))  # it wants a model once called
        with warnings.catch_warnings(), spelled_out(rewritten):
            warnings.simplefilter("ignore")  # Keras and tf2onnx ask NumPy for what it will drop
            with transposes_kept():
                rewritten.export(path, format="onnx", opset_version=OPSET, verbose=False)
        written = onnx.load(path)
        texts = {name: json.dumps(value) for name, value in labels.items()}
        onnx.helper.set_model_props(written, texts)
        onnx.checker.check_model(written)
        onnx.save(written, path)

    @staticmethod
    def load(path):
        """The file in ONNX Runtime, from pictures to probabilities, and its labels."""
        import json

        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]
        if len(names) != 1:
            raise ValueError(f"{path} has the inputs {', '.join(names)}; one is right.")
        texts = session.get_modelmeta().custom_metadata_map
        labels = {name: json.loads(text) for name, text in texts.items()}
        return lambda batch: session.run(None, {names[0]: batch})[0], labels


@contextlib.contextmanager
def transposes_kept() -> Generator[None]:
    """Keep tf2onnx from making reshapes of transposes of maps of 1 x 1 places.

    It takes the new shape from a table that it does not keep up to date where a tensor meets
    itself, as in a square: the file then normalizes over the wrong axes, and grows beyond memory
    where several such layers follow one another.
    """
    if keras.backend.backend() != "tensorflow":  # no other uses tf2onnx
        yield
        return
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    original = TransposeOptimizer.post_optimize_action
    TransposeOptimizer.post_optimize_action = lambda optimizer: None
    try:
        yield
    finally:
        TransposeOptimizer.post_optimize_action = original
