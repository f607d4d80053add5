import pytest

import recipes
from tests.recipes.classifiers.cases import count


@pytest.mark.parametrize(
    ("build", "published"),
    [
        (lambda: recipes.resnet((224, 224, 3), 1000, depth=18), 11_689_512),
        (lambda: recipes.resnet((224, 224, 3), 1000, depth=34), 21_797_672),
        (lambda: recipes.resnet((224, 224, 3), 1000, depth=50), 25_557_032),
    ],
)
def test_parameters_are_as_many_as_published(build, published):
    assert count(build()) == published


BAD = [
    (lambda: recipes.resnet((32, 32, 3), 3, depth=21), "depth", "18"),
    (lambda: recipes.resnet((32, 32, 3), 3, depth=None), "depth", "18"),
    (lambda: recipes.resnet((32, 32, 3), 3, depth=(1, 0)), "depth", "0"),
    (lambda: recipes.resnet((32, 32, 3), 3, width=0), "width", "0"),
    (lambda: recipes.resnet((32, 32, 3), 3, stem="tiny"), "stem", "large"),
]


@pytest.mark.parametrize(("call", "culprit", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(call, culprit, text):
    with pytest.raises(ValueError, match=culprit) as caught:
        call()
    assert text in str(caught.value)
