"""How many pictures a second are varied: by Pillow, picture by picture, and on the device?

Photos of 224 pixels in batches of 32, each way in turn, several times over. Of Pillow there are the
kinds that every preset has: one affine map, brightness, contrast; by one thread, as a pipeline of
batches has it. The device has all its threads, and every preset. With `--threads 1`, TensorFlow has
one too. Prints the median of the rounds and how far they are apart, by the clock and by the seconds
that all threads together had of the processors; the former is written to a CSV file.

    python benchmarks/augmentation.py
"""

import argparse
import math
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--threads", type=int, default=0, help="of TensorFlow; 0 for its own choice")
parser.add_argument("--csv", type=Path, default=Path("augmentation.csv"))
options = parser.parse_args()
os.environ["TF_NUM_INTRAOP_THREADS"] = str(options.threads)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from PIL import Image, ImageEnhance  # noqa: E402
from sklearn.datasets import load_sample_images  # noqa: E402

from recipes.augmentation import PRESETS  # noqa: E402
from recipes.images.augment import draw  # noqa: E402
from recipes.images.varying import vary  # noqa: E402


def by_pillow(pictures, keys, settings):
    return np.stack([one(*pair, settings) for pair in zip(pictures, keys, strict=True)])


def one(picture, key, settings):
    rng, (height, width) = np.random.default_rng(key), picture.shape[:2]
    angle = math.radians(rng.uniform(-settings.rotation, settings.rotation))
    scale = 1 / (1 + rng.uniform(-settings.zoom, settings.zoom))
    mirror = -1 if rng.random() < 0.5 and settings.flip else 1
    shifts = rng.uniform(-settings.shift, settings.shift, 2) * (width, height)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    coefficients = []
    rows = ((mirror * cosine, -mirror * sine), (sine, cosine))
    for (a, b), middle, shift in zip(rows, (width / 2, height / 2), shifts, strict=True):
        coefficients += [a, b, middle + shift - a * width / 2 - b * height / 2]
    result = Image.fromarray(picture).transform(
        (width, height),
        Image.Transform.AFFINE,
        coefficients,
        Image.Resampling.BILINEAR,
        fillcolor=tuple(int(value) for value in picture.mean(axis=(0, 1))),
    )
    for enhancer, limit in (
        (ImageEnhance.Brightness, settings.brightness),
        (ImageEnhance.Contrast, settings.contrast),
    ):
        result = enhancer(result).enhance(1 + rng.uniform(-limit, limit))
    return np.asarray(result)


def on_the_device(pictures, keys, settings):
    given = {"pictures": pictures, **draw(settings, keys, pictures.shape[1:3])}
    varied = vary({name: keras.ops.convert_to_tensor(values) for name, values in given.items()})
    return keras.ops.convert_to_numpy(varied)


def main() -> None:
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    sides = (options.size, options.size)
    boxes = [(8 * i, 4 * i, 8 * i + 300, 4 * i + 300) for i in range(options.batch)]
    pictures = np.stack(
        [np.asarray(photos[i % 2].crop(box).resize(sides)) for i, box in enumerate(boxes)]
    )
    ways = {"Pillow, light": (by_pillow, "light"), "Pillow, strong": (by_pillow, "strong")}
    ways |= {f"device, {name}": (on_the_device, name) for name in PRESETS if name != "none"}
    seconds, busy = {name: [] for name in ways}, {name: [] for name in ways}
    for turn in range(options.rounds + 1):  # the first one compiles
        keys = [(0, turn, row) for row in range(options.batch)]
        for name, (way, preset) in ways.items():
            began, used = time.perf_counter(), time.process_time()
            way(pictures, keys, PRESETS[preset])
            seconds[name].append(time.perf_counter() - began)
            busy[name].append(time.process_time() - used)
    table = pd.DataFrame({name: options.batch / np.array(s[1:]) for name, s in seconds.items()})
    table.to_csv(options.csv, index_label="round")
    found = table.quantile([0.5, 0.1, 0.9]).T.set_axis(["median", "10 %", "90 %"], axis=1)
    found["to Pillow's light"] = found["median"] / found["median"].iloc[0]
    found["a processor second"] = [options.batch / np.median(used[1:]) for used in busy.values()]
    found["first batch, s"] = [s[0] for s in seconds.values()]
    print(
        f"pictures a second, {keras.backend.backend()}, {options.size} px, {options.batch} a batch"
    )
    print(found.round(2).to_string())


if __name__ == "__main__":
    main()
