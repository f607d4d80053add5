"""LiteRT files, formerly TensorFlow Lite."""

import json
import zipfile
from pathlib import Path

import keras

from recipes.export.base import Format


class LiteRT(Format):
    """A LiteRT file; the labels are packed as its associated files are, in a zip at its end."""

    name = "litert"
    file = "model.tflite"
    backends = ("tensorflow",)

    def write(self, model: keras.Model, path: Path, labels: dict) -> None:
        """Write the file."""
        model.export(path, format="litert", verbose=False)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("labels.json", json.dumps(labels))

    @staticmethod
    def load(path):
        """The file in LiteRT, from pictures to probabilities, and its labels."""
        import json
        import zipfile

        from ai_edge_litert.interpreter import Interpreter  # pip install ai-edge-litert

        interpreter = Interpreter(str(path))
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1:
            raise ValueError(f"{path} has {len(inputs)} inputs; one is right.")

        def predict(batch):
            interpreter.resize_tensor_input(inputs[0]["index"], batch.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(inputs[0]["index"], batch)
            interpreter.invoke()
            return interpreter.get_tensor(outputs[0]["index"])

        with zipfile.ZipFile(path) as archive:
            return predict, json.loads(archive.read("labels.json"))
