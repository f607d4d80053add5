"""Bad input to a family is one error that names the argument and what is allowed."""

import re

import numpy as np
import pytest

import recipes

PICTURE = (32, 32, 3)
BAD = [
    (lambda: recipes.lenet((8, 8, 1), 10), "input_shape: 8 x 8 pixels are too small"),
    (lambda: recipes.lenet((28, 28, 1), 10, widths=(6,)), "widths: [6] are not two"),
    (lambda: recipes.lenet((28, 28, 1), 10, widths=6), "widths: 6 are not several"),
    (lambda: recipes.alexnet((64, 64, 3), 10, widths=8), "widths: 8 are not several"),
    (lambda: recipes.alexnet((64, 64, 3), 10, groups=5), "groups: 5 do not divide the widths [96"),
    (lambda: recipes.vgg(PICTURE, 10, widths=8), "widths: 8 are not several"),
    (lambda: recipes.vgg(PICTURE, 10, depth="16"), "depth: '16' is not among 11, 13, 16, 19"),
    (lambda: recipes.densenet(PICTURE, 10, depth="121"), "depth: '121' is not among 121, 161"),
    (
        lambda: recipes.densenet((28, 28, 3), 10, stem="large"),
        "input_shape: 28 x 28 pixels are too small; each side has 29 or more",
    ),
    (lambda: recipes.resnet(PICTURE, 10, bottleneck="no"), "bottleneck: 'no' is not True or False"),
    (lambda: recipes.mobilenet(PICTURE, 10, version=3, kernel_size=5), "kernel_size: version 3"),
    (lambda: recipes.mobilenet(PICTURE, 10, version=1, zero_init_last=True), "zero_init_last: ver"),
    (lambda: recipes.mobilenet(PICTURE, 10, activation=np.ones(3)), "activation: array([1., 1., 1"),
    (lambda: recipes.cnn1d((8, 2), 3, widths=8), "widths: 8 are not several"),
    (lambda: recipes.cnn1d((64, 2), 3, kernel_size=0), "kernel_size: 0 is not a whole number"),
    (lambda: recipes.mlp(8, 3, units=np.array(8)), "units: array(8) are not several"),
    (lambda: recipes.alexnet(PICTURE, 10), "input_shape: 32 x 32 pixels are too small"),
    (lambda: recipes.alexnet((64, 64, 3), 10, widths=(8, 8)), "widths: [8, 8] are not five"),
    (lambda: recipes.alexnet((64, 64, 3), 10, groups=0), "groups: 0 is not a whole number"),
    (lambda: recipes.vgg(PICTURE, 10, depth=12), "depth: 12 is not among 11, 13, 16, 19"),
    (lambda: recipes.vgg(PICTURE, 10, depth=(1, 1), widths=(8,)), "widths: 1 for 2 stages"),
    (lambda: recipes.vgg((16, 16, 3), 10), "input_shape: 16 x 16 pixels are too small"),
    (lambda: recipes.resnet(PICTURE, 10, depth=21), "depth: 21 is not among 18, 34, 50"),
    (lambda: recipes.resnet(PICTURE, 10, depth=True), "depth: True is not among 18"),
    (lambda: recipes.resnet(PICTURE, 10, groups=32), "groups: 32 need bottlenecks"),
    (lambda: recipes.resnet(PICTURE, 10, width_factor=0), "width_factor: 0 is not a number above"),
    (lambda: recipes.resnet(PICTURE, 10, drop_path=1.0), "drop_path: 1.0 is not a share"),
    (lambda: recipes.resnet(PICTURE, 10, squeeze_excitation=-1), "squeeze_excitation: -1 is not"),
    (lambda: recipes.resnet(PICTURE, 10, convention="pytorch"), "Did you mean 'torch'"),
    (lambda: recipes.densenet(PICTURE, 10, depth=120), "depth: 120 is not among 121, 161"),
    (lambda: recipes.densenet(PICTURE, 10, growth=0), "growth: 0 is not a whole number"),
    (lambda: recipes.mobilenet(PICTURE, 10, version=4), "version: 4 is not among 1, 2, 3"),
    (lambda: recipes.mobilenet(PICTURE, 10, size="large"), "size: version 2 has none"),
    (
        lambda: recipes.mobilenet(PICTURE, 10, version=3, size="big"),
        "size: 'big' is not among large, small",
    ),
    (lambda: recipes.mobilenet(PICTURE, 10, version=1, drop_path=0.1), "drop_path: version 1"),
    (
        lambda: recipes.mobilenet(PICTURE, 10, stages=((1, 16, 1),)),
        "stages: (1, 16, 1) is not (expansion, filters, repeats, stride)",
    ),
    (
        lambda: recipes.mobilenet(PICTURE, 10, version=1, stages=((0, 1),)),
        "stages: 0 is not a whole number from 1 up",
    ),
    (lambda: recipes.efficientnet(PICTURE, 10, size="b8"), "size: 'b8' is not among b0, b1"),
    (lambda: recipes.efficientnet(PICTURE, 10, width=0), "width: 0 is not a number above 0"),
    (lambda: recipes.squeezenet((16, 16, 3), 10), "input_shape: 16 x 16 pixels are too small"),
    (lambda: recipes.convnext(PICTURE, 10, size="nano"), "size: 'nano' is not among tiny"),
    (lambda: recipes.convnext(PICTURE, 10, widths=(8, 8)), "widths: 2 for 4 stages"),
    (lambda: recipes.convnext((16, 16, 3), 10), "input_shape: 16 x 16 pixels are too small"),
    (lambda: recipes.vit(PICTURE, 10, patch_size=7), "patch_size: 7 does not divide 32 x 32"),
    (lambda: recipes.vit(PICTURE, 10, heads=5), "heads: 5 do not divide a width of 768"),
    (lambda: recipes.vit(PICTURE, 10, norm_position="preactivation"), "after, before, both"),
    (lambda: recipes.mlp_mixer(PICTURE, 10, size="tiny"), "size: 'tiny' is not among small"),
    (lambda: recipes.cnn1d((7, 2), 3), "input_shape: 7 steps are too few"),
    (lambda: recipes.cnn1d((8, 2, 3), 3), "input_shape: (8, 2, 3) is not (steps, channels)"),
    (lambda: recipes.cnn1d((None, None), 3), "input_shape: (None, None) is not (steps, channels)"),
    (lambda: recipes.cnn((None, 8, None), 3), "is not (height, width, channels)"),
]


@pytest.mark.parametrize(("call", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(call, text):
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        call()
    assert "\n" not in str(caught.value)
