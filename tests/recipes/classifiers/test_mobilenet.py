import pytest

import recipes
from recipes.classifiers.mobilenet import _multiple_of_8
from tests.recipes.classifiers.cases import count


def test_parameters_are_as_many_as_published():
    assert count(recipes.mobilenet((224, 224, 3), 1000)) == 3_504_872


def test_filters_are_multiples_of_8_and_not_more_than_a_tenth_fewer():
    assert [_multiple_of_8(filters) for filters in (3, 8, 11, 12, 24, 33.6)] == [
        8, 8, 16, 16, 24, 32
    ]  # fmt: skip


def test_a_width_of_nothing_is_refused():
    with pytest.raises(ValueError, match="width: 0 is not positive"):
        recipes.mobilenet((32, 32, 3), 3, width=0)
