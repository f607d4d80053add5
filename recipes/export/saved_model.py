"""TensorFlow's SavedModel, a folder."""

import json
from pathlib import Path

import keras

from recipes.export.base import Format
from recipes.files import write_text


class SavedModel(Format):
    """A SavedModel; the labels are a file among its extra assets."""

    name = "saved_model"
    file = "saved_model"
    backends = ("tensorflow",)

    def write(self, model: keras.Model, path: Path, labels: dict) -> None:
        """Write the folder."""
        model.export(path, format="tf_saved_model", verbose=False)
        (path / "assets.extra").mkdir()
        write_text(path / "assets.extra" / "labels.json", json.dumps(labels))

    @staticmethod
    def load(path):
        """The folder in TensorFlow, from pictures to probabilities, and its labels."""
        import json

        import tensorflow as tf

        loaded = tf.saved_model.load(str(path))
        names = list(loaded.signatures["serving_default"].structured_input_signature[1])
        if len(names) != 1:
            raise ValueError(f"{path} has the inputs {', '.join(names)}; one is right.")
        labels = json.loads((path / "assets.extra" / "labels.json").read_text("utf-8"))
        return lambda batch: loaded.serve(tf.constant(batch)).numpy(), labels
