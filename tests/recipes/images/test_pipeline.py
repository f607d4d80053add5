import keras
import numpy as np
import pytest

from recipes.augmentation import Augmentation
from recipes.images import augment
from recipes.images.decode import decode
from recipes.images.pipeline import Batches, stream
from recipes.images.varying import vary
from recipes.losses import loss_of
from tests.recipes.images import pictures


def test_a_stream_gives_every_good_picture_in_order_and_names_the_others(tmp_path):
    folder = pictures.write(tmp_path, {**pictures.GOOD, **pictures.BAD})
    paths = sorted([*pictures.GOOD, *pictures.BAD, "gone.png"])
    seen, errors = {}, {}
    for rows, batch, failed in stream(folder, paths, (16, 20), 7):
        assert len(rows) == len(batch)
        seen.update(zip(rows.tolist(), batch, strict=True))
        errors.update(failed)
    assert list(seen) == sorted(seen)
    bad = {"gone.png", *pictures.BAD} - {".hidden.png"}
    assert {paths[row] for row in errors} == bad
    for row, picture in seen.items():
        np.testing.assert_array_equal(picture, decode(folder / paths[row], (16, 20)))


def test_a_stream_that_is_left_early_does_not_hang(tmp_path):
    folder = pictures.make_classes(tmp_path, 50)
    paths = [f"cat/{i:03d}.png" for i in range(50)]
    next(stream(folder, paths, (8, 8), 2))


def epoch_of(batches):
    return np.concatenate([batches[i][1] for i in range(len(batches))])


def test_an_epoch_has_every_row_once_in_an_order_of_its_own():
    inputs, targets = np.arange(10.0)[:, None], np.arange(10)
    batches = Batches(inputs, targets, batch_size=4, shuffle=True, seed=5)
    first = epoch_of(batches)
    batches.on_epoch_end()
    second = epoch_of(batches)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()
    resumed = Batches(inputs, targets, batch_size=4, shuffle=True, seed=5, epoch=1)
    assert epoch_of(resumed).tolist() == second.tolist()
    assert batches[0][0].dtype == np.float32


def test_views_take_turns():
    inputs = np.stack([np.full((6, 1), view, "float32") for view in range(3)])
    batches = Batches(inputs, np.arange(6), views=True, batch_size=6)
    seen = []
    for _ in range(3):
        seen.append(batches[0][0][:, 0])
        batches.on_epoch_end()
    np.testing.assert_array_equal(np.sort(np.stack(seen), axis=0), [[0] * 6, [1] * 6, [2] * 6])


def flat_pictures(count):
    """Pictures of one gray level each, and the levels."""
    levels = np.arange(count, dtype="uint8") * 20
    return np.broadcast_to(levels[:, None, None, None], (count, 8, 8, 3)).copy(), levels


def test_augmented_batches_hold_pictures_and_what_is_drawn_for_each():
    pixels, _ = flat_pictures(3)
    settings = augment.get("light")
    batches = Batches(pixels, np.arange(3), seed=7, epoch=2, augmentation=settings)
    x, y = batches[0]
    assert x["pictures"].dtype == np.uint8
    np.testing.assert_array_equal(x.pop("pictures"), pixels)
    expected = augment.draw(settings, [(7, 2, 0), (7, 2, 1), (7, 2, 2)], (8, 8))
    assert x.keys() == expected.keys()
    for name in x:
        np.testing.assert_array_equal(x[name], expected[name])
    np.testing.assert_array_equal(y, np.arange(3))
    x, _, weights = Batches(pixels, np.arange(3), sample_weights=np.ones(3))[0]
    assert (x.dtype, weights.tolist()) == (np.uint8, [1, 1, 1])


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_made_ahead_are_those_made_by_themselves(shuffle):
    pixels, _ = flat_pictures(10)
    options = {"batch_size": 4, "shuffle": shuffle, "passes": 2, "seed": 3}
    options |= {"augmentation": augment.get("heavy"), "classes": 10}
    batches = Batches(pixels, np.arange(10), **options)
    for epoch in range(3):
        for index in (0, 3, 1, 2, 3, 4):  # and one out of order
            x, y = batches[index]
            alone, expected = Batches(pixels, np.arange(10), epoch=epoch, **options)[index]
            np.testing.assert_array_equal(y, expected)
            for name in alone:
                np.testing.assert_array_equal(x[name], alone[name])
        batches.on_epoch_end()


@pytest.mark.parametrize("kind", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.5, "cutmix": 0.5}])
@pytest.mark.parametrize("devices", [1, 2])
def test_targets_are_mixed_as_pictures_are(kind, devices):
    pixels, levels = flat_pictures(10)
    options = {"batch_size": 4, "shuffle": True, "devices": devices, "passes": 3}
    batches = Batches(
        pixels, levels[:, None].astype("float32"), augmentation=Augmentation(**kind), **options
    )
    for index in range(len(batches)):
        x, y, *_ = batches[index]
        shares = np.split(np.arange(len(y)), devices)
        parts = [{name: values[own] for name, values in x.items()} for own in shares]
        varied = np.concatenate(
            [vary({k: keras.ops.convert_to_tensor(v) for k, v in part.items()}) for part in parts]
        )
        np.testing.assert_allclose(varied.mean(axis=(1, 2, 3)), y[:, 0], atol=1e-2)


@pytest.mark.parametrize("classes", [0, 4])
def test_a_mixture_s_loss_is_that_of_its_labels_each_by_its_weight(classes):
    """With cross-entropy it is so exactly, class weights included, whatever is answered."""
    rng = np.random.default_rng(0)
    drawn = augment.draw(Augmentation(mixup=1.0), [(0, row) for row in range(32)], (8, 8))
    own, others = drawn["share"], np.arange(32) + drawn["partner"]
    weights = rng.uniform(0.2, 5, 32)
    if classes:
        labels, said = rng.integers(0, classes, 32), rng.dirichlet(np.ones(classes), 32)
        losses = -np.log(said).T[labels]  # of each label for each answer
    else:
        labels, said = rng.integers(0, 2, (32, 1)).astype("float32"), rng.random((32, 1))
        losses = -np.where(labels == 1, np.log(said.T), np.log(1 - said.T))
    rows = np.arange(32)
    expected = own * weights * losses[rows, rows]
    expected += (1 - own) * weights[others] * losses[others, rows]
    targets, whole = augment.mixed(labels, drawn, (8, 8), classes, weights)
    name = "multiclass" if classes else "binary"
    found = loss_of(name)(targets, said.astype("float32"), sample_weight=whole)
    assert float(found) == pytest.approx(expected.mean(), rel=1e-4)
    none, zero = augment.mixed(labels, drawn, (8, 8), classes, np.zeros(32))
    assert np.isfinite(none).all()
    assert (zero == 0).all()
