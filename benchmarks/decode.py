"""Is decoding quicker than `keras.utils.image_dataset_from_directory`, and the pixels as good?

Generated JPEGs of two megapixels in class folders are read to 224 × 224 pixels, once by the
library's own stream and once by Keras' function, interleaved; every picture is looked at. The
pixels of both are compared with Pillow's full decoding and antialiased resizing.

    python benchmarks/decode.py --pictures 400 --repeats 3
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from recipes.images.pipeline import stream

SIZE = (224, 224)


def make(folder: Path, count: int) -> list[str]:
    """JPEGs of 1,600 × 1,200 pixels with structure at all scales."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        noise = Image.fromarray(rng.integers(0, 256, (75, 100, 3), "uint8"))
        picture = noise.resize((1600, 1200), Image.Resampling.BICUBIC)
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))
        path = folder / f"class{number % 2}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=90)
        paths.append(str(path.relative_to(folder)))
    return sorted(paths)


def by_stream(folder: Path, paths: list[str]) -> np.ndarray:
    return np.concatenate([pictures for _, pictures, _ in stream(folder, paths, SIZE)])


def by_keras(folder: Path, paths: list[str]) -> np.ndarray:
    batches = keras.utils.image_dataset_from_directory(
        folder, image_size=SIZE, shuffle=False, verbose=False
    )
    return np.concatenate([pictures.numpy() for pictures, _ in batches])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = make(folder, options.pictures)
        exact = np.stack(
            [
                np.asarray(
                    Image.open(folder / path).resize(SIZE[::-1], Image.Resampling.BICUBIC),
                    "float32",
                )
                for path in paths[:50]
            ]
        )
        for repeat in range(options.repeats):
            for name, read in (("stream", by_stream), ("keras", by_keras)):
                began = time.perf_counter()
                pixels = read(folder, paths)
                seconds = time.perf_counter() - began
                error = np.abs(pixels[: len(exact)].astype("float32") - exact).mean()
                rows.append({"repeat": repeat, "way": name, "seconds": seconds, "error": error})
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False)
    print(table.round(3).to_string(index=False))
    ratio = table.pivot(index="repeat", columns="way", values="seconds")
    ratio = ratio["keras"] / ratio["stream"]
    print(f"Keras' function takes {ratio.median():.2f} times as long ({ratio.min():.2f} to "
          f"{ratio.max():.2f}); mean error in grey levels of 255 against Pillow's full decoding: "
          f"{table.groupby('way')['error'].first().round(2).to_dict()}")  # fmt: skip


if __name__ == "__main__":
    main()
