from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.datasets import load_sample_images

from recipes.augmentation import Augmentation
from recipes.images import augment, operations, varying
from recipes.images.operations import OPERATIONS
from tests.recipes.images import pictures, pillow

SHARED = Path(__file__).parents[4] / "shared" / "data"
KEYS = [(3, 1, row) for row in range(24)]
NOISE = np.random.default_rng(1).integers(0, 256, (40, 56, 3), dtype="uint8")
PRESETS = [name for name in augment.PRESETS if name != "none"]


def photos(size=(64, 64)):
    """Pieces of scikit-learn's two photos, (n, *size, 3)."""
    found = [Image.fromarray(photo) for photo in load_sample_images().images]
    boxes = [(x, y, x + 200, y + 200) for x in (0, 200, 400) for y in (0, 200)]
    return np.stack([np.asarray(p.crop(b).resize(size[::-1])) for p in found for b in boxes])


def device(batch, drawn):
    given = {"pictures": batch, **drawn}
    varied = varying.vary({k: keras.ops.convert_to_tensor(v) for k, v in given.items()})
    return keras.ops.convert_to_numpy(varied)


def differences(found, expected):
    """The mean difference of each picture, in gray levels."""
    return np.abs(found.astype("float32") - expected).mean(axis=(1, 2, 3))


KINDS = {
    "nothing": Augmentation(),
    "flip": Augmentation(flip=True),
    "rotation": Augmentation(rotation=30),
    "zoom": Augmentation(zoom=0.4),
    "shift": Augmentation(shift=0.3),
    "brightness": Augmentation(brightness=0.5),
    "contrast": Augmentation(contrast=0.5),
    "light": augment.get("light"),
    "strong": augment.get("strong"),
}


