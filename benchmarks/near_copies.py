"""Are near copies found, merely similar pictures left alone, and is it quick?

Pictures of class folders are copied in six ways, as tools for augmentation do it, and looked for
among their originals: the share found of each kind. Then the folders as they are: how many
pictures are called copies of others (look at them with `--sheet`: folders may hold real copies).
Last the time and memory for many pictures of 224 pixels, next to the forward pass of
EfficientNet-Lite0 on some of them.

    python benchmarks/near_copies.py photos/ more/ --pictures 300 --many 10000
"""

import argparse
import io
import os
import random
import time
import tracemalloc
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image, ImageEnhance

from recipes import backbones
from recipes.images.copies import near_copies, thumbnail
from recipes.images.decode import AS_IT_IS
from recipes.images.folders import ClassFolders

TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
MIRRORS = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM)


def resized(picture, rng):
    scale = rng.choice([rng.uniform(0.4, 0.8), rng.uniform(1.2, 2)])
    return picture.resize(
        [max(8, round(side * scale * rng.uniform(0.9, 1.1))) for side in picture.size]
    )


def compressed(picture, rng):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=rng.randint(8, 30))
    return Image.open(buffer)


def cropped(picture, rng):
    width, height = picture.size
    left, top, right, bottom = (rng.uniform(0, 0.1) for _ in range(4))
    return picture.crop((width * left, height * top, width * (1 - right), height * (1 - bottom)))


def mirrored(picture, rng):
    return picture.transpose(rng.choice(MIRRORS))


def lit(picture, rng):
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.6, 1.4))
    return ImageEnhance.Contrast(picture).enhance(rng.uniform(0.6, 1.4))


def turned(picture, rng):
    """By 90, 180 or 270 degrees, or a few, with black, white or mirrored corners."""
    if rng.random() < 0.5:
        return picture.transpose(rng.choice(TURNS))
    return turned_a_little(picture, rng)


def turned_a_little(picture, rng):
    angle, fill = rng.uniform(-6, 6), rng.choice(["black", "white", None])
    if fill:
        return picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor=fill)
    margin = min(picture.size) // 4
    wide = np.pad(np.asarray(picture), ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    whole = Image.fromarray(wide).rotate(angle, Image.Resampling.BILINEAR)
    return whole.crop((margin, margin, whole.width - margin, whole.height - margin))


KINDS = (resized, compressed, cropped, mirrored, lit, turned, turned_a_little)


def opened(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )


def recall(paths: list[Path]) -> dict[str, float]:
    """The share of each kind of copy that is found among the originals."""
    rng = random.Random(0)
    pictures = [Image.open(path).convert("RGB") for path in paths]
    originals = np.stack([thumbnail(picture) for picture in pictures])
    shares = {}
    for kind in KINDS:
        copies = np.stack([thumbnail(kind(picture, rng)) for picture in pictures])
        found = near_copies(np.concatenate([originals, copies]))
        before, after = found[: len(paths)], found[len(paths) :]
        shares[kind.__name__] = ((before == after) & (before >= 0)).mean()
    return shares


def alike(paths: list[Path], sheet: Path | None) -> str:
    """How many pictures are called copies of others in a folder as it is."""
    found = near_copies(np.stack([thumbnail(Image.open(path)) for path in paths]))
    sizes = np.bincount(found[found >= 0], minlength=1)
    if sheet and sizes.any():
        rows = [np.flatnonzero(found == number)[:6] for number in range(min(len(sizes), 40))]
        page = Image.new("RGB", (6 * 130, len(rows) * 130), "white")
        for y, row in enumerate(rows):
            for x, index in enumerate(row):
                small = Image.open(paths[index]).convert("RGB").resize((128, 128))
                page.paste(small, (x * 130, y * 130))
        page.save(sheet)
    pairs = int(np.maximum(sizes - 1, 0).sum())
    return (
        f"{pairs} of {len(paths)} are called copies of others; the largest group has {sizes.max()}"
    )


def many(paths: list[Path], count: int) -> None:
    """Time and memory for `count` pictures: those that there are, and copies of some of them."""
    rng, contents = random.Random(0), []
    for number in range(count):
        picture = Image.open(paths[number % len(paths)]).convert("RGB")
        for kind in rng.sample(KINDS[:6], 2) if number >= len(paths) else ():
            picture = kind(picture, rng).convert("RGB")
        buffer = io.BytesIO()
        picture.resize((224, 224)).save(buffer, "JPEG", quality=90)
        contents.append(buffer.getvalue())
    source = ClassFolders.__new__(ClassFolders)
    began = time.perf_counter()
    thumbnails = [source.examine(content, AS_IT_IS)["thumbnail"] for content in contents]
    scanned = time.perf_counter() - began
    print(f"scan of {count:,} in one thread: {scanned:.1f} s")
    stacked = np.stack(thumbnails)
    began = time.perf_counter()
    found = near_copies(stacked)
    seconds = time.perf_counter() - began
    tracemalloc.start()  # it takes time, so once more
    near_copies(stacked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(
        f"comparison: {seconds:.1f} s, {peak / 1e6:.0f} MB at the peak, "
        f"{(found >= 0).sum():,} pictures in groups"
    )
    model = backbones.get("efficientnet_lite0", image_size=224).model
    batch = np.zeros((32, 224, 224, 3), "uint8")
    model.predict_on_batch(batch)
    began = time.perf_counter()
    for _ in range(5):
        model.predict_on_batch(batch)
    forward = (time.perf_counter() - began) / 160 * count
    print(f"one forward pass: {forward:.0f} s; the comparison takes {seconds / forward:.3f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--sheet", type=Path, help="a folder for pictures of what was found")
    options = parser.parse_args()
    collected = []
    for folder in options.folders:
        paths = opened(folder)
        random.Random(0).shuffle(paths)
        sheet = options.sheet / f"{folder.name}.png" if options.sheet else None
        print(f"{folder.name}: {alike(paths, sheet)}", flush=True)
        shares = recall(paths[: options.pictures])
        print(
            "   " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()), flush=True
        )
        collected += paths
    if options.many:
        many(collected, options.many)


if __name__ == "__main__":
    main()
