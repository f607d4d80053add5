"""Is decoding quicker than `keras.utils.image_dataset_from_directory`, and the pixels as good?

Generated JPEGs of several sizes in class folders are read to 224 × 224 pixels, by the library's
own stream and by Keras' function, interleaved; every picture is looked at, in the first epoch and
in some more: the library decodes once and keeps the pixels, Keras decodes in each epoch. The pixels
of both are compared with Pillow's full decoding and antialiased resizing.

    python benchmarks/decode.py --megapixels 1 2 12 --pictures 100 --epochs 5 --repeats 3
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from recipes.images.pipeline import Batches, stream

SIZE = (224, 224)


def make(folder: Path, count: int, megapixels: float) -> list[str]:
    """JPEGs of four by three, with structure at all scales."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        noise = Image.fromarray(rng.integers(0, 256, (75, 100, 3), "uint8"))
        picture = noise.resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))
        path = folder / f"class{number % 2}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=90)
        paths.append(str(path.relative_to(folder)))
    return sorted(paths)


def by_stream(folder: Path, paths: list[str]) -> Callable[[], np.ndarray]:
    pixels = np.concatenate([pictures for _, pictures, _ in stream(folder, paths, SIZE)])
    batches = Batches(pixels, np.zeros(len(pixels)))
    return lambda: np.concatenate([batches[index][0] for index in range(len(batches))])


def by_keras(folder: Path, paths: list[str]) -> Callable[[], np.ndarray]:
    batches = keras.utils.image_dataset_from_directory(
        folder, image_size=SIZE, shuffle=False, verbose=False
    )
    return lambda: np.concatenate([pictures.numpy() for pictures, _ in batches])


def fully_decoded(path: Path) -> np.ndarray:
    picture = Image.open(path).resize(SIZE[::-1], Image.Resampling.BICUBIC)
    return np.asarray(picture, "float32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 12])
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    for megapixels in options.megapixels:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            paths = make(folder, options.pictures, megapixels)
            exact = np.stack([fully_decoded(folder / path) for path in paths[:20]])
            for repeat in range(options.repeats):
                for name, read in (("stream", by_stream), ("keras", by_keras)):
                    began = time.perf_counter()
                    epoch = read(folder, paths)
                    pixels = epoch()
                    first = time.perf_counter() - began
                    for _ in range(options.epochs - 1):
                        epoch()
                    seconds = time.perf_counter() - began
                    error = np.abs(pixels[: len(exact)].astype("float32") - exact).mean()
                    rows.append(
                        {
                            "megapixels": megapixels,
                            "repeat": repeat,
                            "way": name,
                            "seconds, first epoch": first,
                            f"seconds, {options.epochs} epochs": seconds,
                            "error": error,
                        }
                    )
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False)
    for column in [name for name in table if name.startswith("seconds")]:
        times = table.pivot(index="megapixels", columns=["repeat", "way"], values=column)
        ratios = times.xs("keras", axis=1, level="way") / times.xs("stream", axis=1, level="way")
        print(f"{column}: how many times as fast as Keras, by repeat")
        print(ratios.round(2).to_string())
    print("mean error in grey levels of 255 against Pillow's full decoding:")
    print(table.groupby(["megapixels", "way"])["error"].first().unstack().round(2).to_string())


if __name__ == "__main__":
    main()
