import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from recipes.files import DamagedFileError, write_arrays
from recipes.images.parts import Part
from recipes.transfer import novelty
from tests.recipes.transfer.tiny import SIDE, build_tiny, training_data

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, SIDE, SIDE, 3), "uint8")
LABELS = RNG.integers(0, 3, 24)


@pytest.mark.parametrize("first", [0, 3])
def test_no_more_features_are_kept_than_are_needed(first, tmp_path, monkeypatch):
    monkeypatch.setattr(novelty, "MOST_ROWS", 10)
    part = Part(PIXELS, LABELS, "key")
    data = training_data({"train": part, "validation": part}, tmp_path / "cache")
    novelty.keep(tmp_path, data.cut(build_tiny(), first))
    known = novelty.read(tmp_path)
    assert known["features"].shape == (20, 16)
    assert known["distances"].shape == (20,)
    assert known["held_out"].shape == (10,)


def test_novelty_is_even_for_like_pictures_and_one_for_others():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 64))

    def like(n):
        return centres[rng.integers(5, size=n)] + 0.3 * rng.normal(size=(n, 64))

    known = novelty.fit(like(300), like(200))
    assert 0.4 < novelty.score(like(1_300), known).mean() < 0.6
    others = novelty.score(rng.normal(size=(100, 64)), known)
    assert (others >= novelty.UNLIKE_FROM).mean() > 0.95


def test_novelty_is_the_distance_to_the_fifth_neighbour_of_scikit_learn():
    rng = np.random.default_rng(0)
    train, validation = rng.random((50, 8)), rng.random((20, 8))
    known = novelty.fit(train, validation)
    both = np.concatenate([train, validation])
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(both)
    expected = np.sort(search.kneighbors()[0][:, -1])  # without rows: each apart from itself
    np.testing.assert_allclose(known["distances"], expected, atol=1e-3)
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(train)
    expected = np.sort(search.kneighbors(validation)[0][:, -1])
    np.testing.assert_allclose(known["held_out"], expected, atol=1e-3)


@pytest.mark.parametrize("count", [8, 16, 50, 98, 200])
def test_few_pictures_raise_few_false_alarms(count):
    """New pictures of the same kind; before, a fifth of them were "unlike" after 8 to 16."""
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(20):
        known = novelty.fit(rng.normal(size=(count, 16)), rng.normal(size=(count // 6, 16)))
        scores = novelty.score(rng.normal(size=(200, 16)), known)
        alarms.append((scores >= novelty.UNLIKE_FROM).mean())
        assert scores.max() <= 1 - 1 / (count + count // 6 + 1)
    assert np.mean(alarms) <= 0.015


def test_pictures_that_training_drew_together_raise_few_false_alarms():
    """A trained network's training pictures lie nearer to each other than new ones ever do."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 32))

    def like(count, spread):
        return centres[rng.integers(4, size=count)] + spread * rng.normal(size=(count, 32))

    alarms = []
    for _ in range(20):
        known = novelty.fit(like(160, 0.05), like(30, 0.3))
        alarms.append((novelty.score(like(200, 0.3), known) >= novelty.UNLIKE_FROM).mean())
        assert (novelty.score(rng.normal(size=(50, 32)), known) >= 0.99).mean() > 0.9
    assert np.mean(alarms) <= 0.05


@pytest.mark.parametrize("count", [1, 2, 4])
def test_too_few_pictures_to_say_anything_have_no_score(count):
    known = novelty.fit(np.eye(8)[:count], np.eye(8)[-1:])
    assert np.isnan(novelty.score(np.eye(8), known)).all()
    assert len(novelty.score(np.eye(8), known)) == 8


def test_what_an_earlier_version_kept_is_scored_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    train, validation, new = (rng.random((count, 8)) for count in (50, 20, 30))
    both = novelty.fit(train, validation)
    old = {"features": both["features"][:50], "distances": both["held_out"]}
    write_arrays(tmp_path / novelty.FILE, old)
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(train)
    distances = [search.kneighbors(rows)[0][:, -1] for rows in (new, validation)]
    expected = (distances[1][None] < distances[0][:, None]).mean(axis=1)
    found = novelty.score(new, novelty.read(tmp_path))
    np.testing.assert_allclose(found, expected, atol=0.051)
    assert found.max() == 1 or expected.max() < 1


@pytest.mark.parametrize("missing", ["features", "distances"])
def test_a_file_that_lacks_something_is_damaged(tmp_path, missing):
    known = novelty.fit(np.eye(8), np.eye(8))
    write_arrays(tmp_path / novelty.FILE, {k: v for k, v in known.items() if k != missing})
    with pytest.raises(DamagedFileError, match="novelty"):
        novelty.read(tmp_path)
