import numpy as np

from recipes.images.decode import decode
from recipes.images.pipeline import Batches, stream
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


def test_transform_is_given_a_key_for_each_row():
    keys = []

    def transform(batch, given):
        keys.extend(given)
        return batch + 1

    pixels = np.zeros((3, 2, 2, 3), "uint8")
    batches = Batches(pixels, np.arange(3), seed=7, epoch=2, transform=transform)
    x, _, weights = Batches(pixels, np.arange(3), sample_weights=np.ones(3))[0]
    assert (x.dtype, weights.tolist()) == (np.uint8, [1, 1, 1])
    assert batches[0][0].max() == 1
    assert keys == [(7, 2, 0), (7, 2, 1), (7, 2, 2)]
