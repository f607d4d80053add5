import keras
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


@pytest.mark.parametrize("normalization", ["frozen_batch", "sync_batch", ("bn", {"scale": False})])
def test_every_batch_norm_has_the_conventions_epsilon(normalization):
    for convention, epsilon in (("torch", 1e-5), ("keras", 1e-3)):
        options = {"convention": convention, "normalization": normalization}
        assert {norm.epsilon for norm in norms_of(**options)} == {epsilon}


def test_an_epsilon_that_is_given_is_kept():
    norms = norms_of(convention="torch", normalization=("batch", {"epsilon": 0.5}))
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(0.5, 0.9)}


def norms_of(**options):
    model = recipes.resnet((8, 8, 3), 3, depth=(1,), width=8, **options)
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def test_groups_divide_whatever_the_factor():
    size = {"depth": (1,), "bottleneck": True, "groups": 32, "group_width": 4, "width_factor": 1.3}
    model = recipes.resnet((8, 8, 3), 3, **size)
    kernel = model.get_layer("layer1_0_conv2").kernel  # torchvision: int(4 * 1.3) * 32
    assert tuple(kernel.shape) == (3, 3, 5, 160)
    assert recipes.resnet((8, 8, 3), 3, depth=(1,), width_factor=0.001).output_shape == (None, 3)


def test_few_channels_can_be_squeezed_with_crelu():
    options = {"squeeze_excitation": 16, "activation": "crelu"}
    model = recipes.resnet((8, 8, 3), 3, depth=(1,), width=16, **options)
    assert model.get_layer("layer1_0_se_fc1").filters == 1


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
