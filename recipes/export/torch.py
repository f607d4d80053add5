"""PyTorch's exported programs."""

import json
from pathlib import Path

import keras

from recipes.export.base import Format


class Torch(Format):
    """A program that `torch.export.load` reads; the labels are one of its extra files."""

    name = "torch"
    file = "model.pt2"
    backends = ("torch",)

    def write(self, model: keras.Model, path: Path, labels: dict) -> None:
        """Write the program, for batches of 1 to 4,096 pictures."""
        import torch

        batch = torch.export.Dim("batch", min=1, max=4096)
        model.export(path, format="torch", verbose=False, dynamic_shapes={0: batch})
        program = torch.export.load(path)
        torch.export.save(program, path, extra_files={"labels.json": json.dumps(labels)})

    @staticmethod
    def load(path):
        """The program in PyTorch, from pictures to probabilities, and its labels."""
        import json

        import torch

        extra = {"labels.json": ""}
        module = torch.export.load(path, extra_files=extra).module()
        labels = json.loads(extra["labels.json"])
        return lambda batch: module(torch.from_numpy(batch)).detach().numpy(), labels
