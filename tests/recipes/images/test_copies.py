import io
from functools import cache

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from recipes.images.copies import copies_in_words, copy_groups, near_copies, thumbnail
from recipes.images.inspection import scan
from recipes.images.split import split
from recipes.images.summary import describe

RNG = np.random.default_rng(0)


@cache
def scene(seed: int, size=(200, 150)) -> Image.Image:
    """Structure at all scales, as a photo has it."""
    rng = np.random.default_rng(seed)
    layers = np.zeros((size[1], size[0], 3))
    for cells, strength in ((4, 90), (12, 60), (40, 40)):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), "uint8"))
        layers += (np.asarray(noise.resize(size, Image.Resampling.BICUBIC), "float32") - 128) * (
            strength / 128
        )
    return Image.fromarray((layers + 128).clip(0, 255).astype("uint8"))


def compressed(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=10)
    return Image.open(buffer)


def cropped(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.crop((int(width * 0.1), int(height * 0.02), width, int(height * 0.92)))


def lit(picture: Image.Image) -> Image.Image:
    brighter = ImageEnhance.Brightness(picture).enhance(1.3)
    return ImageEnhance.Contrast(brighter).enhance(0.7)


KINDS = {
    "smaller": lambda picture: picture.resize((90, 64)),
    "larger": lambda picture: picture.resize((420, 330)),
    "compressed": compressed,
    "cropped": cropped,
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda picture: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "lit": lit,
    "gray": lambda picture: picture.convert("L"),
    "turned a little": lambda picture: picture.rotate(5, Image.Resampling.BILINEAR),
    "turned by 90": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "turned by 180": lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    "turned by 270": lambda picture: picture.transpose(Image.Transpose.ROTATE_270),
    "mirrored, cropped and lit": lambda picture: lit(
        cropped(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    ),
}


def small(pictures) -> np.ndarray:
    return np.stack([thumbnail(picture) for picture in pictures])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_copy_is_found_and_nothing_else(kind):
    scenes = [scene(seed) for seed in range(8)]
    found = near_copies(small([*scenes, *map(KINDS[kind], scenes)]))
    assert found.tolist() == [*range(8), *range(8)]


def lines(seed: int) -> Image.Image:
    """A drawing of a few strokes on white."""
    rng = np.random.default_rng(seed)
    pixels = np.full((105, 105), 255, "uint8")
    for _ in range(3):
        start, end = rng.integers(20, 85, (2, 2))
        steps = np.linspace(start, end, 200).round().astype(int)
        pixels[steps[:, 0], steps[:, 1]] = 0
        pixels[steps[:, 0] + 1, steps[:, 1]] = 0
    return Image.fromarray(pixels)


UNLIKE = {
    "scenes": [scene(seed) for seed in range(40)],
    "noise": [Image.fromarray(RNG.integers(0, 256, (32, 32, 3), "uint8")) for _ in range(40)],
    "plain": [Image.new("RGB", (64, 64), (shade, 10, 20)) for shade in range(40)],
    "ramps": [
        Image.fromarray(np.tile(np.arange(k, k + 64, dtype="uint8"), (64, 1))) for k in range(40)
    ],
    "almost empty": [
        Image.fromarray(RNG.normal(200, 0.4, (64, 64)).astype("uint8")) for _ in range(40)
    ],
    "blurred": [scene(seed).resize((6, 6)).resize((64, 64)) for seed in range(40)],
    "drawings": [lines(seed) for seed in range(40)],
}


@pytest.mark.parametrize("name", UNLIKE)
def test_pictures_that_are_merely_of_one_kind_stand_alone(name):
    found = near_copies(small(UNLIKE[name]))
    assert (found >= 0).mean() <= 0.02


def test_a_long_row_of_steps_does_not_become_one_group():
    """A view that moves on: each picture is like the next, the first is nothing like the last."""
    wide = scene(3, (1600, 150))
    row = [wide.crop((left, 0, left + 200, 150)) for left in range(0, 1400, 14)]
    found = near_copies(small(row))
    assert np.bincount(found[found >= 0]).max(initial=0) <= 60


def test_no_picture_and_one_picture_have_no_copies():
    assert near_copies(np.empty((0, 48, 48), "uint8")).tolist() == []
    assert near_copies(small([scene(0)])).tolist() == [-1]
    assert copy_groups(["", ""], [None, None]) == ["", ""]


def test_the_answer_does_not_depend_on_blocks_or_threads(monkeypatch):
    scenes = [scene(seed) for seed in range(30)]
    pictures = small([*scenes, *map(cropped, scenes)])
    expected = near_copies(pictures).tolist()
    monkeypatch.setattr("recipes.images.copies._BLOCK", 48 * 48 * 3)
    monkeypatch.setattr("recipes.images.copies._PAIRS", 5)
    assert near_copies(pictures, workers=1).tolist() == expected


def write(folder, variants, count=12, classes=("a", "b")):
    """`count` scenes a class, each with its variants."""
    for index, name in enumerate(classes):
        for number in range(count):
            original = scene(100 * index + number)
            for kind in ("", *variants):
                changed = KINDS[kind](original) if kind else original
                (folder / name).mkdir(parents=True, exist_ok=True)
                changed.convert("RGB").save(folder / name / f"{number:02d} {kind}.png")
    return folder


def test_copies_stay_in_one_part_and_are_counted(tmp_path):
    folder = write(tmp_path, ("cropped", "mirrored", "lit"))
    frame = scan(folder, verbose=False)
    assert frame["copy_group"].nunique() == 24
    (note,) = frame.attrs["notes"]
    assert note.startswith("72 pictures are near copies of others (resized, mirrored, turned …)")
    assert note in describe(frame)
    parts = split(frame, seed=1)
    original = parts["path"].str.split(" ").str[0]
    assert (parts.groupby(original)["part"].nunique() == 1).all()
    assert parts["part"].value_counts()["test"] == 16


def test_without_the_option_nothing_is_compared(tmp_path):
    folder = write(tmp_path, ("mirrored",), count=4)
    frame = scan(folder, verbose=False, near_copies=False)
    assert (frame["copy_group"] == "").all()
    assert frame.attrs["notes"] == []


def test_arrays_have_copies_too():
    scenes = [np.asarray(scene(seed)) for seed in range(8)]
    pictures = np.stack([*scenes, *(one[:, ::-1] for one in scenes)])
    frame = scan((pictures, [0, 1] * 8), verbose=False)
    assert (frame["copy_group"][:8].to_numpy() == frame["copy_group"][8:].to_numpy()).all()
    assert frame["copy_group"].nunique() == 8


@pytest.mark.parametrize("deep", [False, True])
def test_pictures_of_16_bits_have_copies_too(tmp_path, deep):
    for number in range(6):
        values = np.asarray(scene(number).convert("L"))
        values = values.astype("uint16") * 16 if deep else values
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        for name, turned in (("up", values), ("down", values[::-1])):
            Image.fromarray(turned).save(tmp_path / "ab"[number % 2] / f"{number} {name}.png")
    assert scan(tmp_path, verbose=False)["copy_group"].nunique() == 6


def test_a_picture_that_has_a_copy_in_the_test_part_is_not_trained_on(tmp_path):
    write(tmp_path / "train", (), count=8)
    write(tmp_path / "test", (), count=8)
    for place in ("a", "b"):
        for number, file in enumerate(sorted((tmp_path / "test" / place).iterdir())):
            picture = Image.open(file) if number < 3 else scene(50 + number + 500 * (place == "b"))
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(file)
    frame = scan(tmp_path, verbose=False)
    assert "12 are spread over ready-made parts" in frame.attrs["notes"][0]
    parts = split(frame)
    lost = parts[parts["status"] == "skipped"]
    assert lost["path"].str.startswith("train/").all()
    assert lost["reason"].tolist() == ["a near copy is in the test part"] * 6
    assert (parts["part"] == "test").sum() == 16


def test_copies_with_other_labels_stay_together_and_are_counted(tmp_path):
    write(tmp_path, (), count=9)
    for number in range(3):
        lit(scene(number)).save(tmp_path / "b" / f"lit {number}.png")
    frame = scan(tmp_path, verbose=False)
    assert "6 with different labels" in frame.attrs["notes"][0]
    parts = split(frame)
    named = parts[parts["copy_group"] != ""]
    assert (named.groupby("copy_group")["part"].nunique() == 1).all()
    assert (parts["status"] == "ok").all()


def test_a_class_of_copies_of_one_picture_is_refused_with_the_reason(tmp_path):
    write(tmp_path, (), count=6, classes=("a",))
    write(tmp_path, tuple(KINDS), count=1, classes=("b",))
    for file in (tmp_path / "b").iterdir():
        file.rename(tmp_path / "b" / f"one {file.name}")
    with pytest.raises(ValueError, match="Near copies of one picture count as one"):
        split(scan(tmp_path, verbose=False))


def test_random_labels_cannot_be_learned_from_copies(tmp_path):
    """30 pictures with labels by chance, in four variants: none of a test picture is trained on."""
    labels = np.random.default_rng(2).integers(0, 4, 30)
    kinds = ("", "mirrored", "lit", "cropped")
    for number, label in enumerate(labels):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        for kind in kinds:
            changed = KINDS[kind](scene(number)) if kind else scene(number)
            changed.save(tmp_path / str(label) / f"{number}-{kind}.png")
    parts = split(scan(tmp_path, verbose=False))
    number = parts["path"].str.extract(r"/(\d+)-")[0]
    trained = set(number[parts["part"] != "test"])
    assert not trained & set(number[parts["part"] == "test"])


@pytest.mark.slow
def test_what_is_learned_of_random_labels_is_near_chance(tmp_path):
    import recipes

    labels = np.random.default_rng(2).integers(0, 4, 30)
    kinds = ("", "mirrored", "lit", "cropped")
    for number, label in enumerate(labels):
        (tmp_path / "data" / str(label)).mkdir(exist_ok=True, parents=True)
        for kind in kinds:
            changed = KINDS[kind](scene(number)) if kind else scene(number)
            changed.save(tmp_path / "data" / str(label) / f"{number}-{kind}.png")
    options = {"strategy": "head_only", "image_size": 64, "test": 0.3, "verbose": False}
    accuracy = {
        near: recipes.fit(
            tmp_path / "data", output=tmp_path / str(near), near_copies=near, **options
        ).metrics["accuracy"]
        for near in (True, False)
    }
    assert accuracy[True] <= 0.5 < accuracy[False]


def test_one_copy_is_told_in_the_singular():
    frame = pd.DataFrame({"copy_group": ["1", "1"], "class": ["a", "a"], "part": ["", ""]})
    (text,) = copies_in_words(frame)
    assert text == (
        "1 picture is a near copy of another (resized, mirrored, turned …); they stay in one part."
    )