@pytest.mark.parametrize("size", [(64, 64), (48, 80)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_pillow(kind, size):
    batch = np.concatenate([photos(size), photos(size)])
    found = augment.batch(batch, KEYS, KINDS[kind])
    expected = [
        pillow.augment(picture, np.random.default_rng(key), KINDS[kind])
        for picture, key in zip(batch, KEYS, strict=True)
    ]
    # Pillow cuts fractions off after each of three steps.
    assert differences(found, expected).max() < (1.8 if kind in ("light", "strong") else 1.0)
    changed = differences(found, batch) > 1
    assert changed.any() == (kind != "nothing")


@pytest.mark.skipif(not SHARED.exists(), reason="needs the pictures of ../shared/data")
@pytest.mark.parametrize("folder", ["clothing10", "trashnet6", "cats_dogs", "sign_digits"])
def test_real_pictures_are_those_of_pillow(folder):
    files = sorted((SHARED / folder).rglob("*.jp*g"))[::50][:8]
    if not files:
        pytest.skip(f"no JPEG files in {folder}")
    batch = np.stack([np.asarray(Image.open(f).convert("RGB").resize((96, 96))) for f in files])
    found = augment.batch(batch, KEYS[: len(files)], augment.get("strong"))
    expected = [
        pillow.augment(picture, np.random.default_rng(key), augment.get("strong"))
        for picture, key in zip(batch, KEYS, strict=False)
    ]
    assert differences(found, expected).max() < 1.8


def test_the_map_is_its_formula():
    coefficients = np.array([[0.913, 0.217, -5.731, -0.311, 1.137, 4.219]])
    found = device(NOISE[None], {"map": coefficients.astype("float32")})[0]
    mean = np.floor(NOISE.mean(axis=(0, 1)))
    height, width = NOISE.shape[:2]
    rng = np.random.default_rng(0)
    for row, column in zip(rng.integers(0, height, 200), rng.integers(0, width, 200), strict=True):
        x, y = coefficients.reshape(2, 3) @ [column + 0.5, row + 0.5, 1]
        if not (0 <= x < width and 0 <= y < height):
            np.testing.assert_array_equal(found[row, column], mean)
            continue
        left, top = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
        expected = np.zeros(3)
        for down in (0, 1):
            for right in (0, 1):
                weight = abs(1 - right - (x - 0.5 - left)) * abs(1 - down - (y - 0.5 - top))
                place = np.clip(top + down, 0, height - 1), np.clip(left + right, 0, width - 1)
                expected += weight * NOISE[place]
        np.testing.assert_allclose(found[row, column], expected, atol=0.02)


def test_a_flip_mirrors_exactly():
    batch = np.stack([pictures.PIXELS] * 24)
    flips = augment.batch(batch, KEYS, Augmentation(flip=True))
    mirrored = sum((flip == pictures.PIXELS[:, ::-1]).all() for flip in flips)
    kept = sum((flip == pictures.PIXELS).all() for flip in flips)
    assert mirrored + kept == 24
    assert mirrored > 3
    assert kept > 3


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_drawn_follows_the_key_alone(name):
    settings, size = augment.get(name), (24, 32)
    drawn = augment.draw(settings, KEYS, size)
    again = augment.draw(settings, KEYS[8:12], size)
    others = augment.draw(settings, [(4, 1, row) for row in range(24)], size)
    for kind, values in drawn.items():
        assert len(values) == 24
        if kind != "partner":  # counted among those that are there
            np.testing.assert_array_equal(values[8:12], again[kind])
        if np.ptp(values):  # a kind of mixing that is left out is the same for all
            assert (values != others[kind]).any()


@pytest.mark.parametrize("name", PRESETS)
def test_a_stronger_kind_leaves_the_others_as_they_are(name):
    settings = augment.get(name)
    plain = replace(settings.alone(), erasing=0.0, randaugment=0)
    drawn, less = (augment.draw(s, KEYS, (24, 32)) for s in (settings, plain))
    for kind in less:
        if kind != "map" or not settings.randaugment:
            np.testing.assert_array_equal(drawn[kind], less[kind])


@pytest.mark.parametrize("magnitude", [0.3, 1.0])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_that_of_pillow(name, sign, magnitude):
    batch = photos()
    chances = np.array([[pillow.chance_of(name, sign)]] * len(batch))
    found = operated(batch, chances, magnitude)
    expected = [pillow.operated(picture, name, sign, magnitude) for picture in batch]
    assert differences(found, expected).max() < 1.0


def operated(batch, chances, magnitude):
    """What a batch becomes by operations that are named rather than drawn."""
    size = batch.shape[1:3]
    maps = np.tile(np.eye(3), (len(batch), 1, 1))
    for slot in range(chances.shape[1]):
        maps = maps @ operations.movements(chances[:, slot], magnitude, size)
    kinds, strengths = operations.tones(chances, magnitude)
    drawn = {
        "map": augment._coefficients(maps, size),
        "blends": operations.blends(chances, magnitude),
        "strengths": strengths,
    }
    drawn = {name: values.astype("float32") for name, values in drawn.items()}
    return device(batch, {**drawn, "kinds": kinds})


@pytest.mark.parametrize("first", operations.TONES)
def test_tones_follow_each_other_in_the_order_drawn(first):
    batch = photos()[:4]
    for second in operations.TONES:
        chances = np.array([[pillow.chance_of(first, 1), pillow.chance_of(second, -1)]] * 4)
        found = operated(batch, chances, 0.5)
        once = [pillow.operated(picture, first, 1, 0.5) for picture in batch]
        expected = [pillow.operated(picture, second, -1, 0.5) for picture in once]
        assert differences(found, expected).max() < 2.0, second


def test_operations_that_move_are_one_map_in_the_order_drawn():
    batch = photos()[:4]
    chances = np.array([[pillow.chance_of("rotate", 1), pillow.chance_of("translate_x", -1)]] * 4)
    found = operated(batch, chances, 0.5)
    turned = [pillow.operated(picture, "rotate", 1, 0.5) for picture in batch]
    expected = np.stack([pillow.operated(p, "translate_x", -1, 0.5) for p in turned])
    inner = (slice(None), slice(20, 44), slice(20, 44))  # they differ in what comes from outside
    assert differences(found[inner], expected[inner]).max() < 3.0


def test_what_is_drawn_moves_on_from_the_usual_map():
    settings, size = Augmentation(flip=True, rotation=20, zoom=0.2, randaugment=2), (24, 32)
    drawn = augment.draw(settings, KEYS, size)["map"]
    usual = augment.draw(replace(settings, randaugment=0), KEYS, size)["map"]
    kinds = set()
    for row, key in enumerate(KEYS):
        expected = np.eye(3)
        expected[:2] = usual[row].reshape(2, 3)
        for chances in np.random.default_rng(key).random(augment.OPERATED + 4)[-4:].reshape(2, 2):
            moved = operations.movements(chances[None], 0.3, size)
            expected = expected @ np.vstack(
                [augment._coefficients(moved, size).reshape(2, 3), [0, 0, 1]]
            )
            kinds.add(OPERATIONS[int(chances[0] * len(OPERATIONS))])
        np.testing.assert_allclose(drawn[row].reshape(2, 3), expected[:2], atol=1e-4)
    assert len(kinds & set(operations.MOVING)) > 3


def test_every_operation_is_drawn_as_often():
    rng = np.random.default_rng(0)
    kinds = operations._kinds(rng.random((7_000, 2)))
    assert stats.chisquare(np.bincount(kinds, minlength=len(OPERATIONS))).pvalue > 0.01


def test_a_flat_picture_survives_every_operation():
    flat = np.full((1, 8, 8, 3), 77, "uint8")
    for name in OPERATIONS:
        found = operated(flat, np.array([[pillow.chance_of(name, 1)]]), 1.0)
        expected = pillow.operated(flat[0], name, 1, 1.0)
        assert np.abs(found[0] - expected).max() <= 1, name


def test_erasing_covers_a_share_of_the_pictures_with_their_mean():
    keys = [(0, row) for row in range(4_000)]
    drawn = augment.draw(Augmentation(erasing=0.25), keys, (64, 96))
    top, left, bottom, right = drawn["erased"].T
    there = bottom > top
    assert there.mean() == pytest.approx(0.25, abs=0.02)
    assert (drawn["erased"] >= 0).all()
    assert bottom.max() <= 64
    assert right.max() <= 96
    shares = ((bottom - top) * (right - left))[there] / (64 * 96)
    assert shares.min() > 0.01
    assert shares.max() < 0.36
    assert shares.mean() == pytest.approx(0.175, abs=0.02)
    batch = photos()[:2]
    box = np.array([[10, 20, 30, 50], [0, 0, 0, 0]], "int32")
    found = device(batch, {"erased": box})
    mean = np.floor(batch[0].mean(axis=(0, 1)))
    np.testing.assert_array_equal(found[0, 10:30, 20:50], np.broadcast_to(mean, (20, 30, 3)))
    found[0, 10:30, 20:50] = batch[0, 10:30, 20:50]
    np.testing.assert_array_equal(found, batch)


def mixed_by_formula(batch, drawn):
    """Blends and pasted rectangles, picture by picture."""
    expected = []
    for row, picture in enumerate(batch.astype("float64")):
        other = batch[row + drawn["partner"][row]]
        share = drawn["share"][row]
        picture = share * picture + (1 - share) * other
        top, left, bottom, right = drawn["pasted"][row]
        picture[top:bottom, left:right] = other[top:bottom, left:right]
        expected.append(picture)
    return np.stack(expected)


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0), (0, 1.0), (0.4, 1.0)])
def test_mixing_is_its_formula(mixup, cutmix):
    batch = np.concatenate([photos(), photos()])
    drawn = augment.draw(Augmentation(mixup=mixup, cutmix=cutmix), KEYS, (64, 64))
    np.testing.assert_allclose(device(batch, drawn), mixed_by_formula(batch, drawn), atol=0.01)
    areas = np.prod(drawn["pasted"][:, 2:] - drawn["pasted"][:, :2], axis=1) / 64**2
    blended = drawn["share"] < 1
    assert (areas[blended] == 0).all()
    assert blended.any() == (mixup > 0)
    assert (areas > 0).any() == (cutmix > 0)
    labels = np.arange(24) % 3
    targets, weights = augment.mixed(labels, drawn, (64, 64), 3)
    own = drawn["share"] - areas
    others = labels[np.arange(24) + drawn["partner"]]
    expected = own[:, None] * np.eye(3)[labels] + (1 - own[:, None]) * np.eye(3)[others]
    np.testing.assert_allclose(targets, expected, atol=1e-6)
    assert weights is None


