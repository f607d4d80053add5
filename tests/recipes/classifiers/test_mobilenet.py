import pytest

import recipes
from recipes.classifiers.trunk import multiple_of_8
from tests.recipes.classifiers.cases import count


def test_parameters_are_as_many_as_published():
    assert count(recipes.mobilenet((224, 224, 3), 1000)) == 3_504_872


def test_filters_are_multiples_of_8_and_not_more_than_a_tenth_fewer():
    assert [multiple_of_8(filters) for filters in (3, 8, 11, 12, 24, 33.6)] == [
        8, 8, 16, 16, 24, 32
    ]  # fmt: skip


BAD = [
    ({"width": 0}, "width: 0 is not a number above 0"),
    ({"width": "a"}, "width: 'a'"),
    ({"stages": ((1, 16, 1),)}, r"stages: \(1, 16, 1\) is not \(expansion, filters, repeats"),
    ({"stages": ((1, 0, 1, 1),)}, "stages: 0 is not a whole number from 1 up"),
    ({"stages": ((1, 16.5, 1, 1),)}, "stages: 16.5"),
    ({"stages": (1, 16, 1, 1)}, "stages: 1 are not several"),
    ({"stages": 3}, "stages: 3 are not several"),
    ({"kernel_size": 0}, "kernel_size: 0"),
]


@pytest.mark.parametrize(("choices", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(choices, text):
    with pytest.raises(ValueError, match=text):
        recipes.mobilenet((32, 32, 3), 3, **choices)
