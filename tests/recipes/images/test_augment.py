import numpy as np
import pytest

from recipes.images.augment import PRESETS, Augmentation, augment, get
from tests.recipes.images import pictures


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "none"])
def test_augmentation_follows_its_generator(name):
    preset = get(name)
    one, same, other = (
        augment(pictures.PIXELS, np.random.default_rng(seed), preset) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (one.shape, one.dtype) == (pictures.PIXELS.shape, np.uint8)


def test_no_augmentation_changes_nothing():
    result = augment(pictures.PIXELS, np.random.default_rng(0), Augmentation())
    np.testing.assert_array_equal(result, pictures.PIXELS)


def test_a_flip_mirrors_exactly():
    flips = [
        augment(pictures.PIXELS, np.random.default_rng(s), Augmentation(flip=True))
        for s in range(20)
    ]
    mirrored = sum((flip == pictures.PIXELS[:, ::-1]).all() for flip in flips)
    kept = sum((flip == pictures.PIXELS).all() for flip in flips)
    assert mirrored + kept == 20
    assert mirrored > 3
    assert kept > 3


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'strong'"):
        get("stong")
