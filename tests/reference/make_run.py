"""Makes run_0_1_0.tar.xz: a run of version 0.1.0, by which later versions are held to read it.

Run it with the code of version 0.1.0 at hand, in its repository: `python make_run.py OUTPUT`. The
archive has `run/`, a run folder as that version left it, and `expected.csv`, what that version's
`recipes.predict` said of the pictures, which `make_classes(folder, 10, ("ash", "oak"))` draws.

The backbone is Keras' smallest, with kernels of two values each, so that the archive is small.
"""

import sys
import tarfile
import tempfile
from pathlib import Path

import keras
import numpy as np

import recipes
from tests.recipes.images import pictures

SIDE = 32
GAIN = 1.65  # of each kernel: the pooled features are about 1 then
PICTURES = ("png", "html")  # of the report: large, and not read


def write_backbone(path: Path) -> Path:
    """Weights of signs alone, scaled so that the pictures' colours reach the last layer."""
    shape = (SIDE, SIDE, 3)
    model = keras.applications.MobileNetV3Small(weights=None, include_top=False, input_shape=shape)
    rng = np.random.default_rng(0)
    values = []
    for variable in model.weights:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            inputs = np.prod(shape[:2] if "depthwise" in variable.path else shape[:-1])
            signs = rng.integers(0, 2, shape) * 2 - 1
            values.append((signs * GAIN / np.sqrt(inputs)).astype("float32"))
        elif "variance" in variable.path or "gamma" in variable.path:
            values.append(np.ones(shape, "float32"))
        else:
            values.append(np.zeros(shape, "float32"))
    model.set_weights(values)
    model.save_weights(path)
    return path


def main(output: str) -> None:
    """Train, predict and pack."""
    place = Path(tempfile.mkdtemp())
    photos = pictures.make_classes(place / "photos", 10, ("ash", "oak"))
    run = recipes.fit_folder(
        photos,
        output=place / "run",
        backbone="MobileNetV3Small",
        weights=str(write_backbone(place / "backbone.weights.h5")),
        strategy="head_only",
        image_size=SIDE,
        epochs=12,
        verbose=False,
    )
    table = recipes.predict(run.folder, photos, verbose=False)
    table["file"] = [Path(file).relative_to(photos).as_posix() for file in table["file"]]
    table.to_csv(place / "expected.csv", index=False)
    print(run.metrics, table.to_string())
    with tarfile.open(output, "w:xz", preset=9) as archive:
        for path in (place / "expected.csv", *sorted((place / "run").iterdir())):
            if not path.name.endswith(PICTURES):
                archive.add(path, path.relative_to(place).as_posix())


if __name__ == "__main__":
    main(*sys.argv[1:])
