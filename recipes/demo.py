"""The main job on pictures that come with scikit-learn: handwritten digits, 8 × 8 pixels."""

import tempfile
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

from recipes.run import Run
from recipes.workflow import fit_folder

IMAGE_SIZE = 64
EPOCHS = 12


def write_digits(folder: str | Path) -> Path:
    """Write scikit-learn's 1,797 digits as PNG files, one folder a class.

    Args:
        folder: where; it is made.

    Returns:
        The folder.

    Source:
        Optical Recognition of Handwritten Digits, UCI, as `sklearn.datasets.load_digits` has it.
    """
    folder = Path(folder)
    digits = load_digits()
    for index, (picture, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 255 / 16).astype("uint8")).save(place / f"{index:04d}.png")
    return folder


def fit_demo(output: str | Path, *, overwrite: bool = False) -> Run:
    """Train on the digits, small enough for a few minutes on two cores.

    Args:
        output: the run's folder.
        overwrite: replace a finished run there.
    """
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_digits(Path(folder) / "digits")
        return fit_folder(
            pictures, output=output, image_size=IMAGE_SIZE, epochs=EPOCHS, overwrite=overwrite
        )