def test_shares_are_of_the_beta_distribution():
    keys = [(0, row) for row in range(2_000)]
    blended = augment.draw(Augmentation(mixup=0.4), keys, (64, 64))["share"]
    assert stats.kstest(blended, stats.beta(0.4, 0.4).cdf).pvalue > 0.01
    boxes = augment.draw(Augmentation(cutmix=1.0), keys, (1_000, 1_000))["pasted"]
    sides = boxes[:, 2:] - boxes[:, :2]
    whole = (boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < 1_000).all(axis=1)
    assert np.abs(sides[whole, 0] - sides[whole, 1]).max() <= 1  # as the picture's own sides
    both = augment.draw(Augmentation(mixup=0.4, cutmix=1.0), keys, (64, 64))["share"]
    assert (both < 1).mean() == pytest.approx(0.5, abs=0.04)


def test_partners_are_others_of_the_same_share():
    drawn = augment.draw(Augmentation(mixup=1.0), KEYS, (8, 8), together=6)
    partners = np.arange(24) + drawn["partner"]
    np.testing.assert_array_equal(partners // 6, np.arange(24) // 6)
    assert (drawn["partner"] != 0).all()
    alone = augment.draw(Augmentation(mixup=1.0), KEYS, (8, 8), together=1)
    assert (alone["partner"] == 0).all()


def test_views_are_not_mixed():
    batch = photos()
    settings = Augmentation(rotation=5, mixup=1.0, cutmix=1.0)
    found = augment.batch(batch, KEYS[:12], settings)
    np.testing.assert_array_equal(found, augment.batch(batch, KEYS[:12], settings.alone()))


@pytest.mark.parametrize("name", PRESETS)
def test_the_layer_gives_what_the_function_gives(name):
    settings = augment.get(name)
    batch = photos((24, 24))
    for rows in (None, 16):
        model = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.Identity()])
        behind = varying.behind_variation(model, augment.draw(settings, [0], (24, 24)), rows)
        for count in (12, 5):
            drawn = augment.draw(settings, KEYS[:count], (24, 24))
            found = behind.predict_on_batch({"pictures": batch[:count], **drawn})
            np.testing.assert_allclose(found, device(batch[:count], drawn), atol=0.01)
        assert behind.variables == []


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", PRESETS)
def test_the_whole_can_be_compiled_by_xla(name):
    import tensorflow as tf

    batch = photos((24, 24))
    drawn = augment.draw(augment.get(name), KEYS[:12], (24, 24))
    given = {k: tf.constant(v) for k, v in {"pictures": batch, **drawn}.items()}
    whole = tf.function(varying.vary, jit_compile=True, autograph=False)
    np.testing.assert_allclose(whole(given).numpy(), device(batch, drawn), atol=0.01)
