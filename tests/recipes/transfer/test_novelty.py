import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

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
    assert known["features"].shape == (10, 16)
    assert known["distances"].shape == (10,)


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
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(train)
    expected = np.sort(search.kneighbors(validation)[0][:, -1])
    np.testing.assert_allclose(known["distances"], expected, atol=1e-3)


def test_few_training_pictures_have_fewer_neighbours():
    known = novelty.fit(np.eye(3), np.eye(3))
    assert novelty.score(np.eye(3), known).tolist() == [0.0] * 3
